"""Positions by vintage, and the statement of a day: shown, and as files."""

import io
import re
from collections.abc import Callable, Iterator, Sequence

from starlette.responses import Response

from cea_exchange.client import SessionError
from cea_exchange.domain.documents.statement import Statement
from cea_exchange.domain.documents.statement_forms import statement_json, statements_csv
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.serving.forms import Trouble
from cea_exchange.screens.site import Site
from cea_exchange.screens.trader.commands import session_of, trades
from cea_exchange.screens.trader.session import TradingSession
from cea_exchange.screens.visit import Visit

DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMS = {".xlsx": XLSX, ".csv": "text/csv; charset=utf-8", ".json": "application/json"}

Rows = Iterator[Sequence[str | int]]


def channels_add(site: Site, session: TradingSession) -> None:
    """Let the hub show what the account has."""

    def fragment(reading: Reading, _part: str) -> str:
        return render("trader/holdings.html", reading, session=session, feed=site.feed)

    site.hub.kinds["holdings"] = Kind("position", fragment)


async def positions_show(visit: Visit) -> Response:
    """Show what the account has, and the statement of a day."""
    date = visit.asked("date")
    statement, trouble = await _statement(visit, date)
    return visit.show(
        "trader/positions.html",
        live=["status", "session", "holdings"],
        session=session_of(visit),
        statement=statement,
        trouble=trouble,
        date=date,
    )


async def statement_file(visit: Visit) -> Response:
    """Answer with the statement of a day as a file."""
    form = f".{visit.part('form')}"
    statement, trouble = await _statement(visit, visit.asked("date"))
    if statement is None or form not in FORMS:
        trouble = trouble or Trouble(visit.text("refused.not_found"))
        return visit.show("refused.html", status=404, trouble=trouble)
    content = {
        ".xlsx": lambda: statement_xlsx(statement, visit.text),
        ".csv": lambda: b"\xef\xbb\xbf" + statements_csv([statement]).encode(),
        ".json": lambda: statement_json(statement),
    }[form]()
    name = f"statement-{statement.trading_date}{form}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=FORMS[form], headers=headers)


async def _statement(visit: Visit, date: str) -> tuple[Statement | None, Trouble | None]:
    """Return the statement of a day (the open one, or the last, without a date), or why not."""
    client = session_of(visit).client
    if client is None:
        return None, Trouble(visit.text("positions.away"))
    if date and DATE.fullmatch(date) is None:
        return None, Trouble(visit.text("form.not_day"))
    try:
        return await client.statement(date or None), None
    except ValueError:
        return None, Trouble(visit.text("form.not_day"))
    except SessionError as error:
        return None, visit.trouble(error.code, str(error))
    except TimeoutError:
        return None, Trouble(visit.text("positions.away"))


def statement_xlsx(statement: Statement, text: Callable[[str], str]) -> bytes:
    """Return a statement as a workbook: balances, movements, locks.

    Text stays text, whatever it begins with, and yuan are written as text with their two decimals:
    a spreadsheet's own numbers are binary fractions.
    """
    from openpyxl import Workbook

    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, columns, rows in _sheets(statement, text):
        sheet = workbook.create_sheet(text(f"positions.{name}"))
        titles = [text(f"col.{column}") for column in columns]
        for line, row in enumerate([titles, *rows], 1):
            for column, value in enumerate(row, 1):
                cell = sheet.cell(line, column, value)
                if isinstance(value, str):
                    # A name such as =A1 is no formula.
                    cell.data_type = "s"
        sheet.freeze_panes = "A2"
        for column in sheet.columns:
            sheet.column_dimensions[column[0].column_letter].width = 16
    output = io.BytesIO()
    workbook.save(output)
    return output.getvalue()


def _sheets(
    statement: Statement, text: Callable[[str], str]
) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    columns: tuple[str, ...] = ("product", "opening", "closing", "locked", "bought_today")
    yield "balances", columns, _balances(statement)
    columns = ("what", "product", "method", "side", "order", "trade", "price", "tonnes", "amount")
    yield "movements", (*columns, "fee"), _movements(statement, text)
    columns = ("method", "order", "product", "side", "price", "tonnes", "traded", "state")
    yield "locks", columns, _locks(statement, text)


def _balances(statement: Statement) -> Rows:
    opening, closing = statement.opening, statement.closing
    locked = cash_format(closing.cash_locked)
    yield "CNY", cash_format(opening.cash), cash_format(closing.cash), locked, ""
    for product in statement.products:
        had, has = opening.holding(product), closing.holding(product)
        yield product, had.tonnes, has.tonnes, has.locked, has.bought_today


def _movements(statement: Statement, text: Callable[[str], str]) -> Rows:
    for each in statement.movements:
        method = text(f"method.{each.method}") if each.method else ""
        side = text(f"side.{each.side}") if each.side else ""
        yield (
            *(text(f"movement.{each.kind}"), each.product or "CNY", method, side, each.id),
            *(each.trade_id or "", price_format(each.price) if each.price else "", each.tonnes),
            *(cash_format(each.amount), cash_format(each.fee)),
        )


def _locks(statement: Statement, text: Callable[[str], str]) -> Rows:
    for each in statement.locks:
        price = price_format(each.price) if each.price else ""
        method, side = text(f"method.{each.method}"), text(f"side.{each.side}")
        lock = (method, each.id, each.product, side)
        yield *lock, price, each.tonnes, each.traded, each.end


PAGES = (
    Page(
        path="/positions",
        name="positions",
        section="trader",
        show=positions_show,
        allowed=trades,
    ),
    Page(
        path="/positions/statement.{form}",
        name="positions",
        section="trader",
        show=statement_file,
        allowed=trades,
        in_menu=False,
    ),
)
