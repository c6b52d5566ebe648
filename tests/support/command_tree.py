"""The commands of the command line, as a tree to walk; for tests."""

from functools import cache

import typer

from cea_exchange.cli.main import app_build


@cache
def command_tree(name):
    """Return a command of the first level with all below it."""
    return typer.main.get_command(app_build([name])).commands[name]


def below(command, path):
    """Yield a command, and those below it, with their paths."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from below(each, f"{path} {name}")
