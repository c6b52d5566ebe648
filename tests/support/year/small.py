"""A small nation's year."""

import hashlib

from cea_exchange.year.outcome.outcome import outcome_of
from cea_exchange.year.run import YearRun
from cea_exchange.year.setting import YearSetting
from support.places import ROOT

PLANS = ROOT / "src/cea_exchange/domain/compliance/plans"
SMALL = YearSetting(year=2024, entities=10, seed=5, orders=400, days=20)


def plan_as_later():
    """Return 2024's plan, but for industries: compared as a later plan does (CEA-PLN-17)."""
    text = (PLANS / "2023-2024.toml").read_text(encoding="utf-8")
    return text.replace(
        'method = "as_emitted"', 'method = "intensity"\nslope = "0.15"\nlimit = "0.2"'
    )


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
