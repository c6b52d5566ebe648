"""How a command asks a running venue something, and what a person is told of the answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cea_exchange.cli.acts.commands import Ask, Asker
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.output import Answer, refused, rows_table, table
from cea_exchange.cli.readable import date_shown, shown, tonnes, yuan

PRICES = ("reference_price", "band_low", "band_high", "open", "high", "low", "last")
METHODS = (("listed", ""), ("block", "block_"), ("bidding", "bidding_"))


def answer(data: Path, key: Path, request: dict[str, Any], json: bool = False) -> Answer:
    """Return a running venue's answer.

    Parameters
    ----------
    json
        Whether a refusal is printed as JSON too.

    Raises
    ------
    CommandError
        There is none, or it is a refusal.
    """
    from cea_exchange.venue.operations.admin_client import ActRefused, AdminError, admin_ask

    try:
        return admin_ask(data, request, key=key)
    except ActRefused as error:
        raise refused(str(error), error.answer, json) from error
    except AdminError as error:
        raise CommandError(str(error)) from error


def done(told: Answer) -> str:
    """Return in a line what came of an act, and where the venue stands."""
    if "proposal" in told:
        number = told["proposal"]
        return (
            f"proposal {number}, {told['what']}, waits for a second operator:"
            f" venue proposal approve {number}"
        )
    return f"{_done(told)}; {_standing(told)}"


def _done(told: Answer) -> str:
    parts = [f"{told['op'].replace('_', '-')} done"]
    parts += [str(told[name]) for name in ("what", "outcome") if name in told]
    if "ended" in told:
        parts.append(f"{told['ended']} sessions ended")
    return ", ".join(parts)


def _standing(told: Answer) -> str:
    day = date_shown(told["trading_date"])
    state = "open" if told["day_is_open"] else "closed"
    place = "no day yet" if day == "-" else f"{day} {state}, phase {told['phase']}"
    halted = ["the market"] if told["halted"] else []
    halted += told["halted_products"]
    parts = [place, *([f"halted: {', '.join(halted)}"] if halted else [])]
    if told["changes_pending"]:
        parts.append(f"{told['changes_pending']} changes of the clock wait")
    return ", ".join(parts)


# -- what looks show ------------------------------------------------------------------------------


def statistics_shown(told: Answer) -> str:
    """Return the day's prices and totals as two tables: yuan a tonne, and by method."""
    products = told["products"]
    if not products:
        return f"{date_shown(told['trading_date'])}: no products"
    prices = [
        (name, _state(one), *(_price(one[price]) for price in PRICES))
        for name, one in products.items()
    ]
    totals = [
        (name, method, tonnes(one[f"{prefix}volume"]), yuan(int(one[f"{prefix}amount"])))
        for name, one in products.items()
        for method, prefix in METHODS
    ]
    heads = ("product", "state", *(price.replace("_", " ") for price in PRICES))
    return "\n".join(
        (
            f"{date_shown(told['trading_date'])}, prices in yuan per tonne",
            table(heads, prices),
            "",
            table(("product", "method", "volume", "amount"), totals),
        )
    )


def _state(product: Answer) -> str:
    if not product["listed"]:
        return "delisted"
    return "halted" if product["halted"] else "listed"


def _price(fen: int) -> str:
    return yuan(fen).removesuffix(" yuan") if fen else "-"


def position_shown(told: Answer) -> str:
    """Return an account's cash and holdings at the venue."""
    group = f", group {told['group']}" if told["group"] else ""
    state = "suspended" if told["suspended"] else "may trade"
    cash = [(name, yuan(told[name])) for name in ("cash", "cash_locked", "proceeds_today")]
    holdings = [
        (product, *(tonnes(held[name]) for name in ("tonnes", "locked", "bought_today")))
        for product, held in told["holdings"].items()
    ]
    gaps = [
        (product, str(gap["sale_days"]), str(gap["purchase_days"]))
        for product, gap in told.get("gaps", {}).items()
    ]
    waits = [table(("product", "sells in (days)", "buys in (days)"), gaps), ""] if gaps else []
    orders = ", ".join(map(str, told["orders"])) or "none"
    return "\n".join(
        (
            f"{told['account']}{group}, {state}, {told['report_seq']} reports",
            table(("cash", ""), [(name.replace("_", " "), value) for name, value in cash]),
            "",
            table(("product", "held", "locked", "bought today"), holdings),
            "",
            *waits,
            f"live orders: {orders}",
        )
    )


def blocks_shown(told: Answer) -> str:
    """Return the open block offers and enquiries."""
    text = rows_table(told["blocks"])
    left = told["open"] - len(told["blocks"])
    return f"{text}\n{told['open']} are open" if left > 0 else text


def _rows(name: str, none: str = "none") -> Callable[[Answer], str]:
    """Return how a list of an answer is shown: as a table."""
    return lambda told: rows_table(told[name], none=none)


def fields_shown(told: Answer) -> str:
    """Return an answer's fields, one a line."""
    return "\n".join(
        f"{name:16} {shown(name, value, told)}" for name, value in told.items() if name != "op"
    )


# -- an account's statement -----------------------------------------------------------------------


def statement_asked(ask: Ask, place: Answer) -> Answer:
    """Return the statement that begins with `place`, with the reports that it is made of."""
    from cea_exchange.protocol.statements import pages, statement_of_answers

    histories = [
        ask({"op": "history", "account": place["account"], "from": first, "count": count})
        for first, count in pages(place)
    ]
    try:
        return {"statement": statement_of_answers(place, histories)}
    except ValueError as error:
        raise CheckFailed(str(error)) from error


def _statement_text(told: Answer) -> str:
    from cea_exchange.domain.documents.statement_forms import statement_text

    return statement_text(told["statement"]).rstrip("\n")


def _statement_json(told: Answer) -> bytes:
    from cea_exchange.domain.documents.statement_forms import statement_json

    return statement_json(told["statement"])


def _statement_csv(told: Answer) -> bytes:
    from cea_exchange.domain.documents.statement_forms import statements_csv

    return statements_csv([told["statement"]]).encode()


VENUE = Asker(
    "venue",
    lambda *asked: answer(*asked),  # noqa: PLW0108 - looked up when asked
    done,
    {
        "statistics": statistics_shown,
        "position": position_shown,
        "blocks": blocks_shown,
        "sessions": _rows("sessions", "nobody is logged on"),
        "proposals": _rows("proposals", "nothing waits"),
        "biddings": _rows("biddings"),
        "bidding_applications": _rows("applications"),
        "statement": _statement_text,
    },
    {"statement": statement_asked},
    {
        "statement": {
            "text": lambda told: f"{_statement_text(told)}\n".encode(),
            "json": _statement_json,
            "csv": _statement_csv,
        }
    },
)
