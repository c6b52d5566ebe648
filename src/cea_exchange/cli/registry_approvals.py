"""`cea-exchange registry proposals, approve, reject, acts`: two persons, and what was done."""

from typing import Annotated, Any

import typer

from cea_exchange.cli.asking import Answer, act, fields_line, look, table
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why

Number = Annotated[int, typer.Argument(help="The proposal's number.")]
First = Annotated[int, typer.Option(help="The first number.")]
Count = Annotated[int, typer.Option(help="How many at most.", min=1, max=1_000)]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `registry`."""
    for command in (proposals, approve, reject, acts):
        group.command(command.__name__)(command)


def proposals(
    data: Data,
    all_: Annotated[bool, typer.Option("--all", help="Decided and expired ones too.")] = False,
    first: First = 1,
    count: Count = 100,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print the proposals that wait for a second person.

    Example: cea-exchange registry proposals --key bo
    """
    request = {"op": "proposals", "all": all_, "first": first, "count": count}
    look(data, key, request, json, _proposals)


def approve(
    number: Number,
    data: Data,
    request_hash: Annotated[
        str | None,
        typer.Option("--hash", help="What was seen (request_hash): another one is refused."),
    ] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Agree to a proposal of another person; it is done at once.

    Example: cea-exchange registry approve 12 --key bo
    """
    request = {"op": "approve", "proposal": number, "request_hash": request_hash}
    act(data, key, request, json)


def reject(number: Number, data: Data, why: Why, key: Key = ADMIN, json: Json = False) -> None:
    """Refuse a proposal, or as its proposer take it back.

    Example: cea-exchange registry reject 12 --why "wrong account" --key bo
    """
    act(data, key, {"op": "reject", "proposal": number, "why": why}, json)


def acts(
    data: Data,
    since: Annotated[int, typer.Option("--since", help="The first act's number.")] = 1,
    count: Count = 100,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print what was done over the control socket, and by whom.

    Example: cea-exchange registry acts --since 1000 --json
    """
    look(data, key, {"op": "acts", "since": since, "count": count}, json, _acts)


def _proposals(answer: Answer) -> str:
    heads = ("number", "state", "op", "proposer", "decided by", "what")
    rows = [
        (row["proposal_id"], f"{row['state']}, {row['body']}", row["op"], row["proposer"])
        + (row["decided_by"] or "-", _asked(row["request"]))
        for row in answer["proposals"]
    ]
    return _told(table(heads, rows) if rows else "no proposals", answer, "--first")


def _acts(answer: Answer) -> str:
    from cea_exchange.domain.timetable import time_from_ns

    heads = ("number", "at", "op", "by", "second", "what", "answer")
    rows = [
        (row["act_id"], time_from_ns(row["at_ns"]).isoformat(timespec="seconds"), row["op"])
        + (row["person"], row["second"] or "-", _asked(row["request"]))
        + (fields_line(row["answer"]) or "-",)
        for row in answer["acts"]
    ]
    return _told(table(heads, rows) if rows else "no acts", answer, "--since")


def _told(text: str, answer: Answer, option: str) -> str:
    if answer["next"] is None:
        return text
    return f"{text}\nthere is more: {option} {answer['next']}"


def _asked(request: dict[str, Any]) -> str:
    hidden = ("op", "request_id")
    return fields_line({name: request[name] for name in request if name not in hidden}) or "-"
