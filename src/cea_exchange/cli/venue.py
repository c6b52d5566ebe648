"""`cea-exchange venue`: the venue's daemon, and what its operators do."""

import gc
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cea_exchange.cli import venue_backup, venue_bidding, venue_relay
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
from cea_exchange.cli.readable import PriceArgument
from cea_exchange.cli.venue_asking import (
    act,
    answer,
    blocks_shown,
    look,
    position_shown,
    rows_shown,
    statistics_shown,
)
from cea_exchange.control_plane.signals import StopSignals

WatchOption = Annotated[
    float | None, typer.Option("--watch", min=0.1, help="Again every so many seconds.")
]
Product = Annotated[str | None, typer.Argument(help="Product; left out, the whole market.")]
Account = Annotated[str, typer.Argument(help="Account.")]
Number = Annotated[int, typer.Argument(help="The proposal's number.")]


class StatementForm(Enum):
    """How a statement is written down."""

    text = "text"
    json = "json"
    csv = "csv"


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands: dict[str, tuple[Callable[..., None], ...]] = {
        "The daemon": (serve, check, stop),
        "Looking": (status, statistics, position, statement, blocks, sessions, proposals, log),
        "Acts": (
            *(halt, resume, suspend, reinstate, kill, reference_price),
            *(list_product, delist_product, disconnect, key_restore),
        ),
        "Acts of two persons": (bust, override, approve, reject),
        "The day": (clock, phase, open_day, close_day),
        "After a lost journal": (adopt,),
    }
    named = {
        panel: {command.__name__.replace("_", "-"): command for command in listed}
        for panel, listed in commands.items()
    }
    group = CommandLine(
        {panel: tuple(listed) for panel, listed in named.items()}
        | {"Biddings, backups, relays": ("bidding", "backup", "restore", "relay")}
    )
    for listed in named.values():
        for name, command in listed.items():
            group.command(name)(command)
    venue_backup.register(group)
    venue_relay.register(group)
    venue_bidding.register(group)
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
        json_print(answer(data, key, {"op": "status"}))
    else:
        page_show(lambda: answer(data, key, {"op": "status"}), venue_page, watch)


def statistics(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print each product's prices and totals of the day, by method.

    Example: cea-exchange venue statistics
    """
    look(data, key, {"op": "statistics"}, json, statistics_shown)


def position(account: Account, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print what an account holds at the venue.

    Example: cea-exchange venue position P001 --key rex
    """
    look(data, key, {"op": "position", "account": account}, json, position_shown)


def blocks(
    data: Data,
    first: Annotated[int, typer.Option("--from", help="The lowest block id to print.")] = 0,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Print the open block offers and enquiries, and what they have locked.

    Example: cea-exchange venue blocks --key rex
    """
    look(data, key, {"op": "blocks", "from": first}, json, blocks_shown)


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

    place = answer(data, key, {"op": "statement", "account": account, "date": date})
    histories = [
        answer(data, key, {"op": "history", "account": account, "from": first, "count": count})
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


def sessions(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print who is logged on.

    Example: cea-exchange venue sessions
    """
    look(data, key, {"op": "sessions"}, json, rows_shown("sessions", "nobody is logged on"))


def proposals(data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Print what waits for a second operator.

    Example: cea-exchange venue proposals --key bo
    """
    look(data, key, {"op": "proposals"}, json, rows_shown("proposals", "nothing waits"))


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


# -- Acts -----------------------------------------------------------------------------------------


def halt(
    data: Data, product: Product = None, why: Why = "", key: Key = ADMIN, json: Json = False
) -> None:
    """Halt a product, or the market.

    Example: cea-exchange venue halt CEA24 --why "news awaited"
    """
    act(data, key, {"op": "halt", "product": product, "why": why}, json)


def resume(
    data: Data, product: Product = None, why: Why = "", key: Key = ADMIN, json: Json = False
) -> None:
    """Lift the halt of a product, or of the market.

    Example: cea-exchange venue resume CEA24
    """
    act(data, key, {"op": "resume", "product": product, "why": why}, json)


def suspend(account: Account, data: Data, why: Why, key: Key = ADMIN, json: Json = False) -> None:
    """Suspend an account: its orders are cancelled, it may only receive.

    Example: cea-exchange venue suspend P001 --why "court order 12"
    """
    act(data, key, {"op": "suspend", "account": account, "why": why}, json)


def reinstate(
    account: Account, data: Data, why: Why = "", key: Key = ADMIN, json: Json = False
) -> None:
    """Let a suspended or killed account trade again.

    Example: cea-exchange venue reinstate P001
    """
    act(data, key, {"op": "restore", "account": account, "why": why}, json)


def kill(
    data: Data,
    why: Why,
    account: Annotated[str | None, typer.Argument(help="Account.")] = None,
    market: Annotated[bool, typer.Option("--market", help="Everybody, and halt.")] = False,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Kill switch: cancel an account's orders and suspend it, or everybody's and halt the market.

    Example: cea-exchange venue kill P001 --why "runaway program"
    """
    act(data, key, {"op": "kill", "account": account, "market": market, "why": why}, json)


def reference_price(
    product: Annotated[str, typer.Argument(help="Product.")],
    price: PriceArgument,
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Measure a product's band from another price, before the day's first listed phase.

    Example: cea-exchange venue reference-price CEA24 97.49 --why "split"
    """
    request = {"op": "reference_price", "product": product, "price": price, "why": why}
    act(data, key, request, json)


def list_product(
    product: Annotated[str, typer.Argument(help="Product.")],
    price: PriceArgument,
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a product be traded, before the day's first listed phase or while no day is open.

    The registry declares products; one that was delisted, or that a notice lists later only, is
    listed by this.

    Example: cea-exchange venue list-product CEA26 81.50 --why "announcement of 12 May"
    """
    request = {"op": "list", "product": product, "price": price, "why": why}
    act(data, key, request, json)


def delist_product(
    product: Annotated[str, typer.Argument(help="Product.")],
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Let a product be traded no more: what is open of it ends, holdings stay and may leave.

    Example: cea-exchange venue delist-product CEA19-20 --why "carried over"
    """
    act(data, key, {"op": "delist", "product": product, "why": why}, json)


def disconnect(
    who: Annotated[str, typer.Argument(help="A public key, or an account.")],
    data: Data,
    why: Why = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """End the sessions of a key or an account and cancel their orders; they may log on again.

    Example: cea-exchange venue disconnect P001
    """
    act(data, key, {"op": "disconnect", "who": who, "why": why}, json)


def key_restore(
    public_key: Annotated[str, typer.Argument(help="The public key that was cut off.")],
    data: Data,
    why: Why = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Admit a key again that was cut off because fronts ended where it was.

    `venue status` names those (`keys_cut_off`); ask the key's holder first.

    Example: cea-exchange venue key-restore "$(cat keys/p001.public)"
    """
    act(data, key, {"op": "key_restore", "key": public_key, "why": why}, json)


# -- What takes two persons -----------------------------------------------------------------------


def bust(
    trade_id: Annotated[int, typer.Argument(help="The trade's number.")],
    data: Data,
    why: Why,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Propose to undo a trade; prints the number that another operator approves.

    Example: cea-exchange venue bust 4711 --why "wrong price by agreement" --key an
    """
    act(data, key, {"op": "bust", "trade_id": trade_id, "why": why}, json)


def override(data: Data, why: Why, key: Key = ADMIN, json: Json = False) -> None:
    """Propose to open the next day without the registry's confirmation of the last.

    Example: cea-exchange venue override --why "registry back at noon" --key an
    """
    act(data, key, {"op": "override", "why": why}, json)


def approve(number: Number, data: Data, key: Key = ADMIN, json: Json = False) -> None:
    """Agree to another operator's proposal, with a key of your own; it happens at once.

    Example: cea-exchange venue approve 831442 --key bo
    """
    act(data, key, {"op": "approve", "number": number}, json)


def reject(
    number: Number, data: Data, why: Why = "", key: Key = ADMIN, json: Json = False
) -> None:
    """Take a proposal away.

    Example: cea-exchange venue reject 831442 --key bo
    """
    act(data, key, {"op": "reject", "number": number, "why": why}, json)


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


# -- The day and the daemon -----------------------------------------------------------------------


def clock(
    at: Annotated[str, typer.Argument(help="ISO 8601 time with offset.")],
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Move a manual clock, and what falls due on the way happens; confirm a doubted system's clock.

    Example: cea-exchange venue clock 2025-07-16T09:30:00+08:00
    """
    act(data, key, {"op": "clock", "at": at}, json)


def phase(
    name: Annotated[str, typer.Argument(help="pre_open, listed, break, listed_and_block, closed.")],
    data: Data,
    why: Why = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Set the phase of the open day.

    Example: cea-exchange venue phase break --why "early lunch"
    """
    act(data, key, {"op": "phase", "phase": name, "why": why}, json)


def open_day(
    date: Annotated[str, typer.Argument(help="Date, as 2025-07-16.")],
    data: Data,
    why: Why = "",
    key: Key = ADMIN,
    json: Json = False,
) -> None:
    """Open a trading day, whatever the calendar says; where the clock runs, none after today.

    Example: cea-exchange venue open-day 2025-07-16
    """
    act(data, key, {"op": "open_day", "date": date, "why": why}, json)


def close_day(data: Data, why: Why = "", key: Key = ADMIN, json: Json = False) -> None:
    """Close the trading day.

    Example: cea-exchange venue close-day
    """
    act(data, key, {"op": "close_day", "why": why}, json)


def stop(data: Data, why: Why = "", key: Key = ADMIN, json: Json = False) -> None:
    """End the daemon.

    Example: cea-exchange venue stop
    """
    act(data, key, {"op": "stop", "why": why}, json)
