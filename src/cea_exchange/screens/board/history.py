"""History: what the bulletins say, day by day, by method and year; and the bulletins themselves."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.domain.units import fen_of
from cea_exchange.screens.board.documents import BULLETIN_FORMS, Documents
from cea_exchange.screens.page import Page
from cea_exchange.screens.visit import Visit

DAYS_SHOWN = 60
DAYS_IN_CHART = 1_500
METHODS = {10: "listed", 20: "block", 21: "bidding"}
MEDIA = {
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}


def documents_of(visit: Visit) -> Documents:
    """Return what is public beside market data."""
    documents: Documents = visit.site.kept["documents"]
    return documents


async def history_show(visit: Visit) -> Response:
    """Show the days of the composite."""
    return _show(visit, "")


async def subject_show(visit: Visit) -> Response:
    """Show the days of a product."""
    return _show(visit, visit.part("code"))


def _show(visit: Visit, code: str) -> Response:
    documents = documents_of(visit)
    newest = documents.bulletins()[-1:]
    codes = [each["composite"]["subjCode"] for each in newest]
    codes += [product["subjCode"] for each in newest for product in each["products"]]
    if code and code not in codes:
        raise HTTPException(404)
    code = code or (codes[0] if codes else "")
    days = documents.days(code)
    return visit.show(
        "board/history.html",
        live=["status"],
        code=code,
        codes=codes,
        composite=codes[:1],
        days=list(reversed(days[-DAYS_SHOWN:])),
        years=list(_years(days)),
        fen=fen_of,
    )


def _years(days: list[tuple[date, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield each year's sums by method, newest first, as its last day has them."""
    last_of = {day.year: subject for day, subject in days}
    for year, subject in sorted(last_of.items(), reverse=True):
        of_year = [each for day, each in days if day.year == year]
        highs = [fen_of(each["highPric"]) for each in of_year]
        lows = [fen_of(each["lowPric"]) for each in of_year]
        methods = {METHODS[each["methodCode"]]: each for each in subject["methods"]}
        yield {
            "year": year,
            "days": len(of_year),
            "high": max(highs),
            "low": min((low for low in lows if low), default=0),
            "close": fen_of(subject["closPric"]),
            "methods": methods,
            "volume": subject["yearVolume"],
            "amount": subject["yearAmount"],
        }


async def days_show(visit: Visit) -> Response:
    """Answer with a subject's days, for its chart."""
    days = documents_of(visit).days(visit.part("code"))[-DAYS_IN_CHART:]
    at = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day, _ in days]
    closes = [fen_of(subject["closPric"]) for _, subject in days]
    volumes = [subject["tradeVolume"] for _, subject in days]
    return Response(json.dumps([at, closes, volumes]), media_type="application/json")


async def bulletins_show(visit: Visit) -> Response:
    """Show which bulletins there are."""
    documents = documents_of(visit)
    files = documents.bulletin_files()
    rows = [
        (
            bulletin["quotPoin"],
            bulletin["composite"],
            [form for form in BULLETIN_FORMS if f"{bulletin['quotPoin']}{form}" in files],
        )
        for bulletin in reversed(documents.bulletins())
    ]
    return visit.show("board/bulletins.html", live=["status"], rows=rows, fen=fen_of)


async def bulletin_file(visit: Visit) -> Response:
    """Answer with a bulletin's file."""
    name = visit.part("name")
    path = documents_of(visit).bulletin_files().get(name)
    if path is None:
        raise HTTPException(404)
    headers = {"content-disposition": f'attachment; filename="bulletin-{name}"'}
    return Response(path.read_bytes(), media_type=MEDIA[path.suffix], headers=headers)


PAGES = (
    Page(path="/history", name="history", section="market", show=history_show),
    Page(
        path="/history/{code}",
        name="history",
        section="market",
        show=subject_show,
        in_menu=False,
    ),
    Page(
        path="/history/{code}/days",
        name="history",
        section="market",
        show=days_show,
        in_menu=False,
    ),
    Page(path="/bulletins", name="bulletins", section="market", show=bulletins_show),
    Page(
        path="/bulletins/{name}",
        name="bulletins",
        section="market",
        show=bulletin_file,
        in_menu=False,
    ),
)
