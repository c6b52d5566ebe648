"""Plays a cell in a folder of its own, which nothing is left of but the result."""

import hashlib
import logging
import resource
import shutil
import time
import traceback
from collections.abc import Sequence
from itertools import pairwise
from math import isqrt
from pathlib import Path

import apsw
import msgspec
import structlog

from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.sweep.cell import Cell, CellResult, Played, firms_hash, program_hash
from cea_exchange.year.outcome.figures import YearFigures
from cea_exchange.year.outcome.outcome import outcome_of
from cea_exchange.year.run import YearRun

MACHINE_FAULTS = (
    *(OSError, MemoryError),
    *(apsw.FullError, apsw.IOError, apsw.NoMemError, apsw.CantOpenError, apsw.ReadOnlyError),
)
WHOLE_BP = 10_000


def cell_play(cell: Cell, folder: Path) -> Played:
    """Play a cell; what is wrong with it is its result.

    Parameters
    ----------
    folder
        A new one, which is removed.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    began_s = time.process_time()
    try:
        result = _played(cell, folder)
    except MACHINE_FAULTS as error:
        result = _failed(cell, folder, error, "machine")
    except Exception as error:
        result = _failed(cell, folder, error, "year")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Played(result, time.process_time() - began_s, peak_kib / 1_024)


def _played(cell: Cell, folder: Path) -> CellResult:
    if (there := firms_hash(cell.setting.firms)) != cell.firms_hash:
        raise ValueError(
            f"firms: expected {cell.setting.firms} with hash {cell.firms_hash}, got {there}"
        )
    folder.mkdir(parents=True)
    profile = folder / cell.setting.profile
    profile.write_text(cell.profile, encoding="utf-8", newline="")
    setting = msgspec.structs.replace(cell.setting, profile=str(profile))
    year = folder / "year"
    # What is left of a cell that was stopped is thrown away.
    state = YearRun(year, setting, goes_on=False).run()
    outcome = outcome_of(year, setting, state, csv_alone=True)
    tables = {
        file.rpartition("/")[2]: hashlib.sha256((year / file).read_bytes()).hexdigest()
        for file in outcome.files
    }
    return CellResult(
        cell=cell.id,
        program=program_hash(),
        figures=figures_shown(outcome.figures, state.bulletins),
        reconciled=tuple(outcome.reconciled),
        tables=tables,
    )


def _failed(cell: Cell, folder: Path, error: Exception, fault: str) -> CellResult:
    """Return what a failure says; where it was played is left out of its words."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    _, _, place = last.filename.rpartition("/cea_exchange/")
    words = str(error).replace(f"{folder}/", "").replace(str(folder), "")
    text = f"{type(error).__name__}: {words} (at {place}:{last.lineno} in {last.name})"
    return msgspec.convert(
        {"cell": cell.id, "program": program_hash(), "fault": fault, "error": text}, CellResult
    )


# -- Figures ---------------------------------------------------------------------------------------


def figures_shown(figures: YearFigures, bulletins: Sequence[Bulletin]) -> dict[str, int]:
    """Return a year's figures, and how its price went: whole numbers, by name."""
    closes = [bulletin.composite.close for bulletin in bulletins]
    # Of each day's close, by how much it lies from the day's before.
    moves_bp = [
        abs(after - before) * WHOLE_BP // before
        for before, after in pairwise(closes)
        if before
    ]
    volume = figures.volume_tonnes
    shares = ("surrendered_bp", "block_share_bp", "december_share_bp")
    return msgspec.structs.asdict(figures) | {
        **{name: getattr(figures, name) for name in shares},
        "mean_fen": (2 * figures.value_fen + volume) // (2 * volume) if volume else 0,
        "lowest_close_fen": min(closes),
        "highest_close_fen": max(closes),
        "largest_move_bp": max(moves_bp, default=0),
        "volatility_bp": isqrt(sum(move * move for move in moves_bp) // max(1, len(moves_bp))),
    }
