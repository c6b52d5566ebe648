"""Serves a site until SIGTERM; names the missing package where the extra is not installed."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cea_exchange.cli.daemons.daemon_log import LogLevel, log_to_standard_error
from cea_exchange.cli.errors import CommandError

if TYPE_CHECKING:
    import socket

    from cea_exchange.screens.site import Site

EXTRA = "expected the extra `screens` to be installed (pip install 'cea-exchange[screens]')"


@contextmanager
def extra_needed() -> Iterator[None]:
    """Let a package of the extra that is missing end the command, with what brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise CommandError(f"{EXTRA}, got no {error.name}") from error


def served(
    site: "Site", app: Any, listening: "socket.socket", announce: Callable[[], object]
) -> None:
    """Serve a guarded site on a socket that listens, until SIGTERM or SIGINT."""
    from cea_exchange.screens.serving.listening import server

    log_to_standard_error(LogLevel.warning)
    with listening:
        announce()
        asyncio.run(server(app, site.hub.close).serve(sockets=[listening]))
