"""Asks a running registry for a command, and puts its answers in words for a person."""

import time
from typing import TYPE_CHECKING

import msgspec

from cea_exchange.cli.acts.commands import Ask, Form, whole
from cea_exchange.cli.acts.institution import institution_asker, page_shown, rows_of, with_more
from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input
from cea_exchange.cli.output import Answer, fields_line, rows_table, table
from cea_exchange.cli.readable import amount, date_shown, tonnes, yuan
from cea_exchange.files.formats import WRITTEN

if TYPE_CHECKING:
    from cea_exchange.institution.control.admin_client import AdminClient

FETCH_S_MAX = 30
RESERVE_CASH = ("held", "lent", "capital", "fees_since", "due")
FETCH_LOOK_S = 0.3


def _client() -> "AdminClient":
    from cea_exchange.registry.control.admin_client import REGISTRY

    return REGISTRY


# -- what is asked further ------------------------------------------------------------------------


def fetch_awaited(ask: Ask, wanted: Answer) -> Answer:
    """Return the statement that was to be fetched, once it is read.

    Raises CommandError: it can't be fetched, or is not read in time.
    """
    until_s = time.monotonic() + FETCH_S_MAX
    while time.monotonic() < until_s:
        time.sleep(FETCH_LOOK_S)
        for row in ask({"op": "bank_statements", "count": 1})["statements"]:
            if wanted.items() <= row.items():
                return dict(row)
        status = ask({"op": "status"})
        why = status["troubles"].get("bank_statement")
        # An older statement's trouble stays until one is read: this one must have been tried.
        if why and wanted["business_date"] not in status["statements_awaited"]:
            raise CommandError(f"{fields_line(wanted)}: {why}")
    raise CheckFailed(f"{fields_line(wanted)}: not read within {FETCH_S_MAX} s")


def preview_shown(ask: Ask, answer: Answer) -> Answer:
    """Return a preview that was just made, as `allocation_show` tells it."""
    request = {"op": "allocation_show", "preview_id": answer["preview_id"], "first": 0}
    return whole(ask, request, "lines")


# -- other forms ----------------------------------------------------------------------------------


def _lines_form(suffix: str) -> Form:
    def form(answer: Answer) -> bytes:
        from cea_exchange.registry.distribution.plan import Line
        from cea_exchange.registry.distribution.plan_table import DISTRIBUTION_LINES
        from cea_exchange.registry.files import table_bytes

        with bad_input(ValueError, ModuleNotFoundError, says=f"{suffix}: "):
            rows = msgspec.convert(answer["lines"], list[Line])
            return table_bytes(DISTRIBUTION_LINES, rows, suffix)

    return form


LINES = {suffix.removeprefix("."): _lines_form(suffix) for suffix in WRITTEN}


def _receipt_json(answer: Answer) -> bytes:
    return msgspec.json.format(msgspec.json.encode(answer)) + b"\n"


# -- what is said ---------------------------------------------------------------------------------

_TOTALS = (
    *("name", "entities", "at_risk", "tonnes", "before", "given", "kept"),
    *("recalled", "recalled_kept", "unrecalled", "deducted", "returned"),
)


def _receipt(answer: Answer) -> str:
    return f"{answer['leaf'].splitlines()[0]}, head {answer['link']['head']}"


def _preview(answer: Answer) -> str:
    names = ("file", "sha256", "units_file", "units_sha256", "distributed_on")
    shown = {name: answer[name] for name in names if answer[name] != ""}
    computed = f"{answer['recomputed']} of {answer['entities']} entities computed from their units"
    rows = [[totals[name] for name in _TOTALS] for totals in answer["totals"]]
    return "\n".join(
        [
            f"preview {answer['preview_id']}: {answer['compliance_year']} {answer['product']}"
            f" {answer['stage']}, {fields_line(shown)}",
            computed,
            table(("province", *_TOTALS[1:]), rows),
            *(f"warning: {warning}" for warning in answer["warnings"]),
        ]
    )


def _account(answer: Answer) -> str:
    from cea_exchange.domain.timetable import time_from_ns

    nested = ("representatives", "changes", "pending")
    lines = [f"{name:13} {answer[name]}" for name in answer if name not in nested]
    lines.append(f"{'pending':13} {', '.join(answer['pending']) or 'nothing'}")
    persons = [f"{person['name']} ({person['role']})" for person in answer["representatives"]]
    lines.append(f"{'persons':13} {', '.join(persons) or 'none'}")
    heads = ("at", "change", "was", "became", "by", "why")
    rows = [
        (time_from_ns(row["at_ns"]).isoformat(timespec="seconds"), row["change"])
        + tuple(row[head] or "-" for head in heads[2:])
        for row in answer["changes"]
    ]
    return "\n".join([*lines, "", table(heads, rows)])


def _remaining(answer: Answer) -> str:
    fields = ("deduction_id", "document", "cause", "decided_on", "compliance_year", "tonnes")
    kept = fields_line(answer["kept"]) or "nothing"
    rows, none = answer["still_to_adjust"], "nothing is still to adjust"
    still = rows_table(rows, (*fields, "remaining"), none=none)
    called = fields_line(answer["called"]) or "nothing"
    return f"{still}\nits province holds for it: {kept}\ncalled from the venue: {called}"


def _wrong(answer: Answer) -> str:
    rows = [
        (item["instruction_id"], item["outcome"], leg["account"])
        + (yuan(leg["instructed"]), yuan(leg["booked"]))
        for item in answer["findings"]
        for leg in item["legs"]
    ]
    rows += [
        ("-", "unknown", item["account"], yuan(0), yuan(item["entry"]["cash"]))
        for item in answer["unknown"]
    ]
    return table(["instruction", "outcome", "account", "instructed", "booked"], rows)


def _reserve(answer: Answer) -> str:
    cash = [(name.replace("_", " "), yuan(answer[name])) for name in RESERVE_CASH]
    share = f"{answer['share_bp']} basis points of the fees"
    return table(("risk reserve", ""), [*cash, ("share", share)])


def _balances(answer: Answer) -> str:
    balances = rows_table(answer["balances"], ("product", "compartment", "amount"), none="-")
    return f"{answer['account']} after entry {answer['entry_id']}\n{balances}"


def _entries(answer: Answer) -> str:
    heads = ("entry", "date", "kind", "reference", "account", "product", "where", "amount")
    rows = [
        (entry["entry_id"], date_shown(entry["business_date"]), entry["kind"])
        + (entry["reference"] or "-",)
        + (leg["account"], leg["product"], leg["compartment"])
        + (amount(leg["product"], leg["amount"]),)
        for entry in answer["entries"]
        for leg in entry["legs"]
    ]
    return with_more(table(heads, rows) if rows else "no entries", answer, "--after")


def _shortfalls(answer: Answer) -> str:
    from cea_exchange.domain.units import cash_format

    heads = ("account", "entity", "province", "short", "applied", "due", "fine, yuan")
    rows = []
    for row in answer["shortfalls"]:
        fine = "no trades before the deadline"
        if row["fine"] is not None:
            fine = f"{cash_format(row['fine']['least'])} to {cash_format(row['fine']['most'])}"
        if (second := row["fine_after_term"]) is not None:
            fine += f", then {cash_format(second['least'])} to {cash_format(second['most'])}"
        figures = tuple(map(tonnes, (row["shortfall"], row["applied"], row["due"])))
        rows.append((row["account"], row["entity"], row["province"], *figures, fine))
    return table(heads, rows) if rows else "nobody was short"


def _duties(answer: Answer) -> str:
    heads = ("due by", "", "what", "of", "who", "rule")
    rows = [
        (row["due_by"] or "not known", "OVERDUE" if row["is_overdue"] else "", row["duty"])
        + (row["subject"], row["whose"], row["rule"])
        for row in answer["duties"]
    ]
    return table(heads, rows) if rows else "none"


def _statement(answer: Answer) -> str:
    day = date_shown(answer["business_date"])
    lines = [f"{answer['account']} {day} {answer['state']}"]
    cash = [(name, yuan(value)) for name, value in answer["cash"].items()]
    lines += ["", table(("cash", ""), cash)]
    if answer["products"]:
        lines += ["", rows_table(answer["products"])]
    if answer["objections"]:
        lines += ["", rows_table(answer["objections"])]
    return "\n".join(lines)


def _default(answer: Answer) -> str:
    acts = answer.pop("acts")
    return "\n".join([fields_line(answer), *map(fields_line, acts)])


REGISTRY = institution_asker(
    "registry",
    _client,
    {
        "account_list": rows_of(
            *("accounts", "account", "entity", "credit_code", "province", "state", "at_risk"),
        ),
        "account_show": _account,
        "allocation_preview": _preview,
        "allocation_remaining": _remaining,
        "allocation_show": _preview,
        "balance": _balances,
        "calendar_show": page_shown,
        "bank_batches": lambda answer: "\n".join(answer["files"]) or "none",
        "bank_differences": _wrong,
        "bank_fetch": lambda answer: f"read {fields_line(answer)}",
        "bank_reconcile": rows_of("accounts"),
        "bank_statements": rows_of("statements"),
        "bank_unapplied": rows_of(
            *("unapplied", "unapplied_id", "business_date", "source", "instruction_id", "status"),
            "why",
        ),
        "carryover_notice": lambda answer: fields_line(answer["notice"]),
        "claim_list": rows_of("claims"),
        "compliance_list": rows_of(
            *("entities", "account", "entity", "province", "obligation_tonnes", "surrendered"),
            *("offset", "state"),
            none="no obligations",
        ),
        "correction_list": rows_of(
            *("orders", "account", "province", "document", "ordered_on", "until", "tonnes"),
            *("due", "refused_on"),
            none="nobody was ordered to correct anything",
        ),
        "default_list": rows_of("defaults"),
        "default_show": _default,
        "dispositions": rows_of(
            *("dispositions", "disposition_id", "kind", "account", "to", "product", "tonnes"),
            *("state", "certificate"),
        ),
        "duty_list": _duties,
        "entries": _entries,
        "failures": rows_of("failures"),
        "freezes": rows_of(
            *("freezes", "freeze_id", "account", "asset", "state", "ordered", "released"),
            *("in_force", "deducted", "until_date", "court", "order_number"),
        ),
        "objections": rows_of("objections"),
        "offset_proofs": rows_of(
            *("proofs", "proof_seq", "proof", "account", "compliance_year", "state", "why"),
            none="no proof came from the CCER registry",
        ),
        "obligation_notice": lambda answer: str(answer["text"]),
        "offset_shares": rows_of("shares"),
        "proceeds_list": rows_of("sales"),
        "reserve_show": _reserve,
        "public_notices": rows_of("notices", "number", "date", "kind", "content"),
        "receipt": _receipt,
        "shortfall_list": _shortfalls,
        "statement": _statement,
        "surrender_certificate": lambda answer: str(answer["text"]),
        "surrender_history": rows_of(
            *("surrenders", "surrender_id", "giver", "applied_on", "tonnes", "state", "decided_on"),
            *("rejection", "retired_on"),
            none="nothing was applied for",
        ),
        "surrender_list": rows_of(
            *("surrenders", "surrender_id", "account", "compliance_year", "giver", "applied_on"),
            "tonnes",
            none="no surrenders",
        ),
        "transfers": rows_of(
            *("transfers", "transfer_seq", "direction", "account", "product", "amount", "state"),
            "reason",
            none="no transfers",
            more="--after",
        ),
    },
    {"allocation_preview": preview_shown, "bank_fetch": fetch_awaited},
    {"allocation_preview": LINES, "allocation_show": LINES, "receipt": {"json": _receipt_json}},
)
