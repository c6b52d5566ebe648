"""What the market goes by: the calendar, the rules and their sources, notices, public lists."""

import calendar as months
import re
from datetime import date, datetime
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.screens.board.history import documents_of
from cea_exchange.screens.board.settings import setting_read
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import SHANGHAI
from cea_exchange.screens.texts.catalogue import rule_texts, texts
from cea_exchange.screens.visit import Visit

MONDAY_FIRST = months.Calendar(firstweekday=0)


class Day(NamedTuple):
    """A day in the calendar; `kind` is `open`, `closed` or `outside` of its month."""

    number: int
    kind: str
    reason: str


def _today(visit: Visit) -> date:
    """Return the open trading day, or else the day in Shanghai."""
    number = visit.site.feed.trading_date
    if number:
        return date(number // 10_000, number // 100 % 100, number % 100)
    return datetime.now(SHANGHAI).date()


async def calendar_show(visit: Visit) -> Response:
    """Show a year's trading days, and the day's phases."""
    profile = documents_of(visit).profile
    trading = TradingCalendar.load(profile.calendar)
    today = _today(visit)
    summary = trading.days()
    first, last = summary[0].year, summary[-1].year
    asked = visit.asked("year")
    year = int(asked) if asked.isdigit() and first <= int(asked) <= last else today.year
    year = min(max(year, first), last)
    return visit.show(
        "board/calendar.html",
        live=["status"],
        year=year,
        years=range(first, last + 1),
        months=[(month, _weeks(trading, year, month)) for month in range(1, 13)],
        open_count=sum(day.year == year for day in summary),
        today=today,
        sessions=[(at, phase.name.lower()) for at, phase in profile.sessions],
        closures=[
            (day, _closure(visit, why)) for day, why in trading.closures() if day.year == year
        ],
    )


def _closure(visit: Visit, why: str) -> str:
    """Return why a day is closed; as the calendar has it, where the reader's language has not."""
    slug = "_".join(re.findall(r"[a-z]+", why.lower().replace("'", "")))
    return texts(visit.language).get(f"closure.{slug}", why)


def _weeks(trading: TradingCalendar, year: int, month: int) -> list[list[Day]]:
    weeks = []
    for week in MONDAY_FIRST.monthdatescalendar(year, month):
        weeks.append(
            [
                Day(day.day, "outside", "")
                if day.month != month
                else Day(day.day, "open" if _is_open(trading, day) else "closed", "")
                for day in week
            ]
        )
    return weeks


def _is_open(trading: TradingCalendar, day: date) -> bool:
    try:
        return trading.is_trading_day(day)
    except ValueError:
        return False  # beyond what the calendar knows


async def rules_show(visit: Visit) -> Response:
    """Show the values in force, and under which headings there are rules."""
    documents = documents_of(visit)
    groups = documents.rules()
    places = {rule.rule_id: at for at, group in enumerate(groups) for rule in group.rules}
    return visit.show(
        "board/rules.html",
        live=["status"],
        groups=groups,
        said=rule_texts(visit.language),
        places=places,
        settings=[
            setting_read(visit, each) for each in documents.profile.settings_on(_today(visit))
        ],
    )


async def rule_group_show(visit: Visit) -> Response:
    """Show the rules under one heading, each with its source; of a rule's id, where it stands."""
    groups, number = documents_of(visit).rules(), visit.part("number")
    for at, group in enumerate(groups):
        if number in {rule.rule_id for rule in group.rules}:
            return visit.see(f"/rules/{at}#{number}")
    if not number.isdigit() or int(number) >= len(groups):
        raise HTTPException(404)
    return visit.show(
        "board/rule_group.html",
        live=["status"],
        group=groups[int(number)],
        said=rule_texts(visit.language),
    )


async def notices_show(visit: Visit) -> Response:
    """Show what was made known: of the day, of rules, of biddings to come, of the registry."""
    documents = documents_of(visit)
    return visit.show(
        "board/notice_page.html",
        live=["status", "notices"],
        rule_notices=list(reversed(documents.profile.notices)),
        coming=visit.site.feed.market.get("bidding_notices", []),
        registry=documents.notices(),
    )


async def lists_show(visit: Visit) -> Response:
    """Show which lists the authorities have published."""
    return visit.show("board/lists.html", live=["status"], lists=documents_of(visit).lists())


async def list_show(visit: Visit) -> Response:
    """Show a list, or answer with its file."""
    documents, name = documents_of(visit), visit.part("name")
    path = documents.list_file(name)
    if path is None:
        raise HTTPException(404)
    if visit.asked("file"):
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(path.read_bytes(), media_type="text/csv; charset=utf-8", headers=headers)
    columns, rows = documents.list_rows(path)
    public = next(each for each in documents.lists() if each.name == name)
    return visit.show(
        "board/list.html", live=["status"], public=public, columns=columns, rows=rows
    )


PAGES = (
    Page(path="/calendar", name="calendar", section="market", show=calendar_show),
    Page(path="/notices", name="notices", section="market", show=notices_show),
    Page(path="/lists", name="lists", section="market", show=lists_show),
    Page(
        path="/lists/{name}",
        name="lists",
        section="market",
        show=list_show,
        in_menu=False,
    ),
    Page(path="/rules", name="rules", section="market", show=rules_show),
    Page(
        path="/rules/{number}",
        name="rules",
        section="market",
        show=rule_group_show,
        in_menu=False,
    ),
)
