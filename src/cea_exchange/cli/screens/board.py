"""`cea-exchange board`: the public market board."""

from typing import Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.errors import bad_input
from cea_exchange.cli.screens.screen import Folders, ProfileName, Public
from cea_exchange.cli.screens.serving import extra_needed, served


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = CommandLine()
    # A callback keeps `serve` a subcommand while it is the only one.
    group.callback()(_group)
    group.command("serve")(serve)
    app.add_typer(group, name="board", help="The public market board in a browser.")


def _group() -> None:
    """The public market board in a browser."""


def serve(
    data: Folders,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    public: Public = None,
    profile: ProfileName = "cea",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="HOST or HOST:PORT that browsers may ask for; any, without."),
    ] = None,
) -> None:
    """Serve the public market board until SIGTERM.

    It is for looking only, and reads what everybody may read: the public market data, of a relay
    where there is one. It may listen anywhere.

    Example: cea-exchange board serve --data DIR --host 0.0.0.0 --port 8080
    """
    with extra_needed():
        from cea_exchange.screens.application import application
        from cea_exchange.screens.console import board_site
        from cea_exchange.screens.serving.guard import Guard
        from cea_exchange.screens.serving.listening import address_of, listening_socket

    with bad_input(ValueError, OSError):
        site = board_site(data, public=public, profile=profile)
        listening = listening_socket(host, port, loopback_only=False)
    hosts = {each.lower() for each in name or ()}
    app = Guard(application(site), hosts=hosts, body_bytes_max=site.body_bytes_max)
    address = f"http://{address_of(listening)}/"
    served(site, app, listening, lambda: print(address, flush=True))
