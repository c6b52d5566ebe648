"""`cea-exchange venue relay`: serves public market data from a process of its own."""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.loading import modules_loading
from cea_exchange.cli.errors import bad_input, check_failed, nothing_starts
from cea_exchange.cli.options import Data
from cea_exchange.control_plane.signals import StopSignals

STANDARD_INPUT = Path("-")
LINE_BYTES_MAX = 1 << 20
"""Of the settings that a venue hands its own relay."""


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("relay")(relay)


def relay(
    config: Annotated[
        Path, typer.Option("--config", help="Settings (TOML); - for a venue's own relay.")
    ],
    data: Data,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Pass a venue's market data on to the public, until told to stop (SIGTERM).

    A venue runs one of its own; this is for another machine. With `-` the settings are the first
    line of standard input, and the relay ends with it.

    Example: cea-exchange venue relay --config relay.toml
    """
    with modules_loading():
        from cea_exchange.protocol.folder_lock import FolderInUse
        from cea_exchange.protocol.security import SecurityError
        from cea_exchange.protocol.settings import ConfigError
        from cea_exchange.venue.publication.relay import RelayOverMemory

    log_to_standard_error(log_level)
    with (
        crash_logged(),
        check_failed(RelayOverMemory, says="begin it again: "),
        bad_input(ConfigError, FolderInUse, SecurityError),
    ):
        if config == STANDARD_INPUT:
            _of_venue(data)
        else:
            _alone(config, data)


def _of_venue(data: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        # They go to all processes of a service or terminal; this one ends after its venue.
        signal.signal(number, signal.SIG_IGN)
    from cea_exchange.control_plane.limits import limits_set
    from cea_exchange.protocol.security import CurveKeys
    from cea_exchange.venue.publication.relay import KEYS_NAME, NICENESS, ChildSettings, Relay

    # Unbuffered: what comes behind its line is the relay's.
    lifeline = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
    with bad_input(msgspec.MsgspecError, says="standard input: expected a venue's settings, "):
        settings = msgspec.json.decode(lifeline.readline(LINE_BYTES_MAX), type=ChildSettings)
    limits_set(settings.config.memory_mib_max, niceness=NICENESS)
    pulse = sys.stdout.fileno()
    # A venue that stands still must not make its relay do so.
    os.set_blocking(pulse, False)
    relay = Relay(
        settings.config,
        CurveKeys.load(data / "keys", KEYS_NAME),
        lambda is_alive: settings.upstream,
        descriptors=settings.descriptors,
        lifeline=lifeline.fileno(),
        is_public=settings.is_public,
        pulse=pulse,
    )
    with contextlib.closing(relay):
        relay.run()


def _alone(config: Path, data: Path) -> None:
    signals = StopSignals()
    from cea_exchange.control_plane.limits import limits_set
    from cea_exchange.protocol.folder_lock import FolderLock
    from cea_exchange.protocol.settings import settings_read
    from cea_exchange.venue.publication.relay import (
        NICENESS,
        Relay,
        RelayConfig,
        UpstreamSought,
        endpoints_write,
    )
    from cea_exchange.venue.publication.relay_child import relay_keys_load

    settings = settings_read(config, RelayConfig)
    sought = UpstreamSought(settings.whereabouts(data))
    with contextlib.ExitStack() as opened:
        with nothing_starts(data):
            opened.enter_context(FolderLock(data / "relay"))
            opened.enter_context(contextlib.closing(sought))
            keys = relay_keys_load(data)
            limits_set(settings.memory_mib_max, niceness=NICENESS)
            relay = Relay(settings, keys, sought)
            opened.enter_context(contextlib.closing(relay))
            endpoints_write(data, relay, keys.public)
        signals.lead_to(relay.stop)
        relay.run()
