"""A small nation's year."""

import hashlib

from cea_exchange.year.outcome.outcome import outcome_of
from cea_exchange.year.run import YearRun
from cea_exchange.year.setting import YearSetting

SMALL = YearSetting(year=2024, entities=10, seed=5, orders=400, days=20)


def options(setting):
    """Return what `cea-exchange year` is typed with for a setting."""
    typed = [str(setting.year)]
    for name in ("entities", "seed", "orders", "days"):
        typed += [f"--{name}", str(getattr(setting, name))]
    return typed


def played(folder, setting=SMALL):
    """Play a year, write what came of it, and return that."""
    run = YearRun(folder, setting)
    return outcome_of(folder, setting, run.run())


def hashes(folder):
    """Return table's file -> hash of its bytes."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "tables").iterdir())
    }
