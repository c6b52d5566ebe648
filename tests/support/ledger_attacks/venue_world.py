"""Folder of a venue and its registry after a day, with a case, a paper, looks and an archive.

`journal_rewritten` is an attacker who knows the code. It writes the journal anew with right
checksums and checkpoints, deletes all derived files, and lets a start make them again.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from shutil import copytree

import numpy as np

from cea_exchange.domain.documents.cases import Document, Opened
from cea_exchange.domain.records import COMMAND_DTYPE, SCHEMA_VERSION, CommandKind
from cea_exchange.journal import Frame, FrameKind, Identity, Journal, OsStorage, read_frames
from cea_exchange.journal.segment import segment_header_read, segment_paths
from cea_exchange.protocol.control import (
    CaseEntered,
    Checkpoint,
    Control,
    control_decode,
    control_encode,
)
from cea_exchange.venue.cases.case_log import document_keep
from cea_exchange.venue.durability.profile_shelf import profile_keep
from cea_exchange.venue.durability.recovery import frame_apply
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.operations.look_log import Look, look_keep
from cea_exchange.venue.publication.bulletins import bulletin_write, bulletins_of_folder
from support.exchange.one_process import PROFILE, OneProcess

PAPER = b"minutes of a hearing"
DERIVED = ("events", "snapshots", "bulletins")


def venue_made(data: Path) -> None:
    """Fill the folder."""
    world = OneProcess(data, 1)
    world.run()
    for name, content in world.outcome().venue_files.items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    profile_keep(data, PROFILE, OsStorage())
    for number in range(3):
        fields = {"account": f"P{number}"}
        look_keep(data, Look(at="2025-07-16T15:30:00+08:00", by="rex", role="regulator",
                             what="positions", fields=fields))  # fmt: skip
    paper = document_keep(data, PAPER)
    started(
        data,
        CaseEntered(case="C1", entry=1, by="an", body=Opened(title="seen")),
        CaseEntered(
            case="C1", entry=2, by="an", body=Document(title="m", sha256=paper, is_kept=True)
        ),
    )
    started(data)
    bulletins_written(data)


def started(data: Path, *acts: Control) -> None:
    """Let a venue start on the folder, carry out acts, take a snapshot and end."""
    ticks = count(2 * 10**18)
    sequencer = Sequencer.open(
        data, PROFILE, now_ns=lambda: next(ticks), archive=data / "archive", snapshot_commands=1
    )
    if acts:
        sequencer.run_controls(list(acts))
    sequencer.turn()
    sequencer._snapshots.close()
    sequencer.close()


def bulletins_written(data: Path) -> None:
    """Write the bulletins as a start does."""
    for bulletin in bulletins_of_folder(data):
        bulletin_write(data / "bulletins", bulletin)


def journal_rewritten(data: Path, change: Callable[[Frame], Frame | None]) -> None:
    """Write the journal anew, each frame passed through `change`, and all that follows from it."""
    segments = segment_paths(data / "journal", OsStorage())
    log_id = segment_header_read(segments[0], OsStorage()).log_id
    frames = list(read_frames(data / "journal"))
    for folder in ("journal", "archive", *DERIVED):
        for path in (data / folder).iterdir():
            path.unlink()
    machine = VenueStateMachine(PROFILE)
    identity = Identity("0.1.0", SCHEMA_VERSION, PROFILE.profile_hash())
    with Journal.open(data / "journal", log_id=log_id, identity=identity) as journal:
        for frame in frames:
            forged = change(frame)
            if forged is None:
                continue
            forged = checkpoint_corrected(machine, forged)
            frame_apply(machine, forged)
            journal.append(forged.kind, forged.count, forged.time_ns, forged.payload)
    started(data)
    bulletins_written(data)


def checkpoint_corrected(machine: VenueStateMachine, frame: Frame) -> Frame:
    """Return a frame as it is, and a checkpoint with the hashes that the state has now."""
    if frame.kind != FrameKind.CONTROL:
        return frame
    if not isinstance(control_decode(frame.payload), Checkpoint):
        return frame
    core = machine.core
    hashes = Checkpoint(
        state_hash=core.state_hash(),
        holdings_hash=core.holdings_hash(),
        settlement_seq=core.settlement_seq,
    )
    return frame._replace(payload=control_encode(hashes))


def commands_changed(kind: CommandKind, place: int, **fields: int) -> Callable[[Frame], Frame]:
    """Return a change of one command of a kind: its fields, each by an amount.

    Parameters
    ----------
    place
        Which of the commands of that kind in the journal, from 0; below 0 from the end.
    """
    seen = count()

    def change(frame: Frame) -> Frame:
        if frame.kind != FrameKind.RECORDS:
            return frame
        records = np.frombuffer(frame.payload, COMMAND_DTYPE).copy()
        for record in records:
            if record["kind"] == kind and next(seen) == place:
                for name, amount in fields.items():
                    record[name] += amount
        return frame._replace(payload=records.tobytes())

    return change


def copied(made: Path, place: Path) -> Path:
    """Return a copy of the folder that an attack may change."""
    ignored = ("lock", "venue", "bank.sqlite", "bank.sqlite-shm", "bank.sqlite-wal")
    return copytree(made, place / "attacked", ignore=lambda _folder, _names: ignored)
