"""Runs a daemon that allocates by a year's own plan: ``FILE platform serve ...``.

A plan that is tried is of one process; this lends it to one that a year has begun. No daemon's
settings can.
"""

import runpy
import sys
from pathlib import Path

from cea_exchange.domain.compliance.plans.plan import plans_tried

PROGRAM = "cea_exchange.cli.main"
"""`cea-exchange`, as Python runs it."""

if __name__ == "__main__":
    file = sys.argv.pop(1)
    with plans_tried(Path(file).read_text(encoding="utf-8"), file):
        runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
