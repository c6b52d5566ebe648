"""The commands that every institution has: of its daemon, its database and what may be asked of it.

An institution's page is an `InstitutionCommands` with what is its own::

    class PlatformCommands(InstitutionCommands):
        asker = PLATFORM                          its name, and what its answers say
        panels, groups = PANELS, GROUPS           how its commands are listed
        def requests(self): ...                   imported when they are needed
        def config_class(self): ...
        def store_class(self): ...
        def daemon_class(self): ...

    def register(app):
        PlatformCommands().register(app)
"""

import inspect
import shlex
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import typer

from cea_exchange.cli.acts.commands import Asker, commands_add
from cea_exchange.cli.acts.institution import GROUPS
from cea_exchange.cli.command_line import CommandLine, Panels
from cea_exchange.cli.daemons.config_check import Look
from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.loading import modules_loading
from cea_exchange.cli.errors import CheckFailed, CommandError, bad_input, nothing_starts
from cea_exchange.cli.language import say
from cea_exchange.cli.options import ADMIN, Data, Json, Key, Watch
from cea_exchange.cli.output import Answer, json_print
from cea_exchange.control_plane.signals import StopSignals

if TYPE_CHECKING:
    from cea_exchange.cli.daemons.status_page import Sections
    from cea_exchange.control_plane.requests import Requests
    from cea_exchange.institution.config import InstitutionConfig
    from cea_exchange.institution.daemon import InstitutionDaemon
    from cea_exchange.institution.maintenance.standby_drill import Step
    from cea_exchange.ledger.audit import Check
    from cea_exchange.ledger.record_store import RecordStore

Config = Annotated[Path, typer.Option("--config", help="Settings (TOML).")]
Database = Annotated[
    str | None,
    typer.Option("--database", help="postgresql://...; left out, the one its folder speaks of."),
]


class InstitutionCommands(ABC):
    """An institution's commands; in their docstrings `{name}` is its command, `{title}` its words.

    Attributes
    ----------
    asker
        How it is asked; its name is the command's.
    title
        What it is called in words; the name if left out.
    help
        What the command is for.
    panels, groups
        Headings of its commands, and what the nouns of its own requests are about.
    """

    asker: ClassVar[Asker]
    title: ClassVar[str] = ""
    help: ClassVar[str]
    panels: ClassVar[Panels]
    groups: ClassVar[Mapping[str, str]] = {}

    # -- what is the institution's own ------------------------------------------------------------

    @abstractmethod
    def requests(self) -> "Requests":
        """Return what it is asked; apart from its settings, which take as long again to import."""

    @abstractmethod
    def config_class(self) -> type["InstitutionConfig"]:
        """Return the type of its settings."""

    @abstractmethod
    def store_class(self) -> type["RecordStore"]:
        """Return how its database is opened."""

    @abstractmethod
    def daemon_class(self) -> type["InstitutionDaemon[Any, Any, Any]"]:
        """Return its daemon."""

    def page(self, status: Mapping[str, Any]) -> "Sections":
        """Return the sections of its status."""
        from cea_exchange.cli.daemons.status_page import institution_page

        return institution_page(self.name, status)

    def start_needs(self, config: Any, data: Path) -> Iterable[Look]:
        """Return what a start needs besides what every institution's does, for `check`."""
        return ()

    def own_commands(self) -> Iterable[Callable[..., None]]:
        """Return more commands, written by hand."""
        return ()

    # -- how it is listed -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The institution's name."""
        return self.asker.name

    @property
    def called(self) -> str:
        """What it is called in words."""
        return self.title or self.name

    def _worded(self, text: str) -> str:
        return text.replace("{name}", self.name).replace("{title}", self.called)

    def register(self, app: typer.Typer) -> CommandLine:
        """Add the group to the command line; return it."""
        group = CommandLine(self.panels)
        shared = (
            *(self.serve, self.check, self.status, self.reconcile, self.verify, self.audit),
            *(self.backup, self.restore),
        )
        for command in (*shared, *self.own_commands()):
            text = self._worded(inspect.cleandoc(command.__doc__ or ""))
            group.command(command.__name__, help=text)(command)
        shared_nouns = {noun: self._worded(text) for noun, text in GROUPS.items()}
        requests = self.requests().types
        self.nouns = commands_add(group, self.asker, requests, {**shared_nouns, **self.groups})
        for verb, command in (
            ("show", self.standby_show),
            ("promote", self.standby_promote),
            ("drill", self.standby_drill),
        ):
            text = self._worded(inspect.cleandoc(command.__doc__ or ""))
            self.nouns["standby"].command(verb, help=text)(command)
        app.add_typer(group, name=self.name, help=self.help)
        return group

    # -- its daemon -------------------------------------------------------------------------------

    def config_load(self, path: Path) -> Any:
        """Return its settings; CommandError names what is none."""
        from cea_exchange.protocol.settings import ConfigError, settings_read

        with bad_input(ConfigError):
            return settings_read(path, self.config_class())

    def serve(self, config: Config, data: Data, log_level: LogLevelOption = LogLevel.info) -> None:
        """Run the {title} until it is told to stop (SIGTERM, or `{name} stop`)."""
        signals = StopSignals()

        with modules_loading():
            from cea_exchange.ledger.database.interface import DatabaseError
            from cea_exchange.ledger.record_store import DatabaseAway, StoreError
            from cea_exchange.protocol.security import SecurityError
            from cea_exchange.protocol.settings import ConfigError

            daemon_class = self.daemon_class()
        log_to_standard_error(log_level)
        with crash_logged():
            try:
                with nothing_starts(data):
                    daemon = daemon_class(
                        self.config_load(config), data, is_stopping=lambda: signals.are_asked
                    )
            except DatabaseAway as error:
                if signals.are_asked:
                    return
                raise CommandError(str(error)) from error
            except (ConfigError, SecurityError, StoreError) as error:
                raise CommandError(str(error)) from error
            except DatabaseError as error:
                why = f"nothing starts: the {self.called}'s database: {error}"
                raise CheckFailed(why) from error
            with daemon:
                signals.lead_to(daemon.stop)
                daemon.run()

    def check(self, config: Config, data: Data) -> None:
        """Say whether the {title} would start with a config on a folder: settings, keys, persons.

        Starts nothing and changes nothing; what is in its database is for `reconcile` to say.

        Example: cea-exchange {name} check --config {name}.toml
        """
        from cea_exchange.cli.daemons.config_check import check_all, persons_said
        from cea_exchange.ledger.database.interface import DatabaseError
        from cea_exchange.protocol.security import CurveKeys, SecurityError
        from cea_exchange.protocol.settings import ConfigError

        settings = self.config_load(config)
        looks = (
            ("settings", lambda: config),
            ("own key", lambda: CurveKeys.load(data / "keys", self.name).public),
            ("persons", lambda: persons_said(settings.operators_by_key(data))),
            ("database", lambda: self._database_said(data, settings)),
            *self.start_needs(settings, data),
            ("clock", lambda: settings.clock.kind),
        )
        check_all(looks, ConfigError, SecurityError, DatabaseError)

    def _database_said(self, data: Path, settings: "InstitutionConfig") -> str:
        from cea_exchange.ledger.database.folder import has_database, reader_open
        from cea_exchange.ledger.database.schema import schema_check

        store_class = self.store_class()
        folder = store_class.folder(data)
        is_synchronous = settings.database_synchronous
        if settings.database is None and not (is_synchronous or has_database(folder)):
            return "none yet, the first start makes it"
        database = reader_open(folder, settings.database, is_synchronous=is_synchronous)
        with closing(database) as opened:
            if not opened.has_schema():
                return f"{opened.name}, empty: the first start makes its tables"
            schema_check(opened, store_class.schema)
            return opened.name

    def status(self, data: Data, key: Key = ADMIN, json: Json = False, watch: Watch = None) -> None:
        """Print where a running {title} stands.

        Example: cea-exchange {name} status
        """
        from cea_exchange.cli.daemons.status_page import status_show

        def ask() -> Answer:
            return self.asker.ask(data, key, {"op": "status"}, json)

        status_show(ask, self.page, watch, json)

    # -- its database -----------------------------------------------------------------------------

    def queries(self) -> Mapping[str, "Check"]:
        """Return the auditor's queries, by name."""
        from cea_exchange.ledger.audit import checks

        return checks(self.store_class().schema)

    def integrity(self, store: Any) -> Iterator[str]:
        """Yield what was changed by others in an open database; for `verify`."""
        from cea_exchange.institution.maintenance.integrity import integrity_differences

        return integrity_differences(store)

    def checked(self, store: Any) -> Any:
        """Return what a check of an open database finds; for `reconcile` and `restore`."""
        from cea_exchange.institution.maintenance.store_check import store_check

        return store_check(store, self.queries())

    @contextmanager
    def view(self, data: Path, database: str | None) -> Iterator[Any]:
        """Open the database for reading, all of one moment whatever a daemon commits meanwhile."""
        from cea_exchange.ledger.record_store import StoreError

        with (
            bad_input(StoreError),
            self.store_class().open_reader(data, database) as store,
            store.view(),
        ):
            yield store

    def reconcile(self, data: Data, json: Json = False, database: Database = None) -> None:
        """Check the {title}'s database against itself; 1, and what differs, if something does."""
        with self.view(data, database) as store:
            found = self.checked(store)
        if json:
            json_print({"agrees": found.agrees, **msgspec.structs.asdict(found)})
        elif found.agrees:
            typer.echo(found.sentence())
        else:
            for difference in found.differences:
                typer.echo(difference)
        if not found.agrees:
            raise CheckFailed(found.sentence())

    def reconciled_with(
        self,
        other: "InstitutionCommands",
        own_place: tuple[Path, str | None],
        other_place: tuple[Path, str | None],
        json: bool,
        books: Mapping[str, Mapping[str, Any]],
        agreed: str,
    ) -> None:
        """Check the database against itself, and with a partner's: its heads, and both books.

        Parameters
        ----------
        own_place, other_place
            Data folder and database of each.
        books
            By what they are of, how both books compare, with their ``differences``.
        agreed
            What to say if they do not differ.
        """
        from cea_exchange.institution.maintenance.partner_heads import Side, heads_compared

        with self.view(*own_place) as store:
            found = self.checked(store)
        heads = heads_compared(
            Side(self.name, lambda: self.view(*own_place)),
            Side(other.name, lambda: other.view(*other_place)),
        )
        differences = [*heads.differences, *found.differences]
        for compared in books.values():
            differences += compared["differences"]
        if json:
            shown = {"agrees": not differences, **msgspec.structs.asdict(found), **books}
            json_print({**shown, "heads": msgspec.to_builtins(heads)})
        else:
            for sentence in differences or (found.sentence(), agreed):
                typer.echo(sentence)
            for sentence in heads.sentences():
                typer.echo(sentence)
        if differences:
            raise CheckFailed(f"{self.name} differs at {len(differences)} places: {differences[0]}")

    def verify(self, data: Data, database: Database = None, json: Json = False) -> None:
        """Check the chain of hashes over all the {title} knows; 1, and the place, if it breaks.

        Each link is computed again from what it covers, and every row compared with the log of
        rows.

        Example: cea-exchange {name} verify
        """
        with self.view(data, database) as store:
            last, wrong = store.link, [*self.integrity(store)]
        self.verified({"links": last.link_id, "head": last.head}, wrong, [], json)

    def verified(
        self, shown: dict[str, Any], wrong: list[str], remarks: list[str], json: bool
    ) -> None:
        """Print what a proof of the chain has shown, what is wrong, and what is to be known."""
        if json:
            json_print({**shown, "differences": wrong})
        else:
            proved = f"verified {shown['links']} links, head {shown['head']}"
            for sentence in [*(wrong or [proved]), *remarks]:
                typer.echo(sentence)
        if wrong:
            raise CheckFailed(f"the {self.called} was changed at {len(wrong)} places: {wrong[0]}")

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

        The last line says whether all is well; with --json the field `summary` does.

        Example: cea-exchange {name} audit
        Example: cea-exchange {name} audit --show rows_as_logged
        """
        queries = self.queries()
        if show is not None:
            if show not in queries:
                raise CommandError(f"--show: expected one of {', '.join(queries)}, got {show}")
            typer.echo(f"{queries[show].sql};")
            return
        with self.view(data, database) as store:
            found = {name: store.execute(each.sql).fetchall() for name, each in queries.items()}
        odd = [name for name, rows in found.items() if rows]
        if json:
            json_print({**found, "summary": {"queries": len(found), "all_well": not odd}})
        else:
            for name, rows in found.items():
                typer.echo(f"{name:24} {len(rows) or say('nothing, as it must be')}")
                for row in rows:
                    typer.echo(f"  {row}")
            if not odd:
                well = say("All is well: none of {count} queries gave a row.", count=len(found))
                typer.echo(well)
        if odd:
            raise CheckFailed(f"queries that must give no row gave some: {', '.join(odd)}")

    def backup(
        self,
        data: Data,
        out: Annotated[Path, typer.Option("--out", help="The copy, a new file.")],
        database: Database = None,
        json: Json = False,
    ) -> None:
        """Copy the {title}'s database to one file, while its daemon works.

        Example: cea-exchange {name} backup --out {name}-2026-07-16
        """
        from cea_exchange.institution.maintenance.backup import backup
        from cea_exchange.ledger.record_store import StoreError

        with bad_input(StoreError):
            what, last = backup(self.store_class(), data, out, database)
        if json:
            json_print({"file": str(out), f"last_{what}": last})
        else:
            typer.echo(f"{out}: the {self.called} up to {what} {last}")

    def restore(
        self,
        file: Annotated[Path, typer.Argument(help="As `backup` wrote it.")],
        data: Data,
        database: Annotated[
            str | None,
            typer.Option("--database", help="An empty one, postgresql://...; left out, SQLite."),
        ] = None,
        json: Json = False,
    ) -> None:
        """Put a copy in the place of a {title} that is not there; only if it agrees with itself.

        Example: cea-exchange {name} restore {name}-2026-07-16
        """
        from cea_exchange.institution.maintenance.backup import restore
        from cea_exchange.ledger.record_store import StoreError

        with bad_input(StoreError):
            found = restore(self.store_class(), self.checked, file, data, database)
        if json:
            json_print(msgspec.structs.asdict(found))
        else:
            typer.echo(found.sentence())

    # -- its database's servers -------------------------------------------------------------------

    def standby_show(self, data: Data, database: Database = None, json: Json = False) -> None:
        """Show the servers of the {title}'s database; 1 if none could take over without a loss.

        Example: cea-exchange {name} standby show
        """
        from cea_exchange.cli.output import rows_table
        from cea_exchange.institution.maintenance.standby import Servers
        from cea_exchange.ledger.record_store import StoreError

        with bad_input(StoreError):
            report = Servers(self.store_class(), data, database).look()
        if json:
            json_print(msgspec.to_builtins(report))
        else:
            columns = ("server", "role", "name", "timeline", "epoch", "wal_bytes", "link_id")
            rows = [msgspec.structs.asdict(each) for each in report.servers]
            typer.echo(rows_table(rows, columns))
            for finding in report.findings:
                typer.echo(finding)
        if not report.takes_over:
            raise CheckFailed("no standby could take over without a loss")
        if not json:
            typer.echo(f"{report.takes_over} could take over: every commit waits for its disk")

    def standby_promote(
        self,
        server: Annotated[str, typer.Argument(help="As `standby show` calls it.")],
        data: Data,
        database: Database = None,
        json: Json = False,
    ) -> None:
        """Let a standby write from now on, where the primary is gone and nothing would be lost.

        The primary of before must be off, and stay off until it is made a standby: see
        contrib/failover.md.

        Example: cea-exchange {name} standby promote db2.internal
        """
        from cea_exchange.institution.maintenance.standby import Servers
        from cea_exchange.ledger.record_store import StoreError

        with bad_input(StoreError):
            promoted = Servers(self.store_class(), data, database).promote(server)
        if json:
            json_print(msgspec.to_builtins(promoted))
        else:
            typer.echo(
                f"{promoted.server}: primary, timeline {promoted.timeline}, link {promoted.link_id}"
            )

    def standby_drill(
        self,
        server: Annotated[str, typer.Argument(help="As `standby show` calls it.")],
        data: Data,
        database: Database = None,
        stop: Annotated[
            str | None,
            typer.Option(metavar="COMMAND", help="Stops the primary; left out, you do."),
        ] = None,
        follow: Annotated[
            str | None,
            typer.Option(
                metavar="COMMAND", help="Makes the primary of before a standby; left out, you do."
            ),
        ] = None,
        wait: Annotated[
            float, typer.Option(min=1, help="Seconds that each of the two is waited for.")
        ] = 600.0,
        json: Json = False,
    ) -> None:
        """Let a standby and its primary change places, step by step, and say how long each took.

        The standby is promoted once nobody listens at the primary. Meanwhile the daemon waits.
        Afterwards reconcile, as after a failover: contrib/failover.md.

        Example: cea-exchange {name} standby drill db2.internal --stop "ssh db1 stop_database"
        """
        from cea_exchange.institution.maintenance.standby import Servers
        from cea_exchange.institution.maintenance.standby_drill import drill
        from cea_exchange.ledger.record_store import StoreError

        def begin_stop(old: str) -> None:
            if stop is None:
                typer.echo(say("{server}: stop it now", server=old), err=json)
            else:
                _run(stop, wait)

        def begin_follow(old: str) -> None:
            if follow is None:
                line = say("{server}: make it a standby of {other} now", server=old, other=server)
                typer.echo(line, err=json)
            else:
                _run(follow, wait)

        def show_done(step: "Step", which: str, seconds: float) -> None:
            found = {"server": which, "s": seconds}
            words: dict[Step, str] = {
                "stopped": say("{server}: off after {s:.1f} s", **found),
                "promoted": say("{server}: the primary {s:.1f} s later", **found),
                "follows": say("{server}: follows after {s:.1f} s, and could take over", **found),
            }
            typer.echo(words[step], err=json)

        with bad_input(StoreError):
            report = drill(
                Servers(self.store_class(), data, database),
                server,
                stop=begin_stop,
                follow=begin_follow,
                wait_s=wait,
                progress=show_done,
            )
        if json:
            json_print(msgspec.to_builtins(report))


def _run(command: str, seconds_max: float) -> None:
    """Run an operator's command; CommandError if it can't be run, fails, or does not end."""
    try:
        words = shlex.split(command)
        if not words:
            raise CommandError("command: expected a program and what it is given, got nothing")
        # Not read: a server that it starts would keep the pipe open.
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=2, timeout=seconds_max, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{command}: {error}") from error
    if done.returncode:
        raise CommandError(f"{command}: expected to end with 0, got {done.returncode}")
