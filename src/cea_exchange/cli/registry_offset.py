"""`cea-exchange registry offset`: proofs of cancelled CCERs."""

from typing import Annotated

import typer

from cea_exchange.cli.asking import act
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.registry_obligation import Encoding, EncodingOption, File, file_fields


def register(group: typer.Typer) -> None:
    """Add the group to the group `registry`."""
    offset = CommandLine()
    offset.command("take")(take)
    offset.command("revoke")(revoke)
    group.add_typer(offset, name="offset", help="CCERs against emissions.")


def take(
    file: File,
    data: Data,
    encoding: EncodingOption = Encoding.utf_8,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Check and book a file of cancellation proofs, whole; a second person has to approve it.

    Example: cea-exchange registry offset take proofs.csv
    """
    act(data, key, {"op": "offset_take", **file_fields(file, encoding)}, json)


def revoke(
    proof: Annotated[str, typer.Argument(help="The proof's number.")],
    why: Why,
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Take back a proof that was found false; a second person has to approve it.

    Example: cea-exchange registry offset revoke N000017 --why "not in the registry"
    """
    act(data, key, {"op": "offset_revoke", "proof": proof, "why": why}, json)
