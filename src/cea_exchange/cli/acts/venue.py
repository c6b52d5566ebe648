"""Asks a running venue for a command, and puts its answers in words for a person."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cea_exchange.cli.acts.approving import hash_of_read
from cea_exchange.cli.acts.commands import Ask, Asker
from cea_exchange.cli.errors import CommandError, bad_input, check_failed
from cea_exchange.cli.language import said, word
from cea_exchange.cli.output import Answer, refused, rows_table, table
from cea_exchange.cli.readable import date_shown, tonnes, yuan

PRICES = ("reference_price", "band_low", "band_high", "open", "high", "low", "last")
METHODS = (("listed", ""), ("block", "block_"), ("bidding", "bidding_"))
WAITS = (
    "proposal {number}, {what}, waits for a second operator:"
    " venue proposal approve {number} --hash {hash}"
)
CASH_RECORDS = ("by_reference", "booked", "by_events", "cash")


def answer(data: Path, key: Path, request: dict[str, Any], json: bool = False) -> Answer:
    """Return a running venue's answer.

    Raises CommandError: there is none, or it is a refusal.

    Parameters
    ----------
    json
        Whether a refusal is printed as JSON too.
    """
    from cea_exchange.venue.operations.admin_client import ActRefused, AdminError, admin_ask

    try:
        return admin_ask(data, request, key=key)
    except ActRefused as error:
        raise refused(error, json) from error
    except AdminError as error:
        raise CommandError(str(error)) from error


def done(answer: Answer) -> str:
    """Return in a line what came of an act, and where the venue stands."""
    if "proposal" in answer:
        number, digits = answer["proposal"], answer["request_hash"]
        return said(WAITS).format(number=number, what=answer["what"], hash=digits)
    return f"{_done(answer)}; {_standing(answer)}"


def _done(answer: Answer) -> str:
    parts = [said("{op} done").format(op=answer["op"].replace("_", "-"))]
    parts += [str(answer[name]) for name in ("what", "outcome") if name in answer]
    if "ended" in answer:
        parts.append(said("{count} sessions ended").format(count=answer["ended"]))
    return ", ".join(parts)


def _standing(answer: Answer) -> str:
    day = date_shown(answer["trading_date"])
    state = "{day} open, phase {phase}" if answer["day_is_open"] else "{day} closed, phase {phase}"
    parts = [said("no day yet" if day == "-" else state).format(day=day, phase=answer["phase"])]
    halted = [said("the market")] if answer["halted"] else []
    if halted := [*halted, *answer["halted_products"]]:
        parts.append(f"{word('halted')}: {', '.join(halted)}")
    if waiting := answer["changes_pending"]:
        parts.append(said("{count} changes of the clock wait").format(count=waiting))
    return ", ".join(parts)


# -- what looks show ------------------------------------------------------------------------------


def statistics_shown(answer: Answer) -> str:
    """Return the day's prices and totals as two tables: yuan a tonne, and by method."""
    products = answer["products"]
    if not products:
        return f"{date_shown(answer['trading_date'])}: no products"
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
            f"{date_shown(answer['trading_date'])}, prices in yuan per tonne",
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


def cash_shown(answer: Answer) -> str:
    """Return the exchange's cash book: totals, and the accounts whose cash does not come out."""
    totals = [(name, yuan(int(answer[name]))) for name in ("booked", "held", "fees")]
    heads = ("account", "by reference", "booked", "by events", "has")
    rows = [
        (one["account"], *(yuan(int(one[name])) for name in CASH_RECORDS))
        for one in answer["differences"]
    ]
    outcome = table(heads, rows) if rows else "It comes out, account by account."
    lines = [f"{answer['payments']} payments", table(("cash", ""), totals), ""]
    lines += [
        f"corrected by two persons: {account}, {yuan(int(fen))}"
        for account, fen in answer["corrections"].items()
    ]
    return "\n".join((*lines, outcome))


def position_shown(answer: Answer) -> str:
    """Return an account's cash and holdings at the venue."""
    group = f", group {answer['group']}" if answer["group"] else ""
    state = "suspended" if answer["suspended"] else "may trade"
    if answer["restricted"]:
        state += ", restricted by a measure"
    if not answer["may_trade"]:
        state = f"may not trade, its holder is: {answer['holder'].replace('_', ' ')}"
    cash = [(name, yuan(answer[name])) for name in ("cash", "cash_locked", "proceeds_today")]
    holdings = [
        (product, *(tonnes(held[name]) for name in ("tonnes", "locked", "bought_today")))
        for product, held in answer["holdings"].items()
    ]
    gaps = [
        (product, str(gap["sale_days"]), str(gap["purchase_days"]))
        for product, gap in answer.get("gaps", {}).items()
    ]
    waits = [table(("product", "sells in (days)", "buys in (days)"), gaps), ""] if gaps else []
    orders = ", ".join(map(str, answer["orders"])) or "none"
    return "\n".join(
        (
            f"{answer['account']}{group}, {state}, {answer['report_seq']} reports",
            table(("cash", ""), [(name.replace("_", " "), value) for name, value in cash]),
            "",
            table(("product", "held", "locked", "bought today"), holdings),
            "",
            *waits,
            f"live orders: {orders}",
        )
    )


def blocks_shown(answer: Answer) -> str:
    """Return the open block offers and enquiries."""
    text = rows_table(answer["blocks"])
    left = answer["open"] - len(answer["blocks"])
    return f"{text}\n{answer['open']} are open" if left > 0 else text


def adjustments_shown(answer: Answer) -> str:
    """Return by which accounts the market is adjusted, and what was done."""
    accounts = ", ".join(answer["accounts"]) or "no account"
    done = rows_table(answer["adjustments"], none="nothing was done")
    return f"by {accounts}\n{done}"


def _rows(name: str, none: str = "none") -> Callable[[Answer], str]:
    """Return how a list of an answer is shown: as a table."""
    return lambda answer: rows_table(answer[name], none=none)


_proposals = _rows("proposals", "nothing waits")


# -- an account's statement -----------------------------------------------------------------------


def statement_asked(ask: Ask, place: Answer) -> Answer:
    """Return the statement that begins with `place`, with the reports that it is made of."""
    from cea_exchange.protocol.statements import pages, statement_of_answers

    histories = [
        ask({"op": "history", "account": place["account"], "from": first, "count": count})
        for first, count in pages(place)
    ]
    with check_failed(ValueError):
        return {"statement": statement_of_answers(place, histories)}


def _statement_text(answer: Answer) -> str:
    from rich.cells import cell_len

    from cea_exchange.domain.documents.statement_forms import statement_text

    return statement_text(answer["statement"], said, cell_len).rstrip("\n")


def _statement_json(answer: Answer) -> bytes:
    from cea_exchange.domain.documents.statement_forms import statement_json

    return statement_json(answer["statement"])


def _statement_csv(answer: Answer) -> bytes:
    from cea_exchange.domain.documents.statement_forms import statements_csv

    return statements_csv([answer["statement"]]).encode()


def _statement_workbook(answer: Answer) -> bytes:
    from cea_exchange.domain.documents.statement_forms import statements_csv
    from cea_exchange.files.spreadsheet import workbook

    with bad_input(ModuleNotFoundError):
        return workbook(statements_csv([answer["statement"]]), "statement")


# -- a case ---------------------------------------------------------------------------------------


def _case_text(answer: Answer) -> str:
    from cea_exchange.domain.documents.case_forms import case_text

    return case_text(answer["case"])


def _case_html(answer: Answer) -> bytes:
    from cea_exchange.domain.documents.case_forms import case_html

    return case_html(answer["case"]).encode()


def _case_json(answer: Answer) -> bytes:
    from cea_exchange.domain.documents.case_forms import case_json

    return case_json(answer["case"])


def _case_place(answer: Answer) -> str:
    if "proposal" in answer:
        return done(answer)
    return f"case {answer['case']}: {answer['entries']} entries, the last is {answer['head']}"


VENUE = Asker(
    "venue",
    lambda *asked: answer(*asked),  # noqa: PLW0108 - looked up when asked
    done,
    {
        "statistics": statistics_shown,
        "position": position_shown,
        "cash_reconcile": cash_shown,
        "blocks": blocks_shown,
        "sessions": _rows("sessions", "nobody is logged on"),
        "proposals": _proposals,
        "biddings": _rows("biddings"),
        "measures": _rows("measures", "no measure was taken"),
        "cases": _rows("cases", "no case was opened"),
        "case": lambda answer: _case_text(answer).rstrip("\n"),
        **dict.fromkeys(("case_open", "case_alerts", "case_note", "case_document"), _case_place),
        "adjustments": adjustments_shown,
        "bidding_applications": _rows("applications"),
        "statement": _statement_text,
    },
    {"statement": statement_asked},
    {"approve": hash_of_read("number", "number", lambda _: {"op": "proposals"}, _proposals)},
    {
        "statement": {
            "text": lambda answer: f"{_statement_text(answer)}\n".encode(),
            "json": _statement_json,
            "csv": _statement_csv,
            "xlsx": _statement_workbook,
        },
        "case": {
            "text": lambda answer: _case_text(answer).encode(),
            "json": _case_json,
            "html": _case_html,
        },
    },
)
