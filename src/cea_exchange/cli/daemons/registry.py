"""`cea-exchange registry`: the registry's daemon, the check of its ledger, and what it is asked.

Commands that ask a running registry are made of its request structs (`acts`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cea_exchange.cli.acts.registry import REGISTRY
from cea_exchange.cli.daemons.config_check import Look
from cea_exchange.cli.daemons.institution import Config, Database
from cea_exchange.cli.daemons.traded import TradedCommands
from cea_exchange.cli.errors import bad_input
from cea_exchange.cli.options import Data, Json, Why
from cea_exchange.cli.output import fields_print
from cea_exchange.cli.readable import date_shown

if TYPE_CHECKING:
    from cea_exchange.cli.daemons.status_page import Sections
    from cea_exchange.control_plane.requests import Requests
    from cea_exchange.ledger.audit import Check
    from cea_exchange.registry.config import RegistryConfig
    from cea_exchange.registry.daemon import RegistryDaemon
    from cea_exchange.registry.store import RegistryStore

PANELS = {
    "The daemon": ("serve", "check", "status", "stop", "clock", "calendar"),
    "Persons and what waits for a second one": ("person", "proposal", "act", "duty"),
    "Accounts, products, holdings": (
        *("account", "product", "key", "transfer", "cash", "entry", "statement", "objection"),
    ),
    "Allowances, from the authority and back": (
        *("allocation", "obligation", "shortfall", "correction", "surrender", "offset"),
        "carryover",
    ),
    "Settlement and the bank": (
        *("bank", "failure", "default", "reserve", "claim", "adjustment"),
    ),
    "Courts, dispositions, notices": ("freeze", "disposition", "notice"),
    "Proofs and copies": (
        *("reconcile", "verify", "audit", "receipt", "backup", "restore", "standby", "adopt"),
    ),
}
GROUPS = {
    "account": "Entities' accounts, and what they hold.",
    "allocation": "Issue and distribute allowances.",
    "bank": "Instructions to the settlement bank, and its answers.",
    "calendar": "The working days that terms are counted by.",
    "carryover": "Closed vintages into the next one.",
    "cash": "Cash in and out.",
    "adjustment": "Accounts by which the authority adjusts the market, and what they brought.",
    "claim": "What a bust left owing.",
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
    "product": "Products.",
    "receipt": "Proofs of balances and acts, for every holder.",
    "reserve": "The settlement risk reserve.",
    "shortfall": "Who was short at the deadline.",
    "statement": "Account statements.",
    "surrender": "Allowances against emissions.",
    "transfer": "Transfers to the venue and back.",
}


class RegistryCommands(TradedCommands):
    """The registry's commands."""

    asker = REGISTRY
    help = "Ledger, settlement, reconciliation."
    panels = PANELS
    groups = GROUPS

    def requests(self) -> "Requests":
        """Return what it is asked."""
        from cea_exchange.registry.control.admin import REGISTRY_REQUESTS

        return REGISTRY_REQUESTS

    def config_class(self) -> type["RegistryConfig"]:
        """Return the type of its settings."""
        from cea_exchange.registry.config import RegistryConfig

        return RegistryConfig

    def store_class(self) -> type["RegistryStore"]:
        """Return how its database is opened."""
        from cea_exchange.registry.store import RegistryStore

        return RegistryStore

    def daemon_class(self) -> type["RegistryDaemon"]:
        """Return its daemon."""
        from cea_exchange.registry.daemon import RegistryDaemon

        return RegistryDaemon

    def page(self, status: Mapping[str, Any]) -> "Sections":
        """Return its status, with how far settlement is and what the ledger has."""
        from cea_exchange.cli.daemons.status_page import institution_page

        day = status["confirmed_date"]
        place = [
            ("applied", f"record {status['last_seq']:,}"),
            ("lag", f"{status['lag_records']:,} records"),
            ("confirmed", date_shown(day) if day else "no day yet"),
            ("log id", status["log_id"] or "none yet"),
        ]
        counts = [
            ("accounts", f"{status['accounts']:,}, products {status['products']:,}"),
            ("trades", f"{status['trades']:,}, entries {status['entries']:,}"),
            ("transfers", f"{status['transfers_pending']:,} pending"),
            ("bank", f"{status['bank_unapplied']:,} of its answers not applied"),
            ("duties", f"{status['duties_overdue']:,} overdue"),
        ]
        return institution_page(self.name, status, place, counts)

    def start_needs(self, config: "RegistryConfig", data: Path) -> Iterable[Look]:
        """Return that it needs the venue's key, and what its bank is."""

        def bank() -> str:
            if config.bank is None:
                return "none"
            if config.bank.data is None:
                return f"{config.bank.name}, files by hand"
            return f"{config.bank.name} at {config.bank.data}"

        return ("venue", lambda: config.venue.key(data)), ("bank", bank)

    def own_commands(self) -> Iterable[Callable[..., None]]:
        """Return the adoption of a new stream."""
        return (adopt,)

    def queries(self) -> Mapping[str, "Check"]:
        """Return the auditor's queries, by name."""
        from cea_exchange.registry.reconciliation.audit import checks

        return checks()

    def integrity(self, store: "RegistryStore") -> Iterator[str]:
        """Yield what was changed by others, and what the venue was sent otherwise."""
        from cea_exchange.registry.reconciliation.integrity import registry_integrity

        return registry_integrity(store)

    def checked(self, store: "RegistryStore") -> Any:
        """Return what the reconciliation of an open ledger finds."""
        from cea_exchange.registry.reconciliation.reconcile import check_store

        return check_store(store)

    def reconcile(self, data: Data, json: Json = False, database: Database = None) -> None:
        """Check the ledger against itself, its records and the venue's hashes; 1 if it differs."""
        super().reconcile(data, json, database)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = RegistryCommands()
    group = commands.register(app)
    # The noun that users learned first.
    words = "As `registry allocation`."
    group.add_typer(commands.nouns["allocation"], name="allocate", help=words, hidden=True)


def adopt(
    config: Config,
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

    with bad_input(AdoptionError, ConfigError, SecurityError, StoreError):
        settings = config_load(config)
        persons = two_operators(settings.operators_by_key(data), first, second)
        with RegistryStore.open(
            data, settings.database, is_synchronous=settings.database_synchronous
        ) as store:
            # By a wrong clock it is of the time that was noted last.
            at_ns = GuardedClock(Clock(settings.clock), noted_ns(store)).now_ns()
            statement = adopt_stream(
                store, out, first=persons[0], second=persons[1], why=why, at_ns=at_ns
            )
    shown = {
        "old_log_id": statement.old_log_id,
        "log_id": statement.log_id,
        "last_seq": statement.state.settlement_seq,
        "trading_date": statement.state.trading_date,
        "holdings_hash": f"{statement.holdings_hash:016x}",
        "statement": str(out),
    }
    fields_print(shown, json)
