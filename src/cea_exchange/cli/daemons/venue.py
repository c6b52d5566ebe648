"""`cea-exchange venue`: the venue's daemon, and what its operators do."""

import gc
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cea_exchange.cli.acts.commands import commands_add
from cea_exchange.cli.acts.venue import VENUE
from cea_exchange.cli.command_line import CommandLine
from cea_exchange.cli.daemons import venue_backup, venue_relay
from cea_exchange.cli.daemons.daemon_log import (
    LogLevel,
    LogLevelOption,
    crash_logged,
    log_to_standard_error,
)
from cea_exchange.cli.daemons.loading import modules_loading
from cea_exchange.cli.errors import (
    CheckFailed,
    CommandError,
    StartAgain,
    StayDown,
    bad_input,
    check_failed,
    file_used,
    nothing_starts,
)
from cea_exchange.cli.options import ADMIN, Archive, Data, Json, Key, Watch, Why
from cea_exchange.cli.output import Answer, fields_print
from cea_exchange.control_plane.signals import StopSignals

PANELS = {
    "The daemon": ("serve", "check", "status", "stop", "kill", "clock"),
    "The market": ("day", "market", "product", "trade", "bidding", "block", "adjustment"),
    "Who trades": ("account", "cash", "session", "key"),
    "Who acts, and who looked": ("act", "look", "proposal"),
    "Supervision": ("case", "measure", "announcement"),
    "Copies, relays, another life": ("backup", "restore", "relay", "adopt"),
}
GROUPS = {
    "account": "What an account has here, and whether it may trade.",
    "act": "What operators did.",
    "adjustment": "What the authority sells from its reserve, buys, or releases.",
    "announcement": "The text, for everybody.",
    "bidding": "Single-direction biddings.",
    "block": "Block offers and enquiries.",
    "cash": "What the exchange's bank took in and paid out, where the exchange settles the cash.",
    "case": "Case files: alerts, notes, documents, penalties, and how each ended.",
    "clock": "The venue's time.",
    "day": "The trading day and its phases.",
    "key": "Keys that were cut off.",
    "look": "What operators and regulators looked at.",
    "market": "Halts, prices and totals.",
    "measure": "Measures of the exchange against accounts.",
    "product": "What may be traded, and from which price its band is measured.",
    "proposal": "What waits for a second operator.",
    "session": "Who is logged on.",
    "trade": "Trades that were made.",
}


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    from cea_exchange.venue.requests import VENUE_REQUESTS

    group = CommandLine(PANELS)
    for command in (serve, check, status, adopt):
        group.command(command.__name__)(command)
    groups = commands_add(group, VENUE, VENUE_REQUESTS.types, GROUPS)
    groups["act"].command("list")(log)
    groups["look"].command("list")(looks)
    groups["case"].command("check")(case_check)
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
    with modules_loading():
        from cea_exchange.cluster.endings import Fenced, OutcomeUnknown
        from cea_exchange.cluster.errors import ClusterRefused, Halted, LogUnreachable
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
            with nothing_starts(data):
                daemon = VenueDaemon(
                    config_load(config), data, waits_for_log=lambda: not signals.are_asked
                )
        except LogUnreachable:
            return  # SIGTERM, or SIGINT, before its log answered
        except (
            ClusterRefused,
            JournalError,
            JournalFull,
            StateDiverged,
        ) as error:
            raise CheckFailed(f"nothing starts: {error}") from error
        except ModuleNotFoundError as error:
            raise CommandError(
                f"[cluster] needs the extra: pip install 'cea-exchange[cluster]' ({error})"
            ) from error
        except (
            CalendarError,
            ConfigError,
            FolderInUse,
            ProfileError,
            SecurityError,
        ) as error:
            raise CommandError(str(error)) from error
        try:
            signals.lead_to(daemon.stop)
            # What is there by now stays. The garbage collector would look at it again and again,
            # for milliseconds in which orders wait.
            gc.collect()
            gc.freeze()
            daemon.run()
        except Halted as error:
            raise StayDown(f"the venue ends: {error}") from error
        except (Fenced, OutcomeUnknown) as error:
            # The next start finds out what of the end counts.
            raise StartAgain(f"the venue ends: {error}") from error
        finally:
            daemon.close()
        if daemon.why_again:
            raise StartAgain(f"the venue ends: {daemon.why_again}")


def check(
    config: Annotated[Path, typer.Option("--config", help="Settings (TOML).")], data: Data
) -> None:
    """Say whether the venue would start with a config on a folder: settings, keys, rules, persons.

    Starts nothing and changes nothing; what is in the journal is for `verify` to say.

    Example: cea-exchange venue check --config venue.toml
    """
    from cea_exchange.cli.daemons.config_check import check_all, persons_said
    from cea_exchange.domain.calendar import CalendarError
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.protocol.security import CurveKeys, SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load

    with bad_input(ConfigError):
        settings = config_load(config)
    looks = (
        ("settings", lambda: config),
        ("own key", lambda: CurveKeys.load(data / "keys", "venue").public),
        ("registry", lambda: settings.registry_key(data)),
        ("persons", lambda: persons_said(settings.operators_by_key(data))),
        ("profile", lambda: load_profile(settings.profile).name),
        ("archive", lambda: settings.archive_folder(data)),
        ("clock", lambda: settings.clock.kind),
        ("cluster", lambda: settings.cluster.files_read(data) if settings.cluster else "none"),
    )
    check_all(looks, CalendarError, ConfigError, ProfileError, SecurityError)


# -- Looking --------------------------------------------------------------------------------------


def status(data: Data, key: Key = ADMIN, json: Json = False, watch: Watch = None) -> None:
    """Print where a running venue stands.

    Example: cea-exchange venue status --json
    """
    from cea_exchange.cli.daemons.status_page import status_show, venue_page

    def ask() -> Answer:
        return VENUE.ask(data, key, {"op": "status"}, json)

    status_show(ask, venue_page, watch, json)


def log(
    data: Data,
    archive: Archive = None,
    json: Json = False,
) -> None:
    """Print the operators' acts in the journal: when, who, what, why. Changes nothing.

    Works on the folder of a venue that runs or not.

    Example: cea-exchange venue act list --json
    """
    from cea_exchange.journal import JournalError
    from cea_exchange.venue.operations.act_log import acts_read

    with file_used(data, "expected a journal"), check_failed(JournalError):
        for act in acts_read(data, archive):
            typer.echo(msgspec.json.encode(act).decode() if json else act.sentence())


def looks(data: Data, json: Json = False) -> None:
    """Print who looked at what: when, who, which request. Changes nothing.

    Works on the folder of a venue that runs or not.

    Example: cea-exchange venue look list --json
    """
    from cea_exchange.venue.operations.look_log import looks_read

    try:
        for look in looks_read(data):
            typer.echo(msgspec.json.encode(look).decode() if json else look.sentence())
    except OSError as error:
        raise CommandError(f"{data}: expected a venue's folder, {error.strerror}") from error


def case_check(
    data: Data,
    file: Annotated[
        Path | None, typer.Argument(help="A case as `case show --format json` wrote it.")
    ] = None,
    archive: Archive = None,
) -> None:
    """Hold case files against the journal: hashes, kept papers, gains. Changes nothing.

    Works on the folder of a venue that runs or not. Exit status 1 where one differs.

    Example: cea-exchange venue case check 2025-17.json
    """
    from cea_exchange.cli.acts.case_papers import cases_checked
    from cea_exchange.journal import JournalError

    with (
        file_used(data, "expected a journal"),
        check_failed(JournalError),
        bad_input(ValueError),
    ):
        checked = cases_checked(data, archive, file)
    for name, differences in checked.items():
        for difference in differences:
            raise CheckFailed(f"case {name}: {difference}")
        typer.echo(f"case {name}: as entered")


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
    from cea_exchange.cluster.errors import ClusterRefused
    from cea_exchange.domain.profile import ProfileError
    from cea_exchange.journal import JournalError, JournalFull, OsStorage
    from cea_exchange.protocol.adoption import AdoptionError, statement_read
    from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
    from cea_exchange.protocol.operators import two_operators
    from cea_exchange.protocol.security import SecurityError
    from cea_exchange.protocol.settings import ConfigError
    from cea_exchange.venue.config import config_load
    from cea_exchange.venue.maintenance.adoption import adopt as adopt_statement
    from cea_exchange.venue.replication.folder_mark import alone_check

    with (
        check_failed(ClusterRefused, JournalError, JournalFull, says="nothing was adopted: "),
        bad_input(AdoptionError, ConfigError, FolderInUse, ProfileError, SecurityError),
    ):
        settings = config_load(config)
        persons = two_operators(settings.operators_by_key(data), first, second)
        with FolderLock(data, "venue.lock"):
            # Others would go on with the old life.
            alone_check(data, OsStorage())
            read = statement_read(statement)
            adopted = adopt_statement(
                data, settings, read, first=persons[0], second=persons[1], why=why
            )
    fields_print(msgspec.structs.asdict(adopted), json)
