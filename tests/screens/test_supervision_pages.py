"""Pages of supervision over a venue's record at rest: no daemon runs, and none is needed."""

import re

import pytest
from starlette.testclient import TestClient

from cea_exchange.protocol.security import CurveKeys
from cea_exchange.screens.access import Rights, Seat
from cea_exchange.screens.application import application
from cea_exchange.screens.console import console_site
from cea_exchange.screens.page import Page
from cea_exchange.supervision.looks import looks_last
from support.journal.record_days import DAYS, two_days

HTMX = {"hx-request": "true"}


@pytest.fixture
def record(tmp_path):
    two_days(tmp_path)
    (tmp_path / "venue").mkdir()
    (tmp_path / "venue" / "endpoints.json").write_text("{}")
    return tmp_path


def console(folder, *seats):
    CurveKeys.new().save(folder / "keys", "rex")
    site = console_site([folder], folder / "keys" / "rex")
    site.unknown, site.rights = set(), Rights(seats=seats)
    return TestClient(application(site), base_url="http://127.0.0.1")


@pytest.fixture
def rex(record):
    return console(record, ("venue", Seat("rex", "regulator")))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_all_its_pages_are_there_for_a_regulator(rex, language):
    for path in ("alerts", "holders", "replay", f"replay/{DAYS[0]}", "looks"):
        answer = rex.get(f"/supervision/{path}?lang={language}")
        assert answer.status_code == 200, path


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ("挂牌协议交易", "挂牌涨跌幅", "10%", "100,000 吨", "四舍五入", "时段 13:00")),
        ("en", ("Listed agreement trading", "Listed price band", "10%", "100,000 t", "Half up")),
    ],
)
def test_rules_and_values_are_said_as_the_reader_reads(rex, language, words):
    shown = rex.get(f"/rules?lang={language}").text
    assert not [each for each in words if each not in shown]
    group = rex.get("/rules/2").text
    assert ("每笔" in group or "委托" in group) == (language == "zh")


def test_a_rule_that_a_page_names_leads_to_where_it_stands(rex):
    found = rex.get("/rules/CEA-SVL-12?lang=en", follow_redirects=False)
    assert found.status_code == 303
    page, _, place = found.headers["location"].partition("#")
    assert place == "CEA-SVL-12" and f'<tr id="{place}"' in rex.get(page).text
    assert rex.get("/rules/NO-SUCH-RULE").status_code == 404


def test_nobody_else_has_them(record):
    other = console(record, ("registry", Seat("an", "operator", "registry")))
    for path in ("alerts", "holders", "replay", f"replay/{DAYS[0]}", "looks"):
        assert other.get(f"/supervision/{path}").status_code == 404


def place(answer):
    """Which event of how many a page of a day shows."""
    return tuple(map(int, re.search(r"Event ([\d,]+) of ([\d,]+)", answer.text).groups()))


def test_a_day_is_stepped_by_parts_of_the_page(rex):
    address = f"/supervision/replay/{DAYS[0]}?lang=en"
    whole = rex.get(f"{address}&at=20")
    assert place(whole)[0] == 20 and "<html" in whole.text
    part = rex.get(f"{address}&at=20&jump=trade", headers=HTMX)
    assert "<html" not in part.text and place(part)[0] > 20
    assert "<strong>Trade</strong>" in part.text
    back = rex.get(f"{address}&at={place(part)[0]}&jump=trade&way=back", headers=HTMX)
    assert place(back)[0] < place(part)[0]
    count = place(whole)[1]
    assert place(rex.get(f"{address}&at=99999"))[0] == count


def test_a_day_is_looked_at_under_a_name(rex, record):
    """Rules: CEA-OPR-04."""
    rex.get(f"/supervision/replay/{DAYS[0]}")
    rex.get(f"/supervision/replay/{DAYS[0]}?at=5", headers=HTMX)
    (look,) = looks_last(record, 10)
    assert (look.by, look.role, look.what, look.fields) == (
        "rex",
        "regulator",
        "replay",
        {"date": str(DAYS[0])},
    )


@pytest.mark.parametrize("date", ["20250102", "20990101", "x", "2024123", "..%2f"])
def test_a_day_that_is_open_or_none_is_not_shown(rex, date):
    assert rex.get(f"/supervision/replay/{date}").status_code == 404


@pytest.mark.parametrize(
    "query", ["at=-1", "at=x", "at=" + "9" * 40, "account=%3Cscript%3E", "jump=nothing&at=3"]
)
def test_whatever_is_asked_for_in_a_day_is_answered_with_a_place_in_it(rex, query):
    answer = rex.get(f"/supervision/replay/{DAYS[0]}?{query}")
    assert answer.status_code == 200 and "<script>" not in answer.text


def test_a_record_that_is_damaged_is_said_to_be_and_not_shown(rex, record):
    segment = next((record / "journal").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[2_000] ^= 1
    segment.write_bytes(bytes(content))
    answer = rex.get(f"/supervision/replay/{DAYS[0]}?lang=en")
    assert answer.status_code == 503 and "is damaged" in answer.text


def test_a_record_that_is_elsewhere_is_said_to_be(tmp_path):
    away = console(tmp_path, ("venue", Seat("rex", "regulator")))
    answer = away.get("/supervision/alerts?lang=en")
    assert answer.status_code == 503 and "not on this machine" in answer.text


def test_the_control_room_says_what_does_not_answer(tmp_path):
    seats = [(name, Seat("an", "operator", "registry")) for name in ("venue", "registry")]
    away = console(tmp_path, *seats)
    for path in ("", "/market", "/approvals", "/records"):
        answer = away.get(f"/control{path}?lang=en")
        assert answer.status_code == 200, path
    for path in ("/sessions", "/settlement"):
        answer = away.get(f"/control{path}?lang=en")
        assert answer.status_code == 503, path
        # Nothing that could be taken for what it would have answered; and it is asked again.
        assert "<td" not in answer.text and 'data-again="3"' in answer.text


def test_a_page_that_breaks_says_so_and_the_others_go_on(record):
    async def breaks(_visit):
        raise TypeError("a figure that is not there")

    CurveKeys.new().save(record / "keys", "rex")
    site = console_site([record], record / "keys" / "rex")
    site.unknown, site.rights = set(), Rights(seats=(("venue", Seat("rex", "regulator")),))
    page = Page(path="/broken", name="refused", section="", show=breaks, in_menu=False)
    site.pages = (page, *site.pages)
    reader = TestClient(application(site), base_url="http://127.0.0.1")
    broken = reader.get("/broken?lang=en")
    assert broken.status_code == 500
    assert "This page is broken" in broken.text and "a figure" not in broken.text
    assert reader.get("/supervision/looks").status_code == 200
    assert reader.get("/nothing").status_code == 404
