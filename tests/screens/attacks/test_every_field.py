"""Script in every field of every form of every page, by those who may send it: it stays text."""

import re

import pytest

from support.screens.console_pages import SENDERS, Forms, entered, pages_of
from support.screens.institutions import institutions_open

pytestmark = [pytest.mark.e2e, pytest.mark.attack, pytest.mark.nightly]

SCRIPT = '"><script>alert(1)</script>'
RAW, ESCAPED = "<script>alert", "&lt;script&gt;alert"
SOUND = {"yuan": "10.00", "numeric": "10", "decimal": "10.00", "date": "2025-11-18"}
"""What a field of a kind takes, so that those beside it come to the daemon."""


def filled(fields, *, wholly):
    """Fill a form: script in all that is typed, or only where words are expected."""
    values = {}
    for name, (kind, value) in fields.items():
        if kind in ("hidden", "checkbox"):
            values[name] = value
        elif kind == "select":
            values[name] = SCRIPT if wholly else value
        else:
            values[name] = SCRIPT if wholly else SOUND.get(kind, SCRIPT)
    return values


@pytest.fixture(scope="module")
def nation(tmp_path_factory):
    with institutions_open(tmp_path_factory.mktemp("nation")) as institutions:
        institutions.filed()
        institutions.verified()
        institutions.given()
        yield institutions


def test_script_in_every_field_stays_text(nation):
    sent, shown = set(), 0
    for who in SENDERS:
        with entered(nation, who) as http:
            for path in pages_of(http)[0]:
                for wholly in (True, False):
                    # Forms are carried out once: each try takes them anew.
                    for action, fields in Forms(http.get(path).text).forms:
                        answer = http.post(action, data=filled(fields, wholly=wholly))
                        assert answer.status_code < 500, (action, answer.text)
                        assert RAW not in answer.text, action
                        shown += ESCAPED in answer.text
                        sent.add(re.sub(r"[0-9]+", "N", action))
    assert len(sent) > 25 and shown > 25, (sent, shown)
    for who in SENDERS:
        with entered(nation, who) as http:
            texts, _refused = pages_of(http)
            assert len(texts) > 5
            assert {path for path, text in texts.items() if RAW in text} == set()
