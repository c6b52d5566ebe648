"""What the answers of every institution say to a person."""

from typing import Any

from cea_exchange.cli.acts.commands import Text
from cea_exchange.cli.output import Answer, fields_line, rows_table, table
from cea_exchange.cli.readable import shown


def rows_shown(name: str, *names: str, heads: tuple[str, ...] = (), none: str = "none") -> Text:
    """Return how the rows of a field are shown: as a table, of some columns under some heads."""
    return lambda answer: rows_table(answer[name], names or None, heads or None, none=none)


def page_shown(answer: Answer) -> str:
    """Return an answer as a page: its fields, one a line, and what comes in rows as tables."""
    lines, tables = [], []
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = [{key: _cell(each) for key, each in row.items()} for row in value]
            tables += ["", name.replace("_", " "), rows_table(rows)]
        elif name != "next":
            lines.append(f"{name.replace('_', ' '):16} {_cell(shown(name, value, answer))}")
    return "\n".join([*lines, *tables]).removeprefix("\n")


def _cell(value: Any) -> Any:
    """Return a field's value in one line; what is no list and no mapping stays as it is."""
    if isinstance(value, dict):
        return fields_line(value) or "none"
    if isinstance(value, list):
        return "; ".join(str(_cell(each)) for each in value) or "none"
    return value


def proposals_shown(answer: Answer) -> str:
    """Return the proposals of an answer as a table."""
    heads = ("number", "state", "op", "proposer", "decided by", "what")
    rows = [
        (row["proposal_id"], f"{row['state']}, {row['body']}", row["op"], row["proposer"])
        + (row["decided_by"] or "-", _asked(row["request"]))
        for row in answer["proposals"]
    ]
    return told_with_rest(table(heads, rows) if rows else "no proposals", answer, "--first")


def acts_shown(answer: Answer) -> str:
    """Return the acts of an answer as a table."""
    from cea_exchange.domain.timetable import time_from_ns

    heads = ("number", "at", "op", "by", "second", "what", "answer")
    rows = [
        (row["act_id"], time_from_ns(row["at_ns"]).isoformat(timespec="seconds"), row["op"])
        + (row["person"], row["second"] or "-", _asked(row["request"]))
        + (fields_line(row["answer"]) or "-",)
        for row in answer["acts"]
    ]
    return told_with_rest(table(heads, rows) if rows else "no acts", answer, "--since")


def told_with_rest(text: str, answer: Answer, option: str) -> str:
    """Return a text, with the option that shows what comes after it."""
    if answer["next"] is None:
        return text
    return f"{text}\nthere is more: {option} {answer['next']}"


def _asked(request: dict[str, Any]) -> str:
    hidden = ("op", "request_id")
    return fields_line({name: request[name] for name in request if name not in hidden}) or "-"
