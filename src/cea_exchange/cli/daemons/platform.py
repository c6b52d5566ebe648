"""`cea-exchange platform`: the platform's daemon, its copies, and what it is asked.

Commands that ask a running platform are made of its request structs (`acts`).
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from cea_exchange.cli.acts.commands import commands_add
from cea_exchange.cli.acts.platform import PLATFORM
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Watch
from cea_exchange.cli.output import Answer
from cea_exchange.control_plane.signals import StopSignals

PANELS = {
    "The daemon": ("serve", "rehearse", "check", "status", "stop", "clock", "link"),
    "Persons and what waits for a second one": ("person", "proposal", "act"),
    "Who has to report": ("enterprise", "unit", "list"),
    "What is filed": ("evidence", "plan", "month", "report", "filing", "due"),
    "What is true": ("figure", "firm", "verification", "finding", "result", "objection"),
    "What is given and owed": ("balance", "total", "allocation", "obligation"),
    "What is punished": ("case", "penalty"),
    "Proofs and copies": ("verify", "backup", "restore"),
}
GROUPS = {
    "act": "What was done, and by whom.",
    "allocation": "What a province gives its entities.",
    "balance": "The industries' balance values.",
    "case": "Breaches, step by step to the fine that is paid.",
    "clock": "The platform's time and day.",
    "enterprise": "Enterprises, and what is true of each.",
    "evidence": "Documents that figures rest on.",
    "figure": "Figures that are unlikely.",
    "filing": "What the levels say to what was filed.",
    "finding": "What does not conform in a report.",
    "firm": "Firms that verify, report or advise.",
    "link": "The stream to the registry.",
    "list": "The list of key emitting entities of each year.",
    "month": "Monthly figures of units.",
    "objection": "Objections to results and allocations.",
    "obligation": "What entities owe.",
    "penalty": "Decisions that were published.",
    "person": "Who acts at the platform, by key.",
    "plan": "Quality-control plans.",
    "proposal": "What waits for a second person.",
    "report": "Annual reports.",
    "result": "Verified results.",
    "total": "What all provinces together may give.",
    "unit": "Units of enterprises, and what is true of each.",
    "verification": "Reports that firms verify.",
}


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    from cea_exchange.platform.control.admin import PLATFORM_REQUESTS

    group = CommandLine(PANELS)
    for command in (serve, rehearse, check, status):
        group.command(command.__name__)(command)
    commands_add(group, PLATFORM, PLATFORM_REQUESTS.types, GROUPS)
    words = "Filings, verification, allocation, enforcement."
    app.add_typer(group, name="platform", help=words)


def serve(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")],
    data: Data,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Run the platform until it is told to stop (SIGTERM, or `platform stop`).

    Example: cea-exchange platform serve --config platform.toml
    """
    _serve(config, data, log_level)


def rehearse(
    folder: Annotated[Path, typer.Argument(help="A new folder, or a rehearsal's.")],
    log_level: LogLevelOption = LogLevel.warning,
) -> None:
    """Prepare a folder with keys, persons and a power firm's figures, and serve it until told not to.

    Nobody's money or allowances are in it: its keys are there for who reads it. See
    protocol/platform.md.

    Example: cea-exchange platform rehearse rehearsal
    """
    from cea_exchange.ledger.record_store import StoreError
    from cea_exchange.platform.rehearsal import rehearsal_prepare

    try:
        rehearsal_prepare(folder)
    except (StoreError, OSError) as error:
        raise CommandError(f"{folder}: no rehearsal, {error}") from error
    _serve(folder / "platform.toml", folder, log_level)


def _serve(config: Path, data: Path, log_level: LogLevel) -> None:
    signals = StopSignals()

    from cea_exchange.ledger.database.interface import DatabaseError
    from cea_exchange.ledger.record_store import DatabaseAway, StoreError
    from cea_exchange.platform.config import config_load
    from cea_exchange.platform.daemon import PlatformDaemon
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError

    log_to_standard_error(log_level)
    with crash_logged():
        try:
            daemon = PlatformDaemon(
                config_load(config), data, is_stopping=lambda: signals.are_asked
            )
        except DatabaseAway as error:
            if signals.are_asked:
                return
            raise CommandError(str(error)) from error
        except (ConfigError, SecurityError, StoreError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CheckFailed(f"nothing starts: the platform's database: {error}") from error
        with daemon:
            signals.lead_to(daemon.stop)
            daemon.run()


def check(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")], data: Data
) -> None:
    """Say whether the platform would start with a config on a folder: settings, keys, persons.

    Starts nothing and changes nothing.

    Example: cea-exchange platform check --config platform.toml
    """
    from cea_exchange.cli.daemons.config_check import check_all, persons_said
    from cea_exchange.ledger.database.folder import has_database, reader_open
    from cea_exchange.ledger.database.interface import DatabaseError
    from cea_exchange.ledger.database.schema import schema_check
    from cea_exchange.platform.config import config_load
    from cea_exchange.platform.store import PLATFORM_SCHEMA
    from cea_exchange.protocol.security import CurveKeys, SecurityError
    from cea_exchange.protocol.settings import ConfigError

    try:
        settings = config_load(config)
    except ConfigError as error:
        raise CommandError(str(error)) from error

    def database() -> str:
        if settings.database is None and not has_database(data / "platform"):
            return "none yet, the first start makes it"
        with closing(reader_open(data / "platform", settings.database)) as opened:
            if not opened.has_schema():
                return f"{opened.name}, empty: the first start makes its tables"
            schema_check(opened, PLATFORM_SCHEMA)
            return opened.name

    looks = (
        ("settings", lambda: config),
        ("own key", lambda: CurveKeys.load(data / "keys", "platform").public),
        ("registry", lambda: settings.registry_key(data)),
        ("persons", lambda: persons_said(settings.operators_by_key(data))),
        ("database", database),
        ("clock", lambda: settings.clock.kind),
    )
    check_all(looks, ConfigError, SecurityError, DatabaseError)


def status(
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
    watch: Watch = None,
) -> None:
    """Print where a running platform stands.

    Example: cea-exchange platform status
    """
    from cea_exchange.cli.daemons.status_page import platform_page, status_show

    def ask() -> Answer:
        return PLATFORM.ask(data, key, {"op": "status"}, json)

    status_show(ask, platform_page, watch, json)
