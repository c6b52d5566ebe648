"""What one person may do alone stands on each daemon's page, with why; nothing else is done so."""

import re

import pytest

from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.platform.control.admin import PLATFORM_REQUESTS
from cea_exchange.venue.requests import VENUE_REQUESTS
from support.places import ROOT

DAEMONS = pytest.mark.parametrize(
    ("page", "requests"),
    [
        ("admin", VENUE_REQUESTS),
        ("ccer", CCER_REQUESTS),
        ("platform", PLATFORM_REQUESTS),
    ],
)
"""The registry's page says of each request whose person approves: `test_second_persons`."""


def alone_shown(page):
    """Return why for each ``op`` of a page's table of what one person does alone."""
    text = (ROOT / "protocol" / f"{page}.md").read_text(encoding="utf-8")
    table = text.split("| alone | why |\n|---|---|\n")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()]
    found = [(op, why.strip()) for ops, why in rows for op in re.findall(r"`(\w+)`", ops)]
    assert len(found) == len(dict(found)), "an op stands there twice"
    return dict(found)


@DAEMONS
def test_every_act_takes_two_or_the_page_says_why_one_is_enough(page, requests):
    """CEA-OPR-02, CEA-REG-02, CCER-PER-01: what is not in the table takes two, or only looks."""
    acts = {op for op, each in requests.by_op.items() if not each.is_look}
    shown = alone_shown(page)
    assert acts - requests.of_two == set(shown)
    assert requests.of_two <= acts
    assert all(shown.values())
