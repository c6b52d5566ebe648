"""`cea-exchange platform`: the platform's daemon, its copies, and what it is asked.

Commands that ask a running platform are made of its request structs (`acts`).
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cea_exchange.cli.acts.platform import PLATFORM
from cea_exchange.cli.daemons.config_check import Look
from cea_exchange.cli.daemons.daemon_log import LogLevel, LogLevelOption
from cea_exchange.cli.daemons.institution import Database, InstitutionCommands
from cea_exchange.cli.errors import bad_input
from cea_exchange.cli.options import Data, Json
from cea_exchange.cli.output import fields_print

if TYPE_CHECKING:
    from cea_exchange.cli.daemons.status_page import Sections
    from cea_exchange.control_plane.requests import Requests
    from cea_exchange.institution.maintenance.store_check import StoreCheck
    from cea_exchange.ledger.audit import Check
    from cea_exchange.platform.config import PlatformConfig
    from cea_exchange.platform.daemon import PlatformDaemon
    from cea_exchange.platform.store import PlatformStore

PANELS = {
    "The daemon": ("serve", "rehearse", "check", "status", "stop", "clock", "calendar", "link"),
    "Persons and what waits for a second one": ("person", "proposal", "act"),
    "Who has to report": ("enterprise", "unit", "account", "list"),
    "What is filed": ("evidence", "plan", "month", "report", "filing"),
    "What is due": ("due", "message", "province"),
    "What is true": (
        *("figure", "inspection", "firm", "verification", "finding", "irregularity"),
        *("result", "objection"),
    ),
    "What is given and owed": ("balance", "total", "allocation", "obligation"),
    "What is punished": ("case", "penalty", "ban"),
    "What is public": ("publish",),
    "Proofs and copies": ("reconcile", "verify", "audit", "backup", "restore", "standby"),
}
GROUPS = {
    "account": "Which parts of enterprises' accounts are active.",
    "allocation": "What a province gives its entities.",
    "balance": "The industries' balance values.",
    "ban": "Persons who may not verify.",
    "calendar": "The working days that terms are counted by.",
    "case": "Breaches, step by step to the fine that is paid.",
    "enterprise": "Enterprises, and what is true of each.",
    "evidence": "Documents that figures rest on.",
    "figure": "Figures that are unlikely.",
    "filing": "What the levels say to what was filed.",
    "finding": "What does not conform in a report.",
    "firm": "Firms that verify, report or advise.",
    "inspection": "Inspections on site by authorities.",
    "irregularity": "What verifiers report to provinces.",
    "link": "The stream to the registry.",
    "list": "The list of key emitting entities of each year.",
    "message": "What one's own body was told of what is due.",
    "month": "Monthly figures of units.",
    "objection": "Objections to results and allocations.",
    "obligation": "What entities owe.",
    "penalty": "Decisions that were published.",
    "plan": "Quality-control plans.",
    "province": "What a province has to do by when.",
    "report": "Annual reports.",
    "result": "Verified results.",
    "total": "What all provinces together may give.",
    "unit": "Units of enterprises, and what is true of each.",
    "verification": "Reports that firms verify.",
}


class PlatformCommands(InstitutionCommands):
    """The platform's commands."""

    asker = PLATFORM
    help = "Filings, verification, allocation, enforcement."
    panels = PANELS
    groups = GROUPS

    def requests(self) -> "Requests":
        """Return what it is asked."""
        from cea_exchange.platform.control.admin import PLATFORM_REQUESTS

        return PLATFORM_REQUESTS

    def config_class(self) -> type["PlatformConfig"]:
        """Return the type of its settings."""
        from cea_exchange.platform.config import PlatformConfig

        return PlatformConfig

    def store_class(self) -> type["PlatformStore"]:
        """Return how its database is opened."""
        from cea_exchange.platform.store import PlatformStore

        return PlatformStore

    def daemon_class(self) -> type["PlatformDaemon"]:
        """Return its daemon."""
        from cea_exchange.platform.daemon import PlatformDaemon

        return PlatformDaemon

    def page(self, status: Mapping[str, Any]) -> "Sections":
        """Return its status, with what was filed and how far the registry is."""
        from cea_exchange.cli.daemons.status_page import institution_page

        place = [
            ("registry", f"sent item {status['link_seq']:,}, judged {status['judged_seq']:,}"),
            ("refused", f"{status['link_refused']:,} items"),
        ]
        counts = [
            ("enterprises", f"{status['enterprises']:,}, units {status['units']:,}"),
            ("documents", f"{status['filings']:,} versions"),
            ("results", f"{status['results']:,} verified"),
        ]
        return institution_page(self.name, status, place, counts)

    def start_needs(self, config: "PlatformConfig", data: Path) -> Iterable[Look]:
        """Return that it needs the registry's key."""
        return (("registry", lambda: config.registry_key(data)),)

    def queries(self) -> Mapping[str, "Check"]:
        """Return the auditor's queries, by name."""
        from cea_exchange.platform.audit import checks

        return checks()

    def checked(self, store: "PlatformStore") -> "StoreCheck":
        """Return what a check of an open database finds, its contents too."""
        from cea_exchange.institution.maintenance.store_check import store_check
        from cea_exchange.platform.audit.contents import content_differences

        return store_check(store, self.queries(), content_differences(store))

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

        With --registry, the items of the link, the verdicts on them, the completions, and the heads
        of both chains are compared with what the registry has; both may be at work.

        Example: cea-exchange {name} reconcile --registry .
        """
        if registry is None:
            super().reconcile(data, json, database)
            return
        from cea_exchange.cli.daemons.registry import RegistryCommands
        from cea_exchange.domain.compliance.link_books import link_differences
        from cea_exchange.platform.registry_link.books import link_books
        from cea_exchange.registry.platform_link.books import link_books as registry_link_books

        other = RegistryCommands()
        with other.view(registry, registry_database) as store:
            before = registry_link_books(store)
        with self.view(data, database) as store:
            books = link_books(store)
        with other.view(registry, registry_database) as store:
            later = registry_link_books(store)
        link = {
            "items": len(before.items),
            "completions": len(books.completions),
            "differences": [*link_differences(books, before, later)],
        }
        said = f"platform and registry agree on {link['items']:,} items"
        places = (data, database), (registry, registry_database)
        self.reconciled_with(other, *places, json, {"link": link}, said)

    def own_commands(self) -> Iterable[Callable[..., None]]:
        """Return the rehearsal, and what writes public files."""
        return self.rehearse, self.publish

    def publish(
        self,
        year: Annotated[int, typer.Argument(help="Compliance year; of a list, the list's.")],
        data: Data,
        out: Annotated[Path, typer.Option("--out", help="The folder they are written to.")],
        database: Database = None,
        json: Json = False,
    ) -> None:
        """Write what is public of a year as files with a page that leads to them, for a web server.

        Emissions and completion by entity, published lists, verifiers' scores, published penalties;
        nothing else.

        Example: cea-exchange platform publish 2024 --out public
        """
        from cea_exchange.platform.checks import PlatformActError
        from cea_exchange.platform.platform import Platform

        with bad_input(PlatformActError), self.view(data, database) as store:
            written = Platform(store).public_pages.write(year, out)
        fields_print({"written": [str(file) for file in written]}, json)

    def rehearse(
        self,
        folder: Annotated[Path, typer.Argument(help="A new folder, or a rehearsal's.")],
        log_level: LogLevelOption = LogLevel.warning,
    ) -> None:
        """Make a folder with keys, persons and a power firm's figures; serve it, a registry too.

        Nobody's money or allowances are in it, and its keys are there for whoever reads it. See
        protocol/platform.md.

        Example: cea-exchange platform rehearse rehearsal
        """
        from cea_exchange.cli.daemons.rehearsal import registry_prepare, registry_running
        from cea_exchange.ledger.record_store import StoreError
        from cea_exchange.platform.rehearsal import rehearsal_prepare

        with bad_input(StoreError, OSError, says=f"{folder}: no rehearsal, "):
            rehearsal_prepare(folder)
            registry_prepare(folder)
        with registry_running(folder, log_level.value):
            self.serve(folder / "platform.toml", folder, log_level)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    PlatformCommands().register(app)
