"""Approval of a proposal: it binds to what the second person has read.

With ``--hash`` the person says what was read. Without it a person at a terminal is shown the
proposal and asked, and the hash of what was shown goes to the daemon. Nobody approves a bare
number: somebody may have changed what stands behind it.
"""

import sys
from collections.abc import Callable

import typer

from cea_exchange.cli.acts.commands import Ask, Before, Text
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.language import said
from cea_exchange.cli.output import Answer

QUESTION = "Approve this proposal?"


def hash_of_read(
    asked_field: str, row_field: str, wanted: Callable[[int], Answer], shown: Text
) -> Before:
    """Return what puts the hash of the proposal that its person has read into a request.

    Parameters
    ----------
    asked_field, row_field
        The field with the proposal's number: in the request, and in a row of the daemon's list.
    wanted
        Returns the request for the list with the proposal of a number.
    shown
        Returns the list in words.
    """

    def put(ask: Ask, request: Answer) -> Answer:
        if request.get("request_hash") is not None:
            return request
        if not sys.stdin.isatty():
            raise CommandError(
                "--hash: expected the hash of the proposal that was read, got none;"
                " the list of proposals shows it"
            )
        number: int = request[asked_field]
        answer = ask(wanted(number))
        found = [each for each in answer["proposals"] if each[row_field] == number]
        if not found:
            raise CommandError(f"proposal {number}: expected one that waits for you, got none")
        # On standard error: the answer alone goes to standard output, which may be JSON.
        typer.echo(shown({**answer, "proposals": found, "next": None}), err=True)
        if not typer.confirm(said(QUESTION), err=True):
            raise CommandError(f"proposal {number}: nothing was approved")
        return {**request, "request_hash": found[0]["request_hash"]}

    return put
