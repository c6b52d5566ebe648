"""Small sweeps: their plans, and all their results."""

from cea_exchange.sweep.plan_file import plan_read
from cea_exchange.sweep.run import SweepRun

SMALL = """
title = "small"
[year]
year = 2024
entities = 4
orders_each = 10
days = 7
[seeds]
first = 5
count = 2
[grid]
profile.listed_band_bp = [500, 2000]
"""
NO_PART = {"played.csv", "lock"}
"""What says how it was played, which is no part of what came of it."""


def plan_at(folder, text=SMALL, name="plan.toml"):
    """Write a plan, and read it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return plan_read(path)


def swept(folder, plan, **how):
    """Play a sweep, or what is left of it; return where it stands, and what came of it."""
    return SweepRun(plan, folder).run(**{"processes": 2} | how)


def files_of(folder):
    """Return each file of a sweep with its bytes, but what says how it was played."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name not in NO_PART
    }
