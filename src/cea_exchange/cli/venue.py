"""`cea-exchange venue`: the venue's daemon, and what its operators do."""

import gc
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cea_exchange.cli import venue_backup, venue_bidding, venue_relay
from cea_exchange.cli.acts import commands_add
from cea_exchange.cli.asking import json_print
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Why
from cea_exchange.cli.venue_asking import VENUE
from cea_exchange.control_plane.signals import StopSignals

WatchOption = Annotated[
    float | None, typer.Option("--watch", min=0.1, help="Again every so many seconds.")
]
Account = Annotated[str, typer.Argument(help="Account.")]


class StatementForm(Enum):
    """How a statement is written down."""

    text = "text"
    json = "json"
    csv = "csv"


PANELS = {
    "The daemon": ("serve", "check", "stop"),
    "Looking": (
        *("status", "statistics", "position", "statement", "blocks", "sessions", "proposals"),
        "log",
    ),
    "Acts": (
        *("halt", "resume", "suspend", "reinstate", "kill", "reference-price"),
        *("list-product", "delist-product", "disconnect", "key"),
    ),
    "Acts of two persons": ("bust", "override", "approve", "reject"),
    "The day": ("clock", "phase", "open-day", "close-day"),
    "After a lost journal": ("adopt",),
    "Biddings, backups, relays": ("bidding", "backup", "restore", "relay"),
}


GROUPS = {"bidding": "Single-direction biddings.", "key": "Keys that were cut off."}


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    from cea_exchange.venue.requests import VENUE_REQUESTS

    group = CommandLine(PANELS)
    for command in (serve, check, status, statement, log, adopt):
        group.command(command.__name__)(command)
    groups = commands_add(group, VENUE, VENUE_REQUESTS.types, GROUPS)
    groups["bidding"].command("open")(venue_bidding.open_)
    venue_backup.register(group)
    venue_relay.register(group)
    app.add_typer(group, name="venue", help="The venue's daemon and its operators.")


def serve(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")],
    data: Data,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Run the venue until it is told to stop (SIGTERM, or `venue stop`)."""
    signals = StopSignals()
    from cea_exchange.domain.calendar import CalendarError
    from cea_exchange.domain.profile import ProfileError
    from cea_exchange.journal import JournalError, JournalFull
    from cea_exchange.protocol.folder_lock import FolderInUse
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load
    from cea_exchange.venue.daemon import VenueDaemon
    from cea_exchange.venue.market.state_machine import StateDiverged

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
        except OSError as error:
            place = error.filename or data
            raise CheckFailed(f"nothing starts: {place}: {error.strerror}") from error
        try:
            signals.lead_to(daemon.stop)
            # What is there by now stays. The garbage collector would look at it again and again,
            # for milliseconds in which orders wait.
            gc.collect()
            gc.freeze()
            daemon.run()
        finally:
            daemon.close()


def check(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")], data: Data
) -> None:
    """Say whether the venue would start with a config on a folder: settings, keys, rules, persons.

    Starts nothing and changes nothing; what is in the journal is for `verify` to say.

    Example: cea-exchange venue check --config venue.toml
    """
    from cea_exchange.cli.config_check import check_all, persons_said
    from cea_exchange.domain.calendar import CalendarError
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.protocol.security import CurveKeys, SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load

    try:
        settings = config_load(config)
    except ConfigError as error:
        raise CommandError(str(error)) from error
    looks = (
        ("settings", lambda: config),
        ("own key", lambda: CurveKeys.load(data / "keys", "venue").public),
        ("registry", lambda: settings.registry_key(data)),
        ("persons", lambda: persons_said(settings.operators_by_key(data))),
        ("profile", lambda: load_profile(settings.profile).name),
        ("archive", lambda: settings.archive_folder(data)),
        ("clock", lambda: settings.clock.kind),
    )
    check_all(looks, CalendarError, ConfigError, ProfileError, SecurityError)


# -- Looking --------------------------------------------------------------------------------------


def status(
    data: Data, key: Key = ADMIN, json: Json = False, watch: WatchOption = None
) -> None:
    """Print where a running venue stands.

    Example: cea-exchange venue status --json
    """
    from cea_exchange.cli.status_page import page_show, venue_page

    if json:
        json_print(VENUE.ask(data, key, {"op": "status"}))
    else:
        page_show(lambda: VENUE.ask(data, key, {"op": "status"}), venue_page, watch)


def statement(
    account: Account,
    data: Data,
    date: Annotated[
        str | None, typer.Option(help="The day, as 2025-07-16; by default the open or last one.")
    ] = None,
    form: Annotated[StatementForm, typer.Option("--format", help="text, json or csv.")] = (
        StatementForm.text
    ),
    out: Annotated[Path | None, typer.Option("--out", help="Write it there.")] = None,
    key: Key = ADMIN,
) -> None:
    """Print an account's day: what it had, every movement, what it has. Changes nothing.

    Example: cea-exchange venue statement P001 --date 2025-07-16 --key rex
    """
    from cea_exchange.domain import statement_forms as forms
    from cea_exchange.protocol.statements import pages, statement_of_answers

    place = VENUE.ask(data, key, {"op": "statement", "account": account, "date": date})
    histories = [
        VENUE.ask(data, key, {"op": "history", "account": account, "from": first, "count": count})
        for first, count in pages(place)
    ]
    try:
        stated = statement_of_answers(place, histories)
    except ValueError as error:
        raise CheckFailed(str(error)) from error
    match form:
        case StatementForm.text:
            text = forms.statement_text(stated)
        case StatementForm.json:
            text = forms.statement_json(stated).decode()
        case StatementForm.csv:
            text = forms.statements_csv([stated])
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{out}: can't be written, {error.strerror}") from error


def log(
    data: Data,
    archive: Annotated[
        Path | None, typer.Option(help="The journal's archive, if it is not in the data folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the operators' acts in the journal: when, who, what, why. Changes nothing.

    Works on the folder of a venue that runs or not.

    Example: cea-exchange venue log --json
    """
    from cea_exchange.journal import JournalError
    from cea_exchange.venue.operations.act_log import acts_read

    try:
        for act in acts_read(data, archive):
            typer.echo(msgspec.json.encode(act).decode() if json else act.sentence())
    except JournalError as error:
        raise CheckFailed(str(error)) from error
    except OSError as error:
        raise CommandError(f"{data}: expected a journal, {error.strerror}") from error


def adopt(
    statement: Annotated[Path, typer.Argument(help="The file that `registry adopt` wrote.")],
    config: Annotated[Path, typer.Option("--config", help="The venue's settings (TOML).")],
    data: Data,
    first: Annotated[Path, typer.Option("--first", help="A first operator's secret key file.")],
    second: Annotated[Path, typer.Option("--second", help="Another operator's.")],
    why: Why,
    json: Json = False,
) -> None:
    """Begin another life from what the registry holds, where the journal lost acknowledged work.

    The venue must not run. Balances are the registry's, no orders rest, numbers go on; the old
    journal and event store are put aside, not deleted. See protocol/adoption.md.

    Example: cea-exchange venue adopt statement --config venue.toml
    --first an.secret --second bo.secret --why "disk lost on 12 May"
    """
    from cea_exchange.domain.profile import ProfileError
    from cea_exchange.journal import JournalError, JournalFull
    from cea_exchange.protocol.adoption import AdoptionError, statement_read
    from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
    from cea_exchange.protocol.operators import two_operators
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load
    from cea_exchange.venue.maintenance.adoption import adopt as adopt_statement

    try:
        settings = config_load(config)
        persons = two_operators(settings.operators_by_key(data), first, second)
        with FolderLock(data, "venue.lock"):
            read = statement_read(statement)
            adopted = adopt_statement(
                data, settings, read, first=persons[0], second=persons[1], why=why
            )
    except (AdoptionError, ConfigError, FolderInUse, ProfileError, SecurityError) as error:
        raise CommandError(str(error)) from error
    except (JournalError, JournalFull) as error:
        raise CheckFailed(f"nothing was adopted: {error}") from error
    if json:
        typer.echo(msgspec.json.encode(adopted).decode())
        return
    for field, value in msgspec.structs.asdict(adopted).items():
        if isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        typer.echo(f"{field:16} {value}")
