"""`cea-exchange registry person`: who acts at the registry."""

from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.asking import Answer, act, look_all, table
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key


def register(group: typer.Typer) -> None:
    """Add the group to the group `registry`."""
    persons = CommandLine()
    persons.command("add")(add)
    persons.command("remove")(remove)
    persons.command("list")(list_)
    group.add_typer(persons, name="person", help="Who acts at the registry, by key.")


def add(
    name: Annotated[str, typer.Argument(help="The person's name.")],
    public_key: Annotated[str, typer.Argument(help="Public key, or the file NAME.public.")],
    role: Annotated[
        str,
        typer.Option(help="operator, authority, province, initiator, approver or regulator."),
    ],
    data: Data,
    account: Annotated[str | None, typer.Option(help="Whose representative.")] = None,
    province: Annotated[int | None, typer.Option(help="Two-digit code, such as 11.")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a key stand for a person; who is of that body already has to approve it.

    Example: cea-exchange registry person add "Li Na" keys/li.public --role initiator --account P001
    """
    request = {"op": "person_add", "name": name, "key": key_text(public_key), "role": role}
    act(data, key, request | {"account": account, "province": province}, json)


def remove(
    public_key: Annotated[str, typer.Argument(help="Public key, or the file NAME.public.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a key stand for nobody any more, for good; a second person has to approve it.

    Example: cea-exchange registry person remove keys/li.public
    """
    act(data, key, {"op": "person_remove", "key": key_text(public_key)}, json)


def list_(
    data: Data,
    account: Annotated[str | None, typer.Option(help="Only its representatives.")] = None,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print who acts, for whom, in which role.

    Example: cea-exchange registry person list --account P001
    """
    request = {"op": "person_list", "account": account}
    look_all(data, key, request, json, "persons", text=_persons, first=0)


def _persons(answer: Answer) -> str:
    heads = ("body", "role", "name", "key")
    return table(heads, [[person[head] for head in heads] for person in answer["persons"]])


def key_text(given: str) -> str:
    """Return a public key given as its 40 characters, or as the file it is in.

    Raises
    ------
    CommandError
        It is neither.
    """
    from cea_exchange.protocol.security import SecurityError, key_check, public_key_read

    try:
        # First the file: a path of 40 characters may look like a key.
        if Path(given).is_file():
            return public_key_read(given)
        key_check(given, "key")
    except (OSError, SecurityError, ValueError) as error:
        raise CommandError(f"expected a public key or its file, {error}") from error
    return given
