"""`cea-exchange ccer`: the CCER registry's daemon, its copies, and what it is asked.

Commands that ask a running CCER registry are made of its request structs (`acts`).
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cea_exchange.cli.acts.ccer import CCER
from cea_exchange.cli.daemons.config_check import Look
from cea_exchange.cli.daemons.institution import Database
from cea_exchange.cli.daemons.traded import TradedCommands
from cea_exchange.cli.errors import CheckFailed, check_failed
from cea_exchange.cli.options import Data, Json
from cea_exchange.cli.output import json_print

if TYPE_CHECKING:
    from cea_exchange.ccer.config import CcerConfig
    from cea_exchange.ccer.daemon import CcerDaemon
    from cea_exchange.ccer.store import CcerStore
    from cea_exchange.cli.daemons.status_page import Sections
    from cea_exchange.control_plane.requests import Requests
    from cea_exchange.institution.maintenance.store_check import StoreCheck
    from cea_exchange.ledger.audit import Check

PANELS = {
    "The daemon": ("serve", "check", "status", "stop", "clock", "calendar"),
    "Persons and what waits for a second one": ("person", "proposal", "act", "duty"),
    "Who takes part": ("account", "licence", "methodology"),
    "From a project to its CCERs": ("project", "batch", "instrument"),
    "CCERs, where they are and how they end": (
        *("holding", "lot", "transfer", "cancellation", "certificate", "proof"),
    ),
    "The exchange": ("market", "key"),
    "Courts and the supervisor": ("freeze", "withholding", "restitution"),
    "Proofs and copies": ("reconcile", "verify", "audit", "backup", "restore", "standby"),
}
GROUPS = {
    "account": "Accounts, one for each entity.",
    "batch": "Reductions of a project, from a report to their issue.",
    "calendar": "The working days that terms are counted by.",
    "cancellation": "How CCERs end.",
    "certificate": "What is public of a cancellation.",
    "duty": "What is to be decided by a day.",
    "freeze": "What courts have frozen.",
    "holding": "What an account has.",
    "instrument": "Projects' generation years.",
    "key": "Keys that act at the exchange.",
    "licence": "What validation and verification bodies may do.",
    "lot": "Where serial numbers are, and where they come from.",
    "market": "What goes to the exchange and back, and what it traded.",
    "methodology": "After which projects are designed.",
    "project": "Projects, from a draft to their end.",
    "proof": "What is reported to the allowance registry.",
    "restitution": "CCERs that false papers brought.",
    "transfer": "CCERs to another account.",
    "withholding": "What the supervisor keeps from being moved.",
}


class CcerCommands(TradedCommands):
    """The CCER registry's commands."""

    asker = CCER
    title = "CCER registry"
    help = "Projects, CCERs, cancellation."
    panels = PANELS
    groups = GROUPS

    def requests(self) -> "Requests":
        """Return what it is asked."""
        from cea_exchange.ccer.control.admin import CCER_REQUESTS

        return CCER_REQUESTS

    def config_class(self) -> type["CcerConfig"]:
        """Return the type of its settings."""
        from cea_exchange.ccer.config import CcerConfig

        return CcerConfig

    def store_class(self) -> type["CcerStore"]:
        """Return how its database is opened."""
        from cea_exchange.ccer.store import CcerStore

        return CcerStore

    def daemon_class(self) -> type["CcerDaemon"]:
        """Return its daemon."""
        from cea_exchange.ccer.daemon import CcerDaemon

        return CcerDaemon

    def page(self, status: Mapping[str, Any]) -> "Sections":
        """Return its status, with what was issued and how far registry and exchange are."""
        from cea_exchange.cli.daemons.status_page import institution_page

        place = [
            ("registry", f"sent item {status['proof_seq']:,}, claim {status['claim_seq']:,}"),
            (
                "exchange",
                f"settled {status['last_seq']:,}, confirmed {status['confirmed_date'] or 'no day'},"
                f" {status['trades_failed']:,} not delivered",
            ),
        ]
        counts = [
            ("accounts", f"{status['accounts']:,}, projects {status['projects']:,}"),
            ("issued", f"{status['issued_tonnes']:,} t, cancelled {status['cancelled_tonnes']:,}"),
        ]
        return institution_page(self.name, status, place, counts)

    def start_needs(self, config: "CcerConfig", data: Path) -> Iterable[Look]:
        """Return that it needs the allowance registry's key, and the exchange's if it has one."""
        needed = [("registry", lambda: config.registry_key(data))]
        if (venue := config.venue) is not None:
            needed.append(("venue", lambda: venue.key(data)))
        return needed

    def reconcile(
        self,
        data: Data,
        json: Json = False,
        database: Database = None,
        registry: Annotated[
            Path | None,
            typer.Option("--registry", help="An allowance registry's data folder: its books too."),
        ] = None,
        registry_database: Annotated[
            str | None,
            typer.Option("--registry-database", help="postgresql://..., that registry's."),
        ] = None,
    ) -> None:
        """Check the {title}'s database against itself; 1, and what differs, if something does.

        With --registry, what was cancelled for the national market is compared with what counts
        there, proof by proof, and the heads of both chains with those that are kept; both may be at
        work.

        Example: cea-exchange {name} reconcile --registry .
        """
        if registry is None:
            super().reconcile(data, json, database)
            return
        from cea_exchange.cli.daemons.registry import RegistryCommands

        compared = self._compared(data, database, registry, registry_database)
        places = (data, database), (registry, registry_database)
        offsets = {"offsets": compared}
        self.reconciled_with(RegistryCommands(), *places, json, offsets, _agreed(compared))

    def _compared(
        self, data: Path, database: str | None, registry: Path, registry_database: str | None
    ) -> dict[str, Any]:
        """Return where both registries' books differ, and what they agree on."""
        import msgspec

        from cea_exchange.ccer.cancellation.books import books_shown
        from cea_exchange.cli.daemons.registry import RegistryCommands
        from cea_exchange.domain.ccer.offset_books import offset_differences
        from cea_exchange.registry.reconciliation.ccer_offsets import (
            claim_last,
            offset_books,
            signature_differences,
        )

        other = RegistryCommands()
        with other.view(registry, registry_database) as store:
            offsets, unsigned = offset_books(store), [*signature_differences(store)]
        unreadable = check_failed(msgspec.MsgspecError, says="a claim can not be read: ")
        with self.view(data, database) as store, unreadable:
            books = books_shown(store)
        with other.view(registry, registry_database) as store:
            offsets = offsets._replace(claim_last_later=claim_last(store))
        return {
            "proofs": len(offsets.states),
            "cancelled_tonnes": books.cancelled_tonnes,
            "counted_tonnes": sum(each.tonnes for each in offsets.counted.values()),
            "differences": [*offset_differences(books, offsets), *unsigned],
        }

    def queries(self) -> Mapping[str, "Check"]:
        """Return the auditor's queries, by name."""
        from cea_exchange.ccer.audit import checks

        return checks()

    def integrity(self, store: "CcerStore") -> Iterator[str]:
        """Yield what was changed by others, and contents that contradict the rows; for `verify`."""
        from cea_exchange.ccer.audit.contents import content_differences

        yield from super().integrity(store)
        yield from content_differences(store)

    def checked(self, store: "CcerStore") -> "StoreCheck":
        """Return what a check of an open database finds, its contents too."""
        from cea_exchange.ccer.audit.contents import content_differences
        from cea_exchange.institution.maintenance.store_check import store_check

        return store_check(store, self.queries(), content_differences(store))

    def audit(
        self,
        data: Data,
        show: Annotated[
            str | None, typer.Option("--show", help="Print one query, to be run by hand.")
        ] = None,
        database: Database = None,
        json: Json = False,
    ) -> None:
        """Run the auditor's queries, which must give no row; 1, and the rows, if one does.

        The contents that no query can read are compared first: the feed, the venue's records,
        certificates and proofs. If one contradicts the tables, the command prints all differences
        as sentences.

        The last line says whether all is well; with --json the field `summary` does.

        Example: cea-exchange {name} audit
        Example: cea-exchange {name} audit --show entries_caused
        """
        from cea_exchange.ccer.audit.contents import content_differences

        if show is None:
            with self.view(data, database) as store:
                if any(content_differences(store)):
                    found = self.checked(store)
                    summary = {"queries": len(self.queries()), "all_well": False}
                    if json:
                        json_print({"differences": found.differences, "summary": summary})
                    else:
                        typer.echo("\n".join(found.differences))
                    raise CheckFailed(found.sentence())
        super().audit(data, show, database, json)


def _agreed(compared: Mapping[str, Any]) -> str:
    tonnes = f"{compared['cancelled_tonnes']:,} t cancelled, {compared['counted_tonnes']:,} t count"
    return f"the registries agree on {compared['proofs']:,} proofs: {tonnes}"


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    CcerCommands().register(app)
