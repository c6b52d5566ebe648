"""`cea-exchange cluster way-in`: holds participants' sessions, whichever venue leads."""

from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.loading import modules_loading
from cea_exchange.cli.errors import bad_input, nothing_starts
from cea_exchange.cli.options import Data
from cea_exchange.control_plane.signals import StopSignals


def register(group: typer.Typer) -> None:
    """Add the command to the group."""
    group.command("way-in")(way_in)


def way_in(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")],
    data: Data,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Let participants in to whichever venue of a cluster leads, until SIGTERM.

    Their sessions outlive the leader: they see a pause. Its keys are `way_in` in the data folder.

    Example: cea-exchange cluster way-in --config way_in.toml
    """
    signals = StopSignals()
    with modules_loading():
        from cea_exchange.cluster.way_in.config import config_load
        from cea_exchange.cluster.way_in.daemon import WayInDaemon
        from cea_exchange.protocol.folder_lock import FolderInUse
        from cea_exchange.protocol.security import SecurityError
        from cea_exchange.protocol.settings import ConfigError

    log_to_standard_error(log_level)
    with crash_logged(), bad_input(ConfigError, FolderInUse, SecurityError):
        with nothing_starts(data):
            daemon = WayInDaemon(config_load(config), data)
        try:
            signals.lead_to(daemon.stop)
            daemon.run()
        finally:
            daemon.close()
