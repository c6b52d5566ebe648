"""`cea-exchange surveil`: looks for abuse in a market script, or in a venue's days."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cea_exchange.cli.errors import CheckFailed, CommandError

if TYPE_CHECKING:
    from cea_exchange.domain.profile import Profile
    from cea_exchange.supervision.alerts import Alert
    from cea_exchange.supervision.limits import Limits
    from cea_exchange.supervision.patterns.context import Facts
    from cea_exchange.supervision.tape import Tape


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("surveil")(surveil)


def surveil(
    source: Annotated[Path, typer.Argument(help="A market script, or the data folder of a venue.")],
    date: Annotated[
        str | None, typer.Option(help="Alerts of that day only, as 2025-07-16.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on while the venue runs; end with Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=0.1, help="With --follow: a look every so many seconds.")
    ] = 1.0,
    reproducers: Annotated[
        Path | None, typer.Option(help="A folder for a market script of each alert.")
    ] = None,
    limits: Annotated[
        Path | None, typer.Option(help="What patterns are measured by (TOML), if not as packaged.")
    ] = None,
    facts: Annotated[
        Path | None, typer.Option(help="Links, float, needs, opening holdings (JSON).")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="The rules: a name or a file; of a venue its own.")
    ] = None,
    holders: Annotated[
        bool, typer.Option("--holders", help="Print who holds how much of its limit instead.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
) -> None:
    """Look for abuse in a market script or a venue's days; changes nothing, acts on nothing.

    An alert is a reason to look, not a finding. Each pattern's rule is in protocol/rules.md.

    Example: cea-exchange surveil DIR --date 2025-07-16 --reproducers build/alerts
    """
    from cea_exchange.domain.profile import ProfileError, load_profile
    from cea_exchange.journal import JournalError
    from cea_exchange.matching.script import ScriptError
    from cea_exchange.supervision.limits import LimitsError, limits_packaged, limits_read

    wanted = _date(date)
    try:
        measured = limits_read(limits) if limits else limits_packaged()
        rules = load_profile(profile) if profile else None
        known = _facts(facts)
        if source.is_dir():
            reader = VenueAlerts(source, rules, measured, known, wanted)
            if holders:
                _holders(reader.new()[0], measured, known, json)
                return
            _venue(reader, follow, interval, reproducers, json)
            return
        if follow:
            raise CommandError(f"{source}: expected a venue's data folder with --follow")
        tape = _script(source, rules or load_profile("cea"))
        if holders:
            _holders(tape, measured, known, json)
            return
        _print(tape, _alerts(tape, measured, known, wanted), measured, known, reproducers, json)
        if not json:
            _missing(tape, known)
    except (ProfileError, LimitsError, ScriptError) as error:
        raise CommandError(str(error)) from error
    except JournalError as error:
        raise CheckFailed(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename or source}: {error.strerror}") from error


class VenueAlerts:
    """The alerts of a venue's journal, as far as it goes."""

    def __init__(
        self,
        source: Path,
        profile: "Profile | None",
        limits: "Limits",
        facts: "Facts",
        wanted: int | None,
    ) -> None:
        from cea_exchange.supervision.sources import VenueTape

        if not (source / "journal").is_dir():
            raise CommandError(f"{source}: expected a data folder with a journal, there is none")
        self._tape = VenueTape(source, profile=profile)
        self._wanted = wanted
        self._grades: dict[tuple[object, ...], str] = {}
        self.limits, self.facts = limits, facts

    def new(self) -> "tuple[Tape, list[Alert]]":
        """Return the tape, and the alerts of it that are new, or graver than they were."""
        self._tape.take()
        tape = self._tape.tape()
        found = []
        for alert in _alerts(tape, self.limits, self.facts, self._wanted):
            key = *alert.same, alert.trading_date
            if self._grades.get(key) != alert.grade:
                self._grades[key] = alert.grade
                found.append(alert)
        return tape, found


def _venue(
    reader: VenueAlerts, follow: bool, interval: float, reproducers: Path | None, json: bool
) -> None:
    tape, found = reader.new()
    _print(tape, found, reader.limits, reader.facts, reproducers, json)
    if not json:
        _missing(tape, reader.facts)
    while follow:
        begun = time.monotonic()
        count = len(tape.events)
        tape, found = reader.new()
        if len(tape.events) > count:
            _print(tape, found, reader.limits, reader.facts, reproducers, json)
        time.sleep(max(0.0, interval - (time.monotonic() - begun)))


def _script(source: Path, profile: "Profile") -> "Tape":
    from cea_exchange.supervision.sources import script_tape

    with source.open("rb") as lines:
        return script_tape(lines, profile, str(source))


def _alerts(tape: "Tape", limits: "Limits", facts: "Facts", wanted: int | None) -> "list[Alert]":
    from cea_exchange.supervision.surveillance import surveil as find

    try:
        found = find(tape, limits=limits, facts=facts)
    except ValueError as error:
        raise CommandError(f"--facts: {error}") from error
    return [alert for alert in found if wanted in (None, alert.trading_date)]


def _print(
    tape: "Tape",
    found: "list[Alert]",
    limits: "Limits",
    facts: "Facts",
    reproducers: Path | None,
    json: bool,
) -> None:
    from cea_exchange.supervision.columns.market import Columns
    from cea_exchange.supervision.penalties import gain_of

    columns = Columns(tape, facts.links)
    for alert in found:
        gain = gain_of(columns, alert.accounts, alert.first_seq, alert.last_seq)
        path = None if reproducers is None else _reproducer(tape, alert, limits, facts, reproducers)
        if json:
            more = {"gain_fen": gain, "reproducer": path and str(path)}
            line = msgspec.to_builtins(alert) | msgspec.to_builtins(more)
            typer.echo(msgspec.json.encode(line).decode())
            continue
        typer.echo(f"{alert.grade:<5}  {alert.trading_date}  {alert.pattern:<14}  {alert.sentence}")
        for figure in alert.figures:
            measure = (
                f"{figure.name} {figure.value}, threshold {figure.relation} {figure.threshold}"
            )
            typer.echo(f"           {measure}")
        yuan = f"{gain.realised / 100:.2f} realised, {gain.marked / 100:.2f} marked to the close"
        typer.echo(f"           gained in yuan: {yuan}")
        place = f"events {alert.first_seq} to {alert.last_seq}, {alert.rule}"
        typer.echo(f"           {place}" + (f", {path}" if path else ""))


def _holders(tape: "Tape", limits: "Limits", facts: "Facts", json: bool) -> None:
    from cea_exchange.supervision.columns.market import Columns
    from cea_exchange.supervision.large_holders import holders
    from cea_exchange.supervision.patterns.context import Context

    for holder in holders(Context(Columns(tape, facts.links), limits, facts)):
        if json:
            typer.echo(msgspec.json.encode(holder._asdict()).decode())
            continue
        limit = f"{holder.limit_per_mille} per mille of {holder.limit}" if holder.limit else "-"
        state = "exceeds" if holder.exceeds else "reports" if holder.must_report else ""
        names = ", ".join(holder.accounts)
        typer.echo(f"{holder.tonnes:>14}  {limit:<32}  {state:<7}  {names}".rstrip())


def _missing(tape: "Tape", facts: "Facts") -> None:
    from cea_exchange.supervision.surveillance import not_looked_for

    for pattern, why in not_looked_for(tape, facts):
        typer.echo(f"not looked for: {pattern}, {why}")


def _reproducer(
    tape: "Tape", alert: "Alert", limits: "Limits", facts: "Facts", folder: Path
) -> Path | None:
    """Write the script that shows an alert; None where its commands alone don't."""
    from cea_exchange.supervision.reproducer import NotReproduced, reproducer, script_text

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{alert.trading_date}-{alert.last_seq}-{alert.pattern}.jsonl"
    try:
        script = reproducer(tape, alert, limits=limits, facts=facts)
    except NotReproduced as error:
        typer.echo(f"not reproduced: {error}", err=True)
        return None
    path.write_text(script_text(script, alert), encoding="utf-8")
    return path


def _facts(path: Path | None) -> "Facts":
    from cea_exchange.supervision.patterns.context import NO_FACTS, Facts

    if path is None:
        return NO_FACTS
    try:
        return msgspec.json.decode(path.read_bytes(), type=Facts)
    except msgspec.MsgspecError as error:
        raise CommandError(f"{path}: expected facts, {error}") from error


def _date(text: str | None) -> int | None:
    from cea_exchange.domain.calendar import date_number, date_parse

    if text is None:
        return None
    try:
        return date_number(date_parse(text))
    except ValueError as error:
        raise CommandError(f"--date: {error}") from error
