"""`cea-exchange cluster log`: a node of the replicated log, on its own machine."""

from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.loading import modules_loading
from cea_exchange.cli.errors import CheckFailed, bad_input, check_failed
from cea_exchange.cli.options import Data, PlainJson
from cea_exchange.cli.output import json_print
from cea_exchange.control_plane.signals import StopSignals

Config = Annotated[Path, typer.Option("--config", help="The node's settings (TOML).")]


def register(group: typer.Typer) -> None:
    """Add the group to `cluster`."""
    own = CommandLine()
    own.command("serve")(serve)
    own.command("check")(check)
    own.command("secrets")(secrets)
    group.add_typer(own, name="log", help="The nodes of the replicated log.")


def serve(config: Config, data: Data, log_level: LogLevelOption = LogLevel.info) -> None:
    """Run a node of the replicated log until SIGTERM.

    Its server is started again where it can't go on, as after a full disk.

    Example: cea-exchange cluster log serve --config log_node.toml --data DIR
    """
    signals = StopSignals()
    with modules_loading():
        from cea_exchange.cluster.log_nodes.rights import SecretError
        from cea_exchange.cluster.log_nodes.server import ServerMissing
        from cea_exchange.cluster.log_nodes.service import (
            LogNodeEnded,
            LogNodeError,
            LogNodeService,
        )
        from cea_exchange.cluster.log_nodes.settings import log_node_read
        from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
        from cea_exchange.protocol.settings import ConfigError

    log_to_standard_error(log_level)
    with (
        crash_logged(),
        check_failed(LogNodeEnded),
        bad_input(ConfigError, FolderInUse, LogNodeError, SecretError, ServerMissing),
        FolderLock(data),
    ):
        service = LogNodeService(log_node_read(config), config.parent, data)
        signals.lead_to(service.stop)
        service.run()


def check(config: Config, json: PlainJson = False) -> None:
    """Ask the node on this machine how it is; exit status 1 where it is not well.

    The status is also 1 where less than 20 GB of its disk are free, and the log may take more.

    Example: cea-exchange cluster log check --config log_node.toml
    """
    import msgspec

    from cea_exchange.cluster.log_nodes.health import log_node_health
    from cea_exchange.cluster.log_nodes.settings import log_node_read
    from cea_exchange.protocol.settings import ConfigError

    with bad_input(ConfigError):
        settings = log_node_read(config)
    health = log_node_health(settings.node, settings.monitor, peers=len(settings.peers))
    if json:
        json_print(msgspec.to_builtins(health))
    else:
        typer.echo(f"{health.node}: {'well' if health.is_well else 'not well'}")
        free = health.disk_free_bytes
        typer.echo("disk: not known" if free is None else f"disk: {free} bytes free")
        for stream in health.streams:
            typer.echo(f"{stream.name}: {stream.last_seq} messages, led by {stream.leader or '-'}")
    if said := (*health.faults, *health.warnings):
        raise CheckFailed("; ".join(said))


def secrets(
    folder: Annotated[Path, typer.Argument(help="Where to; what is there already stays.")],
) -> None:
    """Draw a secret for each right at the log, a file each.

    Example: cea-exchange cluster log secrets /etc/cea-exchange/secrets
    """
    from cea_exchange.cluster.log_nodes.rights import HOLDERS, secrets_new

    secrets_new(folder)
    typer.echo(f"{folder}: {', '.join(HOLDERS)}")
