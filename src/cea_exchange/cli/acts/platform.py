"""How a running platform is asked, and what its answers say to a person."""

from pathlib import Path
from typing import Any

from cea_exchange.cli.acts.commands import Asker
from cea_exchange.cli.acts.institution import (
    acts_shown,
    page_shown,
    proposals_shown,
    rows_shown,
)
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.output import Answer, act_said, fields_line, refused, rows_table


def ask(data: Path, key: Path, request: dict[str, Any], json: bool = False) -> Answer:
    """Return a running platform's answer.

    Parameters
    ----------
    json
        Whether a refusal is printed as JSON too.

    Raises
    ------
    CommandError
        There is none, or it is a refusal.
    """
    from cea_exchange.platform.control.admin_client import (
        PlatformRefused,
        PlatformUnavailable,
        platform_ask,
    )

    try:
        answer = platform_ask(data, request, key=key)
    except PlatformRefused as error:
        raise refused(str(error), error.answer, json) from error
    except PlatformUnavailable as error:
        raise CommandError(str(error)) from error
    del answer["ok"]
    return answer


def _due(answer: Answer) -> str:
    missing = rows_table(answer["missing"], none="nothing is due")
    late = rows_table(answer["late"], none="nothing was filed late")
    return f"{missing}\n\n{late}"


def _filings(rows: list[dict[str, Any]]) -> str:
    """Return versions, each in a line."""
    names = ("kind", "unit", "period", "version", "emission", "due_on", "sha256")
    return "\n".join(fields_line({name: row[name] for name in names}) for row in rows)


PLATFORM = Asker(
    "platform",
    lambda *asked: ask(*asked),  # noqa: PLW0108 - looked up when asked
    act_said("platform"),
    {
        "acts": acts_shown,
        "allocation_national": page_shown,
        "allocation_show": page_shown,
        "case_show": page_shown,
        "check_run": rows_shown("findings", none="nothing is unlikely"),
        "due_list": _due,
        "enterprise_list": rows_shown("enterprises"),
        "enterprise_show": page_shown,
        "evidence_list": rows_shown("documents", "file", "sha256", "brought_by", "brought_at_ns"),
        "evidence_shared": rows_shown("documents"),
        "filing_list": rows_shown("filings"),
        "filing_waiting": rows_shown("waiting", none="nothing waits"),
        "firm_scores": rows_shown("scores"),
        "link_show": page_shown,
        "list_show": rows_shown("listed", none="nobody is listed"),
        "month_enter": lambda answer: _filings(answer["entered"]),
        "month_file": lambda answer: _filings(answer["filed"]),
        "month_show": page_shown,
        "obligation_show": lambda answer: (
            "no obligation" if answer["obligation"] is None else page_shown(answer["obligation"])
        ),
        "penalty_list": rows_shown("penalties"),
        "person_list": rows_shown("persons", "body", "role", "name", "key"),
        "proposals": proposals_shown,
        "result_show": page_shown,
        "verification_show": page_shown,
    },
)
