"""`cea-exchange surveil`: looks for abuse in a market script, or in a venue's days."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from cea_exchange.cli.errors import CheckFailed, CommandError
from cea_exchange.user_files.formats import json_read
from cea_exchange.user_files.opening import file_open

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

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
    whole: Annotated[
        float, typer.Option(min=1.0, help="With --follow: all there is every so many seconds.")
    ] = 60.0,
    interval: Annotated[
        float, typer.Option(min=0.1, help="With --follow: a look every so many seconds.")
    ] = 0.5,
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
            _venue(reader, follow, (interval, whole), reproducers, json)
            return
        if follow:
            raise CommandError(f"{source}: expected a venue's data folder with --follow")
        tape = _script(source, rules or load_profile("cea"))
        if holders:
            _holders(tape, measured, known, json)
            return
        _print(tape, _alerts(tape, measured, known, wanted), measured, known, reproducers, json)
        _missing(tape, known, json)
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
        from cea_exchange.supervision.recent import RecentTape
        from cea_exchange.supervision.sources import VenueTape

        if not (source / "journal").is_dir():
            raise CommandError(f"{source}: expected a data folder with a journal, there is none")
        self._tape = VenueTape(source, profile=profile)
        self._recent = RecentTape()
        self._wanted = wanted
        self._grades: dict[tuple[object, ...], str] = {}
        self.limits, self.facts = limits, facts

    def new(self) -> "tuple[Tape, list[Alert]]":
        """Return the tape, and the alerts of it that are new, or graver than they were."""
        self._tape.take()
        tape = self._tape.tape()
        return tape, self.unknown(_alerts(tape, self.limits, self.facts, self._wanted))

    def recent(self) -> "tuple[Tape, list[Alert]]":
        """Return the recent part of the tape, and what is new of patterns within minutes."""
        from cea_exchange.supervision.recent import PATTERNS_RECENT

        self._tape.take()
        tape = self._recent.of(self._tape.tape())
        found = _alerts(tape, self.limits, self.facts, self._wanted, PATTERNS_RECENT)
        return tape, self.unknown(found)

    def whole_begin(self) -> "WholeLook":
        """Begin a look at all there is, beside."""
        tape = self._tape.tape()
        return WholeLook(tape, lambda: _alerts(tape, self.limits, self.facts, self._wanted))

    def unknown(self, alerts: "list[Alert]") -> "list[Alert]":
        """Return those that were not found before, or are graver than they were; they are now."""
        from cea_exchange.supervision.alerts import GRADES

        found = []
        for alert in alerts:
            key = *alert.same, alert.trading_date
            before = self._grades.get(key)
            if before is None or GRADES.index(alert.grade) > GRADES.index(before):
                self._grades[key] = alert.grade
                found.append(alert)
        return found


class WholeLook:
    """A look at all there is, in a process of its own: the recent part need not wait for it.

    Parameters
    ----------
    tape
        What is looked at.
    look
        Returns what is found.
    """

    def __init__(self, tape: "Tape", look: "Callable[[], list[Alert]]") -> None:
        # Forked, it has the tape without a copy.
        context = multiprocessing.get_context("fork")
        self.tape = tape
        self._answer, answering = context.Pipe(duplex=False)
        self._process = context.Process(target=_look_sent, args=(look, answering), daemon=True)
        self._process.start()
        answering.close()

    def found(self) -> "list[Alert] | None":
        """Return what it found; None while it goes on.

        Raises CommandError: it has ended without an answer.
        """
        from cea_exchange.supervision.alerts import Alert

        if not self._answer.poll():
            return None
        try:
            found = msgspec.msgpack.decode(self._answer.recv_bytes(), type=list[Alert])
        except EOFError:
            raise CommandError("a look at all there is ended without an answer") from None
        finally:
            self._process.join()
        return found


def _look_sent(look: "Callable[[], list[Alert]]", answering: "Connection") -> None:
    answering.send_bytes(msgspec.msgpack.encode(look()))


def _venue(
    reader: VenueAlerts,
    follow: bool,
    every_s: tuple[float, float],
    reproducers: Path | None,
    json: bool,
) -> None:
    """Print a venue's alerts; followed, those of the recent part soon, all others when found."""

    def show(tape: "Tape", found: "list[Alert]") -> None:
        _print(tape, found, reader.limits, reader.facts, reproducers, json)

    interval_s, whole_s = every_s
    tape, found = reader.new()
    show(tape, found)
    _missing(tape, reader.facts, json)
    looked, look, last_seq = time.monotonic(), None, _last_seq(tape)
    while follow:
        begun = time.monotonic()
        tape, found = reader.recent()
        show(tape, found)
        if look is not None and (found_whole := look.found()) is not None:
            show(look.tape, reader.unknown(found_whole))
            look = None
        elif look is None and begun - looked >= whole_s and _last_seq(tape) > last_seq:
            look, looked, last_seq = reader.whole_begin(), begun, _last_seq(tape)
        time.sleep(max(0.0, interval_s - (time.monotonic() - begun)))


def _last_seq(tape: "Tape") -> int:
    return int(tape.events["seq"][-1]) if len(tape.events) else 0


def _script(source: Path, profile: "Profile") -> "Tape":
    from cea_exchange.supervision.sources import script_tape

    with file_open(source, "a market script") as lines:
        return script_tape(lines, profile, str(source))


def _alerts(
    tape: "Tape",
    limits: "Limits",
    facts: "Facts",
    wanted: int | None,
    patterns: tuple[str, ...] | None = None,
) -> "list[Alert]":
    from cea_exchange.supervision.surveillance import PATTERNS
    from cea_exchange.supervision.surveillance import surveil as find

    try:
        found = find(tape, limits=limits, facts=facts, patterns=patterns or tuple(PATTERNS))
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
    from cea_exchange.supervision.gains import gain_of

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


def _missing(tape: "Tape", facts: "Facts", json: bool) -> None:
    """Print the patterns that were not examined; with `json` one line, also if there are none."""
    from cea_exchange.supervision.surveillance import not_looked_for

    missing = not_looked_for(tape, facts)
    if json:
        listed = {"not_examined": [item._asdict() for item in missing]}
        typer.echo(msgspec.json.encode(listed).decode())
        return
    for pattern, why in missing:
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
    return json_read(path, "facts", Facts)


def _date(text: str | None) -> int | None:
    from cea_exchange.domain.calendar import date_number, date_parse

    if text is None:
        return None
    try:
        return date_number(date_parse(text))
    except ValueError as error:
        raise CommandError(f"--date: {error}") from error
