"""`cea-exchange screen`: one person's console, at this machine only, with that person's key."""

import os
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.errors import bad_input
from cea_exchange.cli.options import DATA_VARIABLE
from cea_exchange.cli.screens.serving import extra_needed, served

Folders = Annotated[
    list[Path],
    typer.Option(
        "--data",
        envvar=DATA_VARIABLE,
        help="A folder in which systems say how they are reached; several may be given.",
    ),
]

Public = Annotated[
    Path | None, typer.Option(help="What the authorities have published: a folder of lists.")
]
ProfileName = Annotated[str, typer.Option("--profile", help="The market's rules: name or file.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("screen")(screen)


def screen(
    keys: Annotated[
        Path, typer.Option(help="The person's pair: its path, with or without suffix.")
    ],
    data: Folders,
    host: Annotated[str, typer.Option(help="A loopback address, none other.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 0,
    public: Public = None,
    profile: ProfileName = "cea",
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Open one person's own console in a browser, at this machine only.

    What the key may do decides which pages there are. The address that is printed works once; then
    the browser has a cookie, and the next address is printed for another browser. A session ends
    after twelve hours, after an hour without a request, and when its person leaves it.

    Example: cea-exchange screen --keys keys/p001 --data DIR
    """
    with extra_needed():
        from cea_exchange.protocol.security import SecurityError
        from cea_exchange.screens.application import application
        from cea_exchange.screens.console import console_site
        from cea_exchange.screens.serving.door import Door
        from cea_exchange.screens.serving.guard import Guard
        from cea_exchange.screens.serving.listening import address_of, listening_socket

    with bad_input(SecurityError, ValueError, OSError):
        site = console_site(data, keys, public=public, profile=profile)
        listening = listening_socket(host, port, loopback_only=True)
    address, number = address_of(listening), listening.getsockname()[1]
    entrances: list[str] = []

    def show(token: str) -> None:
        entrances.append(f"http://{address}/enter?token={token}")
        print(entrances[-1], flush=True)

    door = Door(f"cea_screen_{number}", show)
    app = Guard(
        application(site),
        hosts={address, f"localhost:{number}"},
        door=door,
        body_bytes_max=site.body_bytes_max,
    )
    with opening(entrances[0]) as opened:
        served(site, app, listening, lambda: browser and opened())


@contextmanager
def opening(entrance: str) -> Iterator[Callable[[], None]]:
    """Yield what opens the browser at an address that no other user of the machine may read.

    Everybody may read a process's command line, so that the browser is given a file that leads to
    the address. Only its owner may read the file, which goes when the console ends.
    """
    with tempfile.TemporaryDirectory(prefix="cea-exchange-") as folder:
        file = Path(folder) / "open.html"

        def opened() -> None:
            text = f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(entrance)}">'
            with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
                out.write(text)
            # A browser may run in the terminal until it is left; the console is served meanwhile.
            threading.Thread(target=webbrowser.open, args=(file.as_uri(),), daemon=True).start()

        yield opened
