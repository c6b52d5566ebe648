"""Serves a site until told to stop; what it needs is said where it is not installed."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from cea_exchange.cli.errors import CommandError

EXTRA = "expected the extra `screens` to be installed (pip install 'cea-exchange[screens]')"


def served(make: Callable[[], tuple[Any, socket.socket]], announce: Callable[[], None]) -> None:
    """Serve what `make` returns, an application and the socket that listens, until a signal."""
    try:
        from cea_exchange.screens.serving.listening import server
    except ModuleNotFoundError as error:
        raise CommandError(f"{EXTRA}, got no {error.name}") from error
    app, listening = make()
    with listening:
        running = server(app)
        announce()
        asyncio.run(running.serve(sockets=[listening]))
