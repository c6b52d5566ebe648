"""`cea-exchange registry`: the registry's daemon, the check of its ledger, and what it is asked.

Commands that ask a running registry are made of its request structs (`acts`).
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cea_exchange.cli.acts.commands import commands_add
from cea_exchange.cli.acts.registry import REGISTRY
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemons import registry_database, registry_proof
from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.registry_database import Database
from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Watch, Why
from cea_exchange.cli.output import Answer, fields_print, json_print
from cea_exchange.control_plane.signals import StopSignals

PANELS = {
    "The daemon": ("serve", "check", "status", "stop", "clock"),
    "Persons and what waits for a second one": ("person", "proposal", "act", "duty"),
    "Accounts, products, holdings": (
        *("account", "product", "key", "transfer", "cash", "entry", "statement", "objection"),
    ),
    "Allowances, from the authority and back": (
        *("allocation", "obligation", "shortfall", "correction", "surrender", "offset"),
        "carryover",
    ),
    "Settlement and the bank": ("bank", "failure", "default", "reserve", "claim"),
    "Courts, dispositions, notices": ("freeze", "disposition", "notice"),
    "Proofs and copies": (
        *("reconcile", "verify", "audit", "receipt", "backup", "restore", "adopt"),
    ),
}
GROUPS = {
    "account": "Entities' accounts, and what they hold.",
    "act": "What was done, and by whom.",
    "allocation": "Issue and distribute allowances.",
    "bank": "Instructions to the settlement bank, and its answers.",
    "carryover": "Closed vintages into the next one.",
    "cash": "Cash in and out.",
    "claim": "What a bust left owing.",
    "clock": "The registry's time and day.",
    "correction": "Orders to surrender what was missing.",
    "default": "Who did not deliver or pay.",
    "disposition": "Voluntary cancellation, inheritance, succession, enforcement.",
    "duty": "What is to be done by a day.",
    "entry": "The ledger's entries.",
    "failure": "Trades that could not be posted.",
    "freeze": "What courts have frozen.",
    "key": "Participants' keys at the venue.",
    "notice": "Public notices.",
    "objection": "Objections to statements.",
    "obligation": "Who owes what, and who complied.",
    "offset": "CCERs against emissions.",
    "person": "Who acts at the registry, by key.",
    "product": "Products.",
    "proposal": "What waits for a second person.",
    "receipt": "Proofs of balances and acts, for every holder.",
    "reserve": "The settlement risk reserve.",
    "shortfall": "Who was short at the deadline.",
    "statement": "Account statements.",
    "surrender": "Allowances against emissions.",
    "transfer": "Transfers to the venue and back.",
}


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    from cea_exchange.registry.control.admin import REGISTRY_REQUESTS

    group = CommandLine(PANELS)
    for command in (serve, check, status, reconcile, adopt):
        group.command(command.__name__)(command)
    groups = commands_add(group, REGISTRY, REGISTRY_REQUESTS.types, GROUPS)
    registry_proof.register(group)
    registry_database.register(group)
    # The noun that users learned first.
    words = "As `registry allocation`."
    group.add_typer(groups["allocation"], name="allocate", help=words, hidden=True)
    app.add_typer(group, name="registry", help="Ledger, settlement, reconciliation.")


def serve(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")],
    data: Data,
    log_level: LogLevelOption = LogLevel.info,
) -> None:
    """Run the registry until it is told to stop (SIGTERM, or `registry stop`)."""
    signals = StopSignals()

    from cea_exchange.ledger.database.interface import DatabaseError
    from cea_exchange.ledger.store import DatabaseAway, StoreError
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.registry.config import config_load
    from cea_exchange.registry.daemon import RegistryDaemon

    log_to_standard_error(log_level)
    with crash_logged():
        try:
            daemon = RegistryDaemon(
                config_load(config), data, is_stopping=lambda: signals.are_asked
            )
        except DatabaseAway as error:
            if signals.are_asked:
                return
            raise CommandError(str(error)) from error
        except (ConfigError, SecurityError, StoreError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CheckFailed(f"nothing starts: the registry's database: {error}") from error
        with daemon:
            signals.lead_to(daemon.stop)
            daemon.run()


def check(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")], data: Data
) -> None:
    """Say whether the registry would start with a config on a folder: settings, keys, persons.

    Starts nothing and changes nothing; what is in the ledger is for `reconcile` to say.

    Example: cea-exchange registry check --config registry.toml
    """
    from cea_exchange.cli.daemons.config_check import check_all, persons_said
    from cea_exchange.ledger.database.folder import has_database, reader_open
    from cea_exchange.ledger.database.interface import DatabaseError
    from cea_exchange.ledger.database.schema import schema_check
    from cea_exchange.protocol.security import CurveKeys, SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.registry.config import config_load
    from cea_exchange.registry.store import REGISTRY_SCHEMA

    try:
        settings = config_load(config)
    except ConfigError as error:
        raise CommandError(str(error)) from error

    def database() -> str:
        if settings.database is None and not has_database(data / "registry"):
            return "none yet, the first start makes it"
        with closing(reader_open(data / "registry", settings.database)) as opened:
            if not opened.has_schema():
                return f"{opened.name}, empty: the first start makes its tables"
            schema_check(opened, REGISTRY_SCHEMA)
            return opened.name

    def bank() -> str:
        if settings.bank is None:
            return "none"
        if settings.bank.data is None:
            return f"{settings.bank.name}, files by hand"
        return f"{settings.bank.name} at {settings.bank.data}"

    looks = (
        ("settings", lambda: config),
        ("own key", lambda: CurveKeys.load(data / "keys", "registry").public),
        ("venue", lambda: settings.venue_key(data)),
        ("persons", lambda: persons_said(settings.operators_by_key(data))),
        ("database", database),
        ("bank", bank),
        ("clock", lambda: settings.clock.kind),
    )
    check_all(looks, ConfigError, SecurityError, DatabaseError)


def status(
    data: Data,
    key: Key = ADMIN,
    json: Json = False,
    watch: Watch = None,
) -> None:
    """Print where a running registry stands.

    Example: cea-exchange registry status
    """
    from cea_exchange.cli.daemons.status_page import registry_page, status_show

    def ask() -> Answer:
        return REGISTRY.ask(data, key, {"op": "status"}, json)

    status_show(ask, registry_page, watch, json)


def adopt(
    config: Annotated[Path, typer.Option("--config", help="The registry's settings (TOML).")],
    data: Data,
    first: Annotated[Path, typer.Option("--first", help="A first operator's secret key file.")],
    second: Annotated[Path, typer.Option("--second", help="Another operator's.")],
    why: Why,
    out: Annotated[Path, typer.Option("--out", help="The statement's file, a new one.")],
    json: Json = False,
) -> None:
    """Let a new stream follow the last settled record, where the venue lost its journal.

    The registry must not run. From then on it refuses the venue of before; `venue adopt` begins
    the new one from the statement. See protocol/adoption.md.

    Example: cea-exchange registry adopt --config registry.toml
    --first an.secret --second bo.secret --why "disk lost on 12 May" --out statement
    """
    from cea_exchange.institution.clock import GuardedClock
    from cea_exchange.ledger.store import StoreError
    from cea_exchange.protocol.adoption import AdoptionError
    from cea_exchange.protocol.clock import Clock
    from cea_exchange.protocol.operators import two_operators
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.registry.config import config_load
    from cea_exchange.registry.maintenance.adoption import adopt as adopt_stream
    from cea_exchange.registry.noted_time import noted_ns
    from cea_exchange.registry.store import RegistryStore

    try:
        settings = config_load(config)
        persons = two_operators(settings.operators_by_key(data), first, second)
        with RegistryStore.open(data, settings.database) as store:
            # By a wrong clock it is of the time that was noted last.
            at_ns = GuardedClock(Clock(settings.clock), noted_ns(store)).now_ns()
            statement = adopt_stream(
                store, out, first=persons[0], second=persons[1], why=why, at_ns=at_ns
            )
    except (AdoptionError, ConfigError, SecurityError, StoreError) as error:
        raise CommandError(str(error)) from error
    shown = {
        "old_log_id": statement.old_log_id,
        "log_id": statement.log_id,
        "last_seq": statement.state.settlement_seq,
        "trading_date": statement.state.trading_date,
        "holdings_hash": f"{statement.holdings_hash:016x}",
        "statement": str(out),
    }
    fields_print(shown, json)


def reconcile(data: Data, json: Json = False, database: Database = None) -> None:
    """Check the ledger against itself, its records and the venue's hashes; 1 if it differs."""
    from cea_exchange.ledger.store import StoreError
    from cea_exchange.registry.reconciliation.reconcile import check_ledger

    try:
        found = check_ledger(data, database)
    except StoreError as error:
        raise CommandError(str(error)) from error
    if json:
        json_print({"agrees": found.agrees, **msgspec.structs.asdict(found)})
    elif found.agrees:
        typer.echo(found.sentence())
    else:
        for difference in found.differences:
            typer.echo(difference)
    if not found.agrees:
        raise CheckFailed(found.sentence())
