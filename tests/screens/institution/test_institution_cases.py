"""What an official does to a case at the console: a step that decides waits for a second one."""

import pytest

from support.registry.fake_venue import wait_until
from support.screens.console_pages import Forms, entered
from support.screens.institutions import ZHEJIANG

pytestmark = pytest.mark.e2e


def sent(http, case, name, **values):
    """Fill a form of the case's page, send it, and return the page that comes."""
    action = f"/cases/{case}/{name}"

    def forms():
        return dict(Forms(http.get(f"/cases/{case}").text).forms)

    # A page has it once the platform has said what the person may do.
    wait_until(lambda: action in forms())
    fields = forms()[action]
    answer = http.post(action, data={each: value for each, (_, value) in fields.items()} | values)
    assert answer.status_code == 200, answer.text
    return answer


def test_a_case_is_dropped_at_the_console_by_two(institutions):
    """CEA-REG-02: a step that is a paper is taken at once."""
    case = institutions.ask(
        *("platform", "sun", "case_open"),
        province=ZHEJIANG,
        offence="no_report",
        committed_on=20250331,
        document="case 1",
        enterprise="E2",
        year=2024,
    )["case"]

    def state():
        return institutions.ask("platform", "sun", "case_show", case=case)["state"]

    with entered(institutions, "sun") as http:
        sent(http, case, "step", step="notice", document="notice 1")
        assert state() == "noticed"
        sent(http, case, "step", step="drop", document="note 1", words="it is not proved")
        assert state() == "noticed"
    (waits,) = institutions.ask("platform", "qian", "proposals")["proposals"]
    institutions.ask("platform", "qian", "approve", proposal=waits["proposal_id"])
    assert state() == "dropped"
