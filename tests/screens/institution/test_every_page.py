"""Every page that a person of each role can reach is drawn, over real daemons."""

import pytest

from support.screens.console_pages import SENDERS, entered, pages_of

pytestmark = pytest.mark.e2e

PAGES_MIN = 5


@pytest.mark.parametrize(
    "whose", [SENDERS[::2], pytest.param(SENDERS[1::2], marks=pytest.mark.nightly)], ids=" ".join
)
def test_every_page_is_drawn_for_everybody(institutions, whose):
    institutions.filed()
    institutions.verified()
    institutions.given()
    for who in whose:
        with entered(institutions, who) as http:
            drawn, refused = pages_of(http)
            assert len(drawn) >= PAGES_MIN, (who, drawn)
            assert {path: status for path, status in refused.items() if status >= 500} == {}
