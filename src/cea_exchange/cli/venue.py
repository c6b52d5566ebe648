"""`cea-exchange venue`: the venue's daemon, and what its operators do."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cea_exchange.cli import venue_backup
from cea_exchange.cli.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemon_signals import stop_on_signals
from cea_exchange.cli.errors import CheckFailed, CommandError

Data = Annotated[Path, typer.Option("--data", help="Data folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WatchOption = Annotated[
    float | None, typer.Option("--watch", min=0.1, help="Again every so many seconds.")
]
Product = Annotated[str | None, typer.Argument(help="Product; left out, the whole market.")]
Account = Annotated[str, typer.Argument(help="Account.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    commands = (
        serve, status, halt, resume, kill, reinstate, clock, phase, open_day, close_day, stop,
    )
    for command in commands:
        group.command(command.__name__.replace("_", "-"))(command)
    venue_backup.register(group)
    app.add_typer(group, name="venue", help="The venue's daemon and its operators.")


def serve(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")],
    data: Data,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Run the venue until it is told to stop (SIGTERM, or `venue stop`)."""
    from cea_exchange.domain.calendar import CalendarError
    from cea_exchange.domain.profile import ProfileError
    from cea_exchange.journal import FolderInUse, JournalError, JournalFull
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load
    from cea_exchange.venue.daemon import VenueDaemon
    from cea_exchange.venue.state_machine import StateDiverged

    log_to_standard_error(log_level)
    with crash_logged():
        try:
            daemon = VenueDaemon(config_load(config), data)
        except (JournalError, JournalFull, StateDiverged) as error:
            raise CheckFailed(f"nothing starts: {error}") from error
        except (
            CalendarError,
            ConfigError,
            FolderInUse,
            ProfileError,
            SecurityError,
        ) as error:
            raise CommandError(str(error)) from error
        stop_on_signals(daemon.stop)
        try:
            daemon.run()
        finally:
            daemon.close()


def status(data: Data, json: Json = False, watch: WatchOption = None) -> None:
    """Print where a running venue stands."""
    from cea_exchange.cli.status_page import page_show, venue_page

    if json:
        _ask(data, {"op": "status"}, json)
    else:
        page_show(lambda: _answer(data, {"op": "status"}), venue_page, watch)


def halt(data: Data, product: Product = None, json: Json = False) -> None:
    """Halt a product, or the market."""
    _ask(data, {"op": "halt", "product": product}, json)


def resume(data: Data, product: Product = None, json: Json = False) -> None:
    """Lift the halt of a product, or of the market."""
    _ask(data, {"op": "resume", "product": product}, json)


def kill(account: Account, data: Data, json: Json = False) -> None:
    """Suspend an account: its orders are cancelled and it may not trade."""
    _ask(data, {"op": "suspend", "account": account}, json)


def reinstate(account: Account, data: Data, json: Json = False) -> None:
    """Let a suspended account trade again."""
    _ask(data, {"op": "restore", "account": account}, json)


def clock(
    at: Annotated[str, typer.Argument(help="ISO 8601 time with offset.")],
    data: Data,
    json: Json = False,
) -> None:
    """Move a manual clock; what falls due on the way happens."""
    _ask(data, {"op": "clock", "at": at}, json)


def phase(
    name: Annotated[str, typer.Argument(help="pre_open, listed, break, listed_and_block, closed.")],
    data: Data,
    json: Json = False,
) -> None:
    """Set the phase of the open day."""
    _ask(data, {"op": "phase", "phase": name}, json)


def open_day(
    date: Annotated[str, typer.Argument(help="Date, as 2025-07-16.")],
    data: Data,
    json: Json = False,
) -> None:
    """Open a trading day, whatever the calendar says."""
    _ask(data, {"op": "open_day", "date": date}, json)


def close_day(data: Data, json: Json = False) -> None:
    """Close the trading day."""
    _ask(data, {"op": "close_day"}, json)


def stop(data: Data, json: Json = False) -> None:
    """End the daemon."""
    _ask(data, {"op": "stop"}, json)


def _answer(data: Path, request: dict[str, Any]) -> dict[str, Any]:
    from cea_exchange.venue.admin_client import AdminError, admin_ask

    try:
        return admin_ask(data, request)
    except AdminError as error:
        raise CommandError(str(error)) from error


def _ask(data: Path, request: dict[str, Any], json: bool) -> None:
    answer = _answer(data, request)
    if json:
        typer.echo(msgspec.json.encode(answer).decode())
        return
    for field, value in answer.items():
        if field != "op":
            typer.echo(f"{field:16} {value}")
