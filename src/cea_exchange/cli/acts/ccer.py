"""How a running CCER registry is asked, and what its answers say to a person."""

from typing import TYPE_CHECKING, Any

from cea_exchange.cli.acts.institution import institution_asker, page_shown, rows_of
from cea_exchange.cli.output import Answer, rows_table, table
from cea_exchange.cli.readable import date_shown, shown, tonnes

if TYPE_CHECKING:
    from cea_exchange.institution.control.admin_client import AdminClient


def _client() -> "AdminClient":
    from cea_exchange.ccer.control.admin_client import CCER

    return CCER


def _with_steps(answer: Answer) -> str:
    """Return a project or a batch, a field a line, and its steps."""
    steps = answer.pop("steps")
    fields = [f"{name:16} {_value(name, value)}" for name, value in answer.items()]
    rows = [
        (row["step"], date_shown(row["business_date"]), date_shown(row["due_on"]))
        + ("LATE" if row["is_late"] else "", row["by_persons"] or "-", row["why"] or "-")
        for row in steps
    ]
    return "\n".join([*fields, "", table(("step", "on", "term ends", "", "by", "why"), rows)])


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{year} {tonnes(count)}" for year, count in value.items()) or "-"
    return shown(name, value, {}) if value != "" else "-"


def _certificate(answer: Answer) -> str:
    content = answer["content"]
    serials = content.pop("serials")
    lines = [f"{name:16} {_value(name, value)}" for name, value in sorted(content.items())]
    ranges = ", ".join(f"{batch}:{first}-{last}" for batch, first, last in serials)
    return "\n".join([*lines, f"{'serials':16} {ranges}"])


def _duties(answer: Answer) -> str:
    rows = [
        (date_shown(row["due_on"]), "OVERDUE" if row["is_overdue"] else "", row["what"])
        + (row["project"], row["batch_number"] or "-")
        for row in answer["duties"]
    ]
    return table(("due by", "", "what", "project", "batch"), rows) if rows else "none"


CCER = institution_asker(
    "ccer",
    _client,
    {
        "account_list": rows_of(
            *("accounts", "account", "kind", "entity", "province", "state", "opened_on")
        ),
        "batch_list": rows_of(
            *("batches", "batch_number", "state", "produced_from", "produced_to", "verifier"),
        ),
        "batch_show": _with_steps,
        "calendar_show": page_shown,
        "cancellation_list": rows_of(
            *("cancellations", "cancellation_id", "account", "instrument", "tonnes", "purpose"),
            *("beneficiary", "compliance_year", "state", "certificate"),
        ),
        "certificate_list": rows_of("certificates", "certificate", "issued_on"),
        "certificate_show": _certificate,
        "duty_list": _duties,
        "freeze_list": rows_of(
            *("freezes", "freeze_id", "account", "instrument", "ordered", "in_force", "released"),
            *("deducted", "order_number", "court"),
        ),
        "holding_list": rows_of("lots"),
        "instrument_list": rows_of("instruments", "instrument", "project", "generation_year"),
        "key_list": rows_of("keys"),
        "licence_list": rows_of("licences"),
        "lot_find": rows_of("lots"),
        "lot_pedigree": lambda answer: rows_table(answer["moves"]),
        "market_deliveries": rows_of("deliveries"),
        "market_list": rows_of("instruments"),
        "market_transfers": rows_of("transfers"),
        "methodology_list": rows_of("methodologies", "code", "version", "released_on", "title"),
        "project_list": rows_of(
            *("projects", "project", "state", "owner", "methodology", "registered_on", "title")
        ),
        "project_show": _with_steps,
        "proof_list": rows_of("proofs"),
        "restitution_list": rows_of("restitutions"),
        "transfer_list": rows_of("transfers"),
    },
)
