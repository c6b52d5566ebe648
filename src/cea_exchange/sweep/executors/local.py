"""Cells on processes of this machine: each has one of its own, so that its end is its alone."""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from cea_exchange.sweep.cell import Cell, CellResult, Played, program_hash
from cea_exchange.sweep.playing import cell_play

PRELOADED = ["cea_exchange.sweep.playing"]


def locally_played(cells: Iterable[Cell], processes: int, work: Path) -> Iterator[Played]:
    """Yield each cell as it ends; who stops asking ends what is being played.

    Parameters
    ----------
    processes
        So many cells at a time.
    work
        A folder in which they are played.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    _server_start()
    waiting = iter(cells)
    playing: dict[Connection, tuple[ForkServerProcess, Cell]] = {}
    with tempfile.TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as folder:
        try:
            while True:
                while len(playing) < processes and (cell := next(waiting, None)) is not None:
                    ours, theirs = context.Pipe(duplex=False)
                    process = context.Process(
                        target=_play, args=(cell, Path(folder) / cell.id, theirs), name=cell.id
                    )
                    process.start()
                    # Its copy alone is open: when it ends, ours says so.
                    theirs.close()
                    playing[ours] = process, cell
                if not playing:
                    return
                for connection in wait([*playing]):
                    assert isinstance(connection, Connection)
                    process, cell = playing.pop(connection)
                    yield _ended(process, cell, connection)
        finally:
            for process, _ in playing.values():
                process.kill()
                process.join()


def _server_start() -> None:
    """Start what processes are forked from; a module in the working directory has no part in it."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _ended(process: ForkServerProcess, cell: Cell, connection: Connection) -> Played:
    with connection:
        try:
            played: Played = connection.recv()
        except EOFError:
            process.join()
            code = process.exitcode or 0
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            error = f"the process that played it: expected a result, got its end by {how}"
            return Played(
                CellResult(cell=cell.id, program=program_hash(), fault="machine", error=error)
            )
        process.join()
        return played


def _play(cell: Cell, folder: Path, connection: Connection) -> None:
    """Play a cell in a process of its own."""
    # Ctrl-C reaches every process of a terminal: who asked for cells ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with connection:
        connection.send(cell_play(cell, folder))


def _end_with_parent() -> None:
    """End when who asked has ended, in whatever way: nobody waits for this cell any more."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
