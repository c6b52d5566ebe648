"""How a running platform is asked, and what its answers say to a person."""

from typing import TYPE_CHECKING, Any

from cea_exchange.cli.acts.institution import institution_asker, page_shown, rows_of
from cea_exchange.cli.output import Answer, fields_line, rows_table

if TYPE_CHECKING:
    from cea_exchange.institution.control.admin_client import AdminClient


def _client() -> "AdminClient":
    from cea_exchange.platform.control.admin_client import PLATFORM

    return PLATFORM


def _due(answer: Answer) -> str:
    missing = rows_table(answer["missing"], none="nothing is due")
    late = rows_table(answer["late"], none="nothing was filed late")
    coming = rows_table(answer["coming"], none="the calendar has nothing until then")
    reminders = rows_table(answer["reminders"], none="no reminders")
    return "\n\n".join((missing, late, coming, reminders))


def _filings(rows: list[dict[str, Any]]) -> str:
    """Return versions, each in a line."""
    names = ("kind", "unit", "period", "version", "emission", "mark", "due_on", "sha256")
    return "\n".join(fields_line({name: row[name] for name in names}) for row in rows)


PLATFORM = institution_asker(
    "platform",
    _client,
    {
        "account_list": rows_of("accounts", none="nobody is listed"),
        "allocation_form": rows_of("rows", none="nothing was computed"),
        "allocation_list": rows_of("allocations", none="nothing was computed"),
        "allocation_national": page_shown,
        "allocation_show": page_shown,
        "ban_list": rows_of("bans", none="nobody is banned"),
        "calendar_show": page_shown,
        "case_list": rows_of("cases", none="no cases"),
        "case_show": page_shown,
        "check_run": rows_of("findings", none="nothing is unlikely"),
        "due_list": _due,
        "enterprise_list": rows_of("enterprises"),
        "enterprise_show": page_shown,
        "evidence_list": rows_of("documents", "file", "sha256", "brought_by", "brought_at_ns"),
        "evidence_shared": rows_of("documents"),
        "filing_list": rows_of(
            "filings",
            *("kind", "period", "unit", "state", "version", "emission", "mark", "due_on"),
        ),
        "filing_waiting": rows_of("waiting", none="nothing waits"),
        "firm_scores": rows_of("scores"),
        "inspection_list": rows_of("inspections", none="no inspections"),
        "irregularity_list": rows_of("irregularities", none="nothing was reported"),
        "link_show": page_shown,
        "list_next": rows_of("changes", none="nobody enters, stays or leaves"),
        "list_show": rows_of("listed", none="nobody is listed"),
        "message_list": rows_of("messages", none="no messages"),
        "month_enter": lambda answer: _filings(answer["entered"]),
        "month_file": lambda answer: _filings(answer["filed"]),
        "month_show": page_shown,
        "obligation_show": lambda answer: (
            "no obligation" if answer["obligation"] is None else page_shown(answer["obligation"])
        ),
        "penalty_list": rows_of("penalties"),
        "plan_show": page_shown,
        "province_due": rows_of("due", none="nothing is due"),
        "result_show": page_shown,
        "verification_list": rows_of("verifications", none="nobody verifies"),
        "verification_show": page_shown,
    },
)
