"""Cells on Ray: the cluster that `RAY_ADDRESS` names, or one begun on this machine.

Every machine needs the same program and, of firms of one's own, the same module: a cell that
another program would play is refused there, and named.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.sweep import libraries
from cea_exchange.sweep.cell import Cell, CellResult, Played, program_hash
from cea_exchange.sweep.playing import cell_play

ADDRESS = "RAY_ADDRESS"
"""Names the cluster, as everywhere with Ray."""


def played_on_ray(cells: Iterable[Cell], processes: int) -> Iterator[Played]:
    """Yield each cell as it ends; who stops asking ends what is being played.

    Parameters
    ----------
    processes
        So many cells at a time; of a cluster begun here also its processors.
    """
    ray = libraries.ray()
    # Nobody outside is to hear of it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": "error"}
    if ADDRESS in os.environ:
        ray.init(**quiet)
    else:
        ray.init(address="local", num_cpus=processes, include_dashboard=False, **quiet)
    remote = ray.remote(num_cpus=1, max_retries=0)(_play)
    waiting = iter(cells)
    playing: dict[Any, Cell] = {}
    try:
        while True:
            for cell in islice(waiting, processes - len(playing)):
                playing[remote.remote(msgspec.msgpack.encode(cell), program_hash())] = cell
            if not playing:
                return
            (done,), _ = ray.wait([*playing], num_returns=1)
            yield _ended(ray, done, playing.pop(done))
    finally:
        for each in playing:
            ray.cancel(each, force=True)
        ray.shutdown()


def _ended(ray: Any, done: Any, cell: Cell) -> Played:
    try:
        result, cpu_s, peak_mib = ray.get(done)
    except ray.exceptions.RayError as error:
        words = f"Ray: expected a result, got {type(error).__name__}"
        return Played(
            CellResult(cell=cell.id, program=program_hash(), fault="machine", error=words)
        )
    return Played(msgspec.json.decode(result, type=CellResult), cpu_s, peak_mib)


def _play(encoded: bytes, program: str) -> tuple[bytes, float, float]:
    """Play a cell at a worker."""
    cell = msgspec.msgpack.decode(encoded, type=Cell)
    if program_hash() != program:
        error = f"program: expected {program} on every machine, got {program_hash()} on one"
        result = CellResult(cell=cell.id, program=program, fault="machine", error=error)
        return result.encoded(), 0.0, 0.0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        played = cell_play(cell, Path(folder) / cell.id)
    return played.result.encoded(), played.cpu_s, played.peak_mib
