"""How a running institution is asked, and what the answers of all of them say to a person."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cea_exchange.cli.acts.approving import hash_of_read
from cea_exchange.cli.acts.commands import After, Asker, Form, Text
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.language import said
from cea_exchange.cli.output import (
    Answer,
    act_line,
    cell,
    fields_line,
    refused,
    rows_table,
    table,
)
from cea_exchange.cli.readable import shown

if TYPE_CHECKING:
    from cea_exchange.institution.control.admin_client import AdminClient

GROUPS = {
    "act": "What was done, and by whom.",
    "clock": "The {title}'s time and day.",
    "person": "Who acts at the {title}, by key.",
    "proposal": "What waits for a second person.",
    "standby": "Servers that follow the {title}'s database, and take over.",
}
"""The groups of the commands that every institution has."""
WAITS = (
    "proposal {proposal} waits for a second person of {body}:"
    " {name} proposal approve {proposal} --hash {hash}"
)
APPROVED = "proposal {proposal} approved, {what} is done"


def institution_asker(
    name: str,
    client: Callable[[], "AdminClient"],
    texts: Mapping[str, Text],
    after: Mapping[str, After] = {},
    forms: Mapping[str, Mapping[str, Form]] = {},
) -> Asker:
    """Return how an institution's commands ask it, and what they print.

    Parameters
    ----------
    name
        The institution's command.
    client
        Imports who asks it; only when something is asked.
    texts, after, forms
        Of its own requests, see `Asker`.
    """

    def ask(data: Path, key: Path, request: dict[str, Any], json: bool = False) -> Answer:
        from cea_exchange.institution.control.admin_client import (
            InstitutionRefused,
            InstitutionUnavailable,
        )

        try:
            answer = client().ask(data, request, key=key)
        except InstitutionRefused as error:
            raise refused(error, json) from error
        except InstitutionUnavailable as error:
            raise CommandError(str(error)) from error
        del answer["ok"]
        return answer

    def done(answer: Answer) -> str:
        if "approving_body" in answer:
            return said(WAITS).format(
                proposal=answer["proposal"],
                body=answer["approving_body"],
                name=name,
                hash=answer["request_hash"],
            )
        if "approved" in answer:
            fields = fields_line(answer["answer"])
            line = said(APPROVED).format(proposal=answer["proposal"], what=answer["approved"])
            return f"{line}: {fields}" if fields else line
        return act_line(answer)

    def listed(number: int) -> Answer:
        return {"op": "proposals", "first": number, "count": 1}

    before = {"approve": hash_of_read("proposal", "proposal_id", listed, _proposals)}
    return Asker(name, ask, done, {**TEXTS, **texts}, after, before, forms)


def rows_of(name: str, *names: str, none: str = "none", more: str = "--first") -> Text:
    """Return how the rows of a field are shown: as a table of some columns, or of all.

    Parameters
    ----------
    none
        What is said where there are no rows.
    more
        The option that asks for what comes after them.
    """
    return lambda answer: with_more(
        rows_table(answer[name], names or None, none=none), answer, more
    )


def page_shown(answer: Answer) -> str:
    """Return an answer as a page: its fields, one a line, and what comes in rows as tables."""
    lines, tables = [], []
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            tables += ["", name.replace("_", " "), rows_table(value)]
        elif name != "next":
            lines.append(f"{name.replace('_', ' '):16} {cell(shown(name, value, answer))}")
    return "\n".join([*lines, *tables]).removeprefix("\n")


def with_more(text: str, answer: Answer, option: str) -> str:
    """Return a text with how to ask for what comes after it, if something does."""
    if answer.get("next") is None:
        return text
    return f"{text}\nthere is more: {option} {answer['next']}"


def _proposals(answer: Answer) -> str:
    heads = ("number", "state", "op", "proposer", "decided by", "what", "hash")
    rows = [
        (row["proposal_id"], f"{row['state']}, {row['body']}", row["op"], row["proposer"])
        + (row["decided_by"] or "-", _request(row["request"]), row["request_hash"])
        for row in answer["proposals"]
    ]
    return with_more(table(heads, rows) if rows else "no proposals", answer, "--first")


def _acts(answer: Answer) -> str:
    from cea_exchange.domain.timetable import time_from_ns

    heads = ("number", "at", "op", "by", "second", "what", "answer")
    rows = [
        (row["act_id"], time_from_ns(row["at_ns"]).isoformat(timespec="seconds"), row["op"])
        + (row["person"], row["second"] or "-", _request(row["request"]))
        + (fields_line(row["answer"]) or "-",)
        for row in answer["acts"]
    ]
    return with_more(table(heads, rows) if rows else "no acts", answer, "--since")


def _request(request: dict[str, Any]) -> str:
    hidden = ("op", "request_id")
    return fields_line({name: request[name] for name in request if name not in hidden}) or "-"


TEXTS: Mapping[str, Text] = {
    "acts": _acts,
    "person_list": rows_of("persons", "body", "role", "name", "key"),
    "seat": lambda answer: fields_line({**answer["you"], "time": answer["time"]}),
    "proposals": _proposals,
}
"""What is said of looks that every institution answers."""
