"""Writes an activity statement for a person, as JSON and as CSV. Money is text in yuan."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.documents.statement import (
    BUST,
    DEPOSIT,
    TRADE,
    WITHDRAWAL,
    Holding,
    Lock,
    Movement,
    Position,
    Statement,
)
from cea_exchange.domain.enums import Method
from cea_exchange.domain.naming import csv_name
from cea_exchange.domain.units import cash_format, price_format

_COLUMNS = (
    "trading_date", "account", "line", "product", "method", "side", "id", "trade_id", "price",
    "tonnes", "amount", "fee", "cash_change", "tonnes_change", "cash", "cash_locked", "holding",
    "locked", "bought_today", "traded", "end",
)  # fmt: skip
_NAMES = ("product", "id")
_METHODS = tuple(method.name.lower() for method in Method)


def statement_json(statement: Statement) -> bytes:
    """Return a statement as one JSON object on a line."""
    return msgspec.json.encode(statement_map(statement)) + b"\n"


def statement_map(statement: Statement) -> dict[str, Any]:
    """Return a statement as its JSON object decodes."""
    return {
        "account": statement.account,
        "trading_date": _date_text(statement),
        "is_final": statement.is_final,
        "cash": {
            "opening": _cash_map(statement.opening),
            **{name: cash_format(fen) for name, fen in _cash_sums(statement).items()},
            "closing": _cash_map(statement.closing),
        },
        "holdings": {
            product: {
                "opening": _holding_map(statement.opening.holding(product)),
                **_tonnes_sums(statement, product),
                "closing": _holding_map(statement.closing.holding(product)),
            }
            for product in statement.products
        },
        "traded": {method: _traded_map(statement, method) for method in _METHODS},
        "movements": [_movement_map(each) for each in statement.movements],
        "locks": [_lock_map(each) for each in statement.locks],
    }


def _cash_sums(statement: Statement) -> dict[str, int]:
    """Return what came into and went out of cash, by what it was; they add up to the change."""
    return {
        "deposits": statement.sum_of("cash_change", kind=DEPOSIT),
        "withdrawals": statement.sum_of("cash_change", kind=WITHDRAWAL),
        "sales": statement.sum_of("amount", kind=TRADE, side="sell"),
        "purchases": -statement.sum_of("amount", kind=TRADE, side="buy"),
        "fees": -statement.sum_of("fee", kind=TRADE),
        "busts": statement.sum_of("cash_change", kind=BUST),
    }


def _tonnes_sums(statement: Statement, product: str) -> dict[str, int]:
    """Return the same of a product's tonnes."""

    def moved(**wanted: str) -> int:
        return statement.sum_of("tonnes_change", product=product, **wanted)

    return {
        "deposits": moved(kind=DEPOSIT),
        "withdrawals": moved(kind=WITHDRAWAL),
        "purchases": moved(kind=TRADE, side="buy"),
        "sales": moved(kind=TRADE, side="sell"),
        "busts": moved(kind=BUST),
    }


def _traded_map(statement: Statement, method: str) -> dict[str, Any]:
    of_method = [e for e in statement.movements if e.kind == TRADE and e.method == method]
    return {
        "tonnes": sum(each.tonnes for each in of_method),
        "amount": cash_format(sum(each.amount for each in of_method)),
        "fees": cash_format(sum(each.fee for each in of_method)),
    }


def _cash_map(position: Position) -> dict[str, str]:
    figures = {
        "cash": position.cash,
        "locked": position.cash_locked,
        "available": position.cash_available,
    }
    return {name: cash_format(fen) for name, fen in figures.items()}


def _holding_map(holding: Holding) -> dict[str, int]:
    return {**msgspec.structs.asdict(holding), "available": holding.available}


def _movement_map(movement: Movement) -> dict[str, Any]:
    shown = msgspec.structs.asdict(movement)
    for name in ("amount", "fee", "cash_change"):
        shown[name] = cash_format(shown[name])
    shown["price"] = price_format(movement.price) if movement.price else None
    return shown


def _lock_map(lock: Lock) -> dict[str, Any]:
    price = price_format(lock.price) if lock.price else None
    return {**msgspec.structs.asdict(lock), "price": price}


# -- CSV ------------------------------------------------------------------------------------------


def statements_csv(statements: Sequence[Statement]) -> str:
    """Return statements as CSV: a row for each balance, movement and lock; see `line`."""
    output = io.StringIO()
    writer = csv.DictWriter(output, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for statement in statements:
        named = {"trading_date": _date_text(statement), "account": csv_name(statement.account)}
        for row in _rows(statement):
            texts = {name: csv_name(row[name]) for name in _NAMES if row.get(name)}
            writer.writerow({**named, **row, **texts})
    return output.getvalue()


def _rows(statement: Statement) -> Iterator[dict[str, Any]]:
    yield from _balance_rows(statement, "opening", statement.opening)
    for movement in statement.movements:
        row = _movement_map(movement)
        del row["seq"]
        yield {"line": row.pop("kind"), **_without_none(row)}
    for lock in statement.locks:
        yield {"line": "lock", **_without_none(_lock_map(lock))}
    yield from _balance_rows(statement, "closing", statement.closing)


def _without_none(row: dict[str, Any]) -> dict[str, Any]:
    return {name: "" if value is None else value for name, value in row.items()}


def _balance_rows(
    statement: Statement, line: str, position: Position
) -> Iterator[dict[str, Any]]:
    cash = {"cash": cash_format(position.cash), "cash_locked": cash_format(position.cash_locked)}
    yield {"line": line, **cash}
    for product in statement.products:
        held = position.holding(product)
        yield {
            "line": line,
            "product": product,
            "holding": held.tonnes,
            "locked": held.locked,
            "bought_today": held.bought_today,
        }


# -- Text -----------------------------------------------------------------------------------------


def statement_text(
    statement: Statement,
    said: Callable[[str], str] = str,
    width: Callable[[str], int] = len,
) -> str:
    """Return a statement for a person to read.

    Parameters
    ----------
    said
        Returns a text in the reader's language.
    width
        Returns how wide a text is where it is read.
    """

    def table(rows: Iterable[Sequence[str]]) -> list[str]:
        return _table(list(rows), width)

    def headed(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
        return table([list(map(said, heads)), *rows])

    sums = _cash_sums(statement)
    ends = ("opening", "closing") if statement.is_final else ("opening", "so far")
    cash = [
        [said(ends[0]), _yuan(statement.opening.cash)],
        *([said(name), _yuan(fen)] for name, fen in sums.items() if fen),
        [said(ends[1]), _yuan(statement.closing.cash)],
        [f"  {said('locked')}", _yuan(statement.closing.cash_locked)],
        [f"  {said('available')}", _yuan(statement.closing.cash_available)],
    ]
    head = said("Activity statement 结算单  {date}  account {account}")
    lines = [
        head.format(date=_date_text(statement), account=statement.account),
        "",
        said("Cash 资金 (yuan)"),
        *table(cash),
        "",
        said("Holdings 持仓 (t)"),
        *headed(_HOLDING_HEADS, (_holding_row(statement, p) for p in statement.products)),
    ]
    if statement.movements:
        rows = [_movement_row(each, said) for each in statement.movements]
        lines += ["", said("Trades and transfers 成交与划转"), *headed(_MOVEMENT_HEADS, rows)]
    if statement.locks:
        rows = [_lock_row(each, said) for each in statement.locks]
        lines += ["", said("Locked 冻结"), *headed(_LOCK_HEADS, rows)]
    return "\n".join(lines) + "\n"


_HOLDING_HEADS = ["product", "opening", "bought", "sold", "in", "out", "busts", "closing",
                  "locked", "bought today", "available"]  # fmt: skip
_MOVEMENT_HEADS = ["what", "product", "method", "side", "id", "yuan/t", "t", "amount", "fee",
                   "cash"]  # fmt: skip
_LOCK_HEADS = ["method", "id", "product", "side", "yuan/t", "t", "traded", "end"]


def _holding_row(statement: Statement, product: str) -> list[str]:
    sums, closing = _tonnes_sums(statement, product), statement.closing.holding(product)
    moved = ("purchases", "sales", "deposits", "withdrawals", "busts")
    tonnes = [statement.opening.holding(product).tonnes, *(sums[name] for name in moved)]
    tonnes += [closing.tonnes, closing.locked, closing.bought_today, closing.available]
    return [product, *(f"{each:,}" for each in tonnes)]


def _movement_row(movement: Movement, said: Callable[[str], str]) -> list[str]:
    price = price_format(movement.price) if movement.price else ""
    return [
        said(movement.kind.replace("_", " ")),
        movement.product or said("cash"),
        said(movement.method) if movement.method else "",
        said(movement.side) if movement.side else "",
        movement.id,
        price,
        f"{movement.tonnes:,}" if movement.product else "",
        _yuan(movement.amount) if movement.amount else "",
        _yuan(movement.fee) if movement.fee else "",
        _yuan(movement.cash_change) if movement.cash_change else "",
    ]


def _lock_row(lock: Lock, said: Callable[[str], str]) -> list[str]:
    price = price_format(lock.price) if lock.price else ""
    numbers = [price, f"{lock.tonnes:,}", f"{lock.traded:,}"]
    return [
        said(lock.method), lock.id, lock.product, said(lock.side), *numbers, said(lock.end)
    ]  # fmt: skip


def _table(rows: Sequence[Sequence[str]], width: Callable[[str], int]) -> list[str]:
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [
            " " * (widest - width(cell)) + cell
            for cell, widest in zip(rest, widths[1:], strict=True)
        ]
        filled = first + " " * (widths[0] - width(first))
        lines.append("  " + "  ".join([filled, *cells]).rstrip())
    return lines


def _yuan(fen: int) -> str:
    yuan, cents = divmod(abs(fen), 100)
    return f"{'-' * (fen < 0)}{yuan:,}.{cents:02d}"


def _date_text(statement: Statement) -> str:
    return date_of_number(statement.trading_date).isoformat()
