"""Where a year stands, kept so that one that was stopped goes on as if it had not been.

What is copied is whole: the systems' folders between two days, and all that is kept beside them.
The new copy takes the old one's place at once; whatever was done since is done again from it, with
the same numbers, and comes to the same.
"""

import contextlib
import shutil
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.documents.html_table import html_table
from cea_exchange.domain.units import price_format
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.market import Counts
from cea_exchange.year.institutions.programme import Programme
from cea_exchange.year.institutions.systems import ExchangeCash
from cea_exchange.year.institutions.voluntary_market import Voluntary
from cea_exchange.year.setting import YearSetting

FOLDER, NEW, OLD = ".checkpoint", ".checkpoint.new", ".checkpoint.old"
STATE = "state.msgpack"
ENDED = "year.msgpack"
SETTING, _SETTING_NEW = "year.json", "year.json.new"
FAILED = "failed.txt"
"""Why the year in the folder ended before its last day; only a failed year has this file."""
SYSTEMS = ("platform", "registry", "ccer", "bank", "venue")


class CcerState(Struct, kw_only=True):
    """Likewise of the voluntary side.

    Attributes
    ----------
    machine, bulletins, counts
        Of the exchange of CCERs, as those of the market of allowances.
    cash
        Of that exchange, when the year is over.
    """

    programme: Programme = msgspec.field(default_factory=Programme)
    voluntary: Voluntary = msgspec.field(default_factory=Voluntary)
    machine: bytes = b""
    bulletins: list[Bulletin] = []
    counts: Counts = msgspec.field(default_factory=Counts)
    cash: ExchangeCash = msgspec.field(default_factory=ExchangeCash)


class YearState(Struct, kw_only=True):
    """All of a year that is in no system's database.

    Attributes
    ----------
    days_done
        How many of the trading days have passed.
    machine
        The market's snapshot.
    products
        Each with its reference price (fen).
    ccer
        The voluntary side.
    emitted
        Enterprise -> unit -> tonnes, of those that have filed and are not verified yet.
    """

    days_done: int = 0
    firms: list[Firm] = []
    bulletins: list[Bulletin] = []
    counts: Counts = msgspec.field(default_factory=Counts)
    machine: bytes = b""
    products: list[tuple[str, int]] = []
    ccer: CcerState = msgspec.field(default_factory=CcerState)
    emitted: dict[str, dict[str, Decimal]] = {}

    def __repr__(self) -> str:
        counts, last = self.counts, self.bulletins[-1] if self.bulletins else "no day yet"
        return (
            f"<{type(self).__name__} {self.days_done} days, {len(self.firms):,} firms,"
            f" {counts.orders:,} orders, {counts.trades:,} trades; {last}>"
        )

    def _repr_html_(self) -> str:
        heads = ("day", "close", "t")
        days = (
            (str(each.trading_date), price_format(each.composite.close),
             f"{each.composite.day.total.volume:,}")
            for each in reversed(self.bulletins)
        )  # fmt: skip
        return html_table(heads, days, caption=repr(self), count=len(self.bulletins))


class OtherYear(ValueError):
    """The folder has a year of another setting in it."""


def setting_kept(folder: Path, setting: YearSetting) -> None:
    """Keep the setting in a folder, or check that the folder's year has the same setting.

    Raises
    ------
    OtherYear
        The folder has other files, or a year of another setting.
    """
    if not (folder / SETTING).exists():
        if folder.exists() and any(path.name != _SETTING_NEW for path in folder.iterdir()):
            raise OtherYear(f"{folder}: expected a new or an empty folder, or a year's, got others")
        folder.mkdir(parents=True, exist_ok=True)
        _setting_write(folder, setting)
        return
    before = _setting_of(folder)
    if before != setting:
        raise OtherYear(
            f"{folder}: expected a new folder, or the setting that the folder's year has,"
            f" got {_different(before, setting)} there"
        )


def is_failed_other(folder: Path, setting: YearSetting) -> bool:
    """Tell whether a folder has a failed year of another setting."""
    return (folder / FAILED).exists() and _setting_of(folder) != setting


def failed_replaced(folder: Path, setting: YearSetting) -> None:
    """Remove a failed year, and keep the setting of the one that takes its place."""
    for name in (FOLDER, NEW, OLD, *SYSTEMS):
        shutil.rmtree(folder / name, ignore_errors=True)
    _setting_write(folder, setting)
    (folder / FAILED).unlink()


def _setting_of(folder: Path) -> YearSetting:
    return msgspec.json.decode((folder / SETTING).read_bytes(), type=YearSetting)


def _setting_write(folder: Path, setting: YearSetting) -> None:
    text = msgspec.json.format(msgspec.json.encode(setting), indent=2)
    # A kill between the two steps must not leave half a setting: no year could begin in the folder.
    (folder / _SETTING_NEW).write_bytes(text + b"\n")
    (folder / _SETTING_NEW).rename(folder / SETTING)


def failed_note(folder: Path, error: Exception) -> None:
    """Write why a year failed: from then on its folder is free for a year of any setting.

    A full disk may keep the file from being written: the year's own error is the one to show.
    """
    with contextlib.suppress(OSError):
        (folder / FAILED).write_text(f"{type(error).__name__}: {error}\n", encoding="utf-8")


def _different(before: YearSetting, setting: YearSetting) -> str:
    names = YearSetting.__struct_fields__
    return ", ".join(
        f"{name} {getattr(before, name)!r}"
        for name in names
        if getattr(before, name) != getattr(setting, name)
    )


def saved(folder: Path, state: YearState) -> None:
    """Keep where a year stands; nothing may be writing to its systems meanwhile."""
    new, old, kept = folder / NEW, folder / OLD, folder / FOLDER
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    new.mkdir()
    for name in SYSTEMS:
        if (folder / name).exists():
            shutil.copytree(folder / name, new / name)
    (new / STATE).write_bytes(msgspec.msgpack.encode(state))
    if kept.exists():
        kept.rename(old)
    new.rename(kept)
    shutil.rmtree(old, ignore_errors=True)


def restored(folder: Path) -> YearState | None:
    """Bring the systems back to where a year stood, and return the rest; None: at its beginning."""
    kept, old = folder / FOLDER, folder / OLD
    if not kept.exists() and old.exists():
        old.rename(kept)
    for name in SYSTEMS:
        shutil.rmtree(folder / name, ignore_errors=True)
    if not kept.exists():
        return None
    for name in SYSTEMS:
        if (kept / name).exists():
            shutil.copytree(kept / name, folder / name)
    return msgspec.msgpack.decode((kept / STATE).read_bytes(), type=YearState)


def ended_save(folder: Path, state: YearState) -> None:
    """Keep what is left of a year that is over; its systems stay as they are."""
    new = folder / f"{ENDED}.new"
    new.write_bytes(msgspec.msgpack.encode(state))
    new.rename(folder / ENDED)
    (folder / FAILED).unlink(missing_ok=True)
    for left in (NEW, OLD, FOLDER):
        shutil.rmtree(folder / left, ignore_errors=True)


def ended(folder: Path) -> YearState | None:
    """Return what is left of a year that is over; None if it is not."""
    path = folder / ENDED
    return msgspec.msgpack.decode(path.read_bytes(), type=YearState) if path.exists() else None
