"""A cell of a sweep: one year with all that decides about it, and its result."""

import hashlib
import inspect
from functools import cache, cached_property
from importlib import import_module, resources
from importlib.abc import Traversable
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from cea_exchange.year.outcome.held import Reconciled
from cea_exchange.year.setting import FIRMS, YearSetting

PROGRAM_FILES = (".py", ".pyx", ".pxd", ".toml", ".sql", ".csv", ".json")
"""What of the package decides about a year; compiled modules follow from it."""


def hash_of(content: bytes) -> str:
    """Return 16 hex digits of a content."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


class Cell(Struct, frozen=True, kw_only=True, dict=True):
    """A year to be played, wherever that is.

    Attributes
    ----------
    setting
        Its profile is named by what it has in it: where its file lies does not matter.
    profile
        The profile's text.
    firms_hash
        Of the module of firms of one's own; empty: the packaged ones, which the program's hash has.
    """

    setting: YearSetting
    profile: str
    firms_hash: str = ""

    @cached_property
    def id(self) -> str:
        """Return 16 hex digits of all that decides about it but the program."""
        return hash_of(msgspec.json.encode((self.setting, self.firms_hash)))

    def files(self) -> dict[str, str]:
        """Return what it needs beside the program, name -> text."""
        found = {self.setting.profile: self.profile}
        if self.setting.plan:
            found[plan_name(self.setting.plan)] = self.setting.plan
        return found

    def command(self) -> str:
        """Return what plays it again, typed in the folder of its files."""
        setting = self.setting
        typed = [
            f"cea-exchange year {setting.year} --seed {setting.seed}",
            f"--entities {setting.entities} --orders {setting.orders} --days {setting.days}",
            f"--profile {setting.profile}",
        ]
        if setting.plan:
            typed.append(f"--plan {plan_name(setting.plan)}")
        if setting.firms != FIRMS:
            typed.append(f"--firms {setting.firms}")
        typed += [f"--behaviour {name}={value}" for name, value in setting.behaviour.items()]
        if setting.offset_share_bp is not None:
            typed.append(f"--offset-share {setting.offset_share_bp}")
        return " ".join((*typed, f"--out {self.id}"))


def profile_name(text: str) -> str:
    """Return what a profile's file is called in a sweep."""
    return f"profile-{hash_of(text.encode())}.toml"


def plan_name(text: str) -> str:
    """Return what a plan's file is called in a sweep."""
    return f"plan-{hash_of(text.encode())}.toml"


class CellResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a cell came to; nothing in it says when or where it was played.

    Attributes
    ----------
    program
        The hash of the program that played it.
    figures
        By name, whole numbers; empty where it failed.
    reconciled
        What the systems say of each other.
    tables
        Table's file -> SHA-256.
    fault
        ``year``: it comes to an error, and would again. ``machine``: it was kept from its end by
        what it was played on, and is played again when the sweep goes on.
    error
        What is wrong, and where.
    """

    cell: str
    program: str
    figures: dict[str, int] = {}
    reconciled: tuple[Reconciled, ...] = ()
    tables: dict[str, str] = {}
    fault: Literal["", "year", "machine"] = ""
    error: str = ""

    @property
    def agrees(self) -> bool:
        """Whether it came to its end, and all systems say the same."""
        return not self.fault and all(each.agrees for each in self.reconciled)

    def encoded(self) -> bytes:
        """Return it as its file has it."""
        return msgspec.json.format(msgspec.json.encode(self, order="deterministic")) + b"\n"


class Played(NamedTuple):
    """A cell that was played, and what that took: the latter is in no result.

    Attributes
    ----------
    cpu_s, peak_mib
        Seconds of a processor, and memory at most, of the process that played it.
    """

    result: CellResult
    cpu_s: float = 0.0
    peak_mib: float = 0.0


@cache
def program_hash() -> str:
    """Return the hash of the package as it is installed here: another one may play otherwise."""
    content = hashlib.blake2b(digest_size=8)
    for name, file in _files_below(resources.files("cea_exchange"), ""):
        content.update(f"{name}\0".encode())
        content.update(hashlib.blake2b(file.read_bytes()).digest())
    return content.hexdigest()


def _files_below(folder: Traversable, place: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _files_below(entry, f"{place}{entry.name}/")
        elif entry.name.endswith(PROGRAM_FILES):
            found.append((place + entry.name, entry))
    return found


def firms_hash(firms: str) -> str:
    """Return the hash of the module that a class of firms is in; empty for the packaged ones."""
    module, _, _ = firms.partition(":")
    if module.startswith("cea_exchange."):
        return ""
    return hash_of(inspect.getsource(import_module(module)).encode())
