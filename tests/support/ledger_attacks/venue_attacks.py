"""Changes of a venue's folder by somebody who computes all checksums and derived files anew."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import msgspec

from cea_exchange.domain.records import CommandKind, EventKind
from cea_exchange.journal import (
    EventStore,
    Frame,
    FrameKind,
    OsStorage,
    manifest_read,
    snapshot_paths,
    snapshot_read,
    snapshot_write,
)
from cea_exchange.journal.row_file import HEADER_BYTES
from cea_exchange.journal.segment import crc32c
from cea_exchange.protocol.control import (
    CaseEntered,
    Control,
    FeedItem,
    Halt,
    SettlementConfirmed,
    TransferIn,
    control_decode,
    control_encode,
)
from cea_exchange.venue.durability.event_index import INDEX_ROW_BYTES
from cea_exchange.venue.operations.look_log import LOOKS_NAME
from support.ledger_attacks.venue_world import (
    commands_changed,
    journal_rewritten,
)
from support.ledger_attacks.verdicts import FOUND

NAMED, DERIVED_ONLY = "named as missing", "derived, and nothing is lost"
"""Verdicts on files that follow from the journal (protocol/journal.md) and were deleted."""

FIRST, LAST = "00000000000000000001.seg", "00000000000000000943.seg"
DAY = "bulletins/2025-07-16"


class FolderAttack(NamedTuple):
    """One change of the folder.

    Attributes
    ----------
    name
        What the attacker does.
    change
        Does it in a copy of the folder.
    verdict
        What the commands must say of it.
    """

    name: str
    change: Callable[[Path], object]
    verdict: str = FOUND


def replaced(name: str, old: bytes, new: bytes) -> Callable[[Path], object]:
    """Return a change of some bytes of a file."""

    def change(data: Path) -> None:
        content = (data / name).read_bytes()
        assert old in content
        (data / name).write_bytes(content.replace(old, new, 1))

    return change


def flipped(name: str, place: int) -> Callable[[Path], object]:
    """Return a change of one bit."""

    def change(data: Path) -> None:
        content = bytearray((data / name).read_bytes())
        content[place] ^= 1
        (data / name).write_bytes(content)

    return change


def deleted(*names: str) -> Callable[[Path], object]:
    """Return a deletion of files."""
    return lambda data: [(data / name).unlink() for name in names]


def acts_changed(kind: type[Control], **fields: object) -> Callable[[Path], object]:
    """Return a change of the first act of a kind, after which all that follows is made anew."""

    def changed(frame: Frame) -> Frame:
        if frame.kind != FrameKind.CONTROL or seen:
            return frame
        message = control_decode(frame.payload)
        if not isinstance(message, kind):
            return frame
        seen.append(message)
        forged = msgspec.structs.replace(message, **fields)
        return frame._replace(payload=control_encode(forged))

    seen: list[Control] = []

    def change(data: Path) -> None:
        seen.clear()
        journal_rewritten(data, changed)
        assert seen

    return change


def commands(kind: CommandKind, place: int, **fields: int) -> Callable[[Path], object]:
    """Return a change of one command, after which all that follows is made anew."""
    return lambda data: journal_rewritten(data, commands_changed(kind, place, **fields))


def without(kind: type[Control] | None, place: int = 0) -> Callable[[Path], object]:
    """Return a removal of one frame: an act of a kind, or, without a kind, commands."""

    def change(data: Path) -> None:
        numbers = iter(range(10**6))

        def kept(frame: Frame) -> Frame | None:
            if kind is None:
                is_hit = frame.kind == FrameKind.RECORDS
            else:
                is_hit = frame.kind == FrameKind.CONTROL and isinstance(
                    control_decode(frame.payload), kind
                )
            return None if is_hit and next(numbers) == place else frame

        journal_rewritten(data, kept)

    return change


def paid_in_more(data: Path) -> None:
    """Let the first payment to the venue be of one fen more."""

    def change(frame: Frame) -> Frame:
        if frame.kind != FrameKind.CONTROL or seen:
            return frame
        item = control_decode(frame.payload)
        if not isinstance(item, FeedItem) or not isinstance(item.command, TransferIn):
            return frame
        seen.append(item)
        command = msgspec.structs.replace(item.command, amount=item.command.amount + 1)
        forged = msgspec.structs.replace(item, command=command)
        return frame._replace(payload=control_encode(forged))

    seen: list[FeedItem] = []
    journal_rewritten(data, change)


def event_changed(data: Path) -> None:
    """Change the price of the first trade in the event store, and the row's checksum."""
    store_path = data / "events" / "events.rows"
    log_id = store_path.read_bytes()[16:32].hex()
    with EventStore.open(data / "events", log_id=log_id) as store:
        rows = [bytes(store.read(number, 1)) for number in range(1, store.count + 1)]
        place = next(at for at, row in enumerate(rows) if row[_KIND] == EventKind.TRADE)
        rows[place] = rows[place][:32] + bytes([rows[place][32] ^ 1]) + rows[place][33:]
        store.truncate(0)
        store.append(b"".join(rows))


_KIND = 0


def index_changed(data: Path) -> None:
    """Change the first block of the event index, and its checksum."""
    path = data / "events" / "index.blocks"
    content = bytearray(path.read_bytes())
    words = bytearray(content[HEADER_BYTES : HEADER_BYTES + INDEX_ROW_BYTES - 8])
    words[8] ^= 1
    check = crc32c((0).to_bytes(8, "little"), bytes(words)).to_bytes(8, "little")
    content[HEADER_BYTES : HEADER_BYTES + INDEX_ROW_BYTES] = bytes(words) + check
    path.write_bytes(content)


def snapshot_changed(data: Path) -> None:
    """Change the newest snapshot's count of events, with right checksums."""
    path = snapshot_paths(data / "snapshots")[0]
    header, body = snapshot_read(path)
    path.unlink()
    forged = header._replace(event_count=header.event_count + 1)
    snapshot_write(path.parent, forged, body, storage=OsStorage())


def archived_otherwise(data: Path) -> None:
    """Change the archived segment, and its hash and size in the manifest."""
    path = data / "archive" / FIRST
    content = path.read_bytes() + b"\0"
    path.unlink()
    path.write_bytes(content)
    (line,) = manifest_read(data / "archive", storage=OsStorage())
    forged = msgspec.structs.replace(line, bytes=len(content), sha256=sha256(content).hexdigest())
    manifest = data / "archive" / "manifest.jsonl"
    manifest.write_bytes(msgspec.json.encode(forged) + b"\n")


def looks_cut(data: Path) -> None:
    """Take the last line off the looks."""
    lines = (data / LOOKS_NAME).read_bytes().splitlines(keepends=True)
    (data / LOOKS_NAME).write_bytes(b"".join(lines[:-1]))


def document_changed(data: Path) -> None:
    """Change a kept paper."""
    (path,) = (data / "documents").iterdir()
    path.write_bytes(b"minutes of no hearing")


def bulletins_forged(data: Path) -> None:
    """Change the day's closing price in all three files."""
    for suffix in ("txt", "csv", "json"):
        path = data / f"{DAY}.{suffix}"
        content = path.read_bytes()
        path.write_bytes(content.replace(b"97.", b"98."))
        assert content != path.read_bytes()


def bulletin_of_another_day(data: Path) -> None:
    """Add a bulletin of a day on which nobody traded."""
    for suffix in ("txt", "csv", "json"):
        content = (data / f"{DAY}.{suffix}").read_bytes()
        (data / f"bulletins/2025-07-15.{suffix}").write_bytes(content)


def profile_changed(data: Path) -> None:
    """Lower the fee in the kept profile."""
    (path,) = (data / "profiles").iterdir()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"fee_bp = {value = 3", b"fee_bp = {value = 2"))
    assert content != path.read_bytes()


ATTACKS = [
    FolderAttack("a bit of the first segment", flipped(f"journal/{FIRST}", 5_000)),
    FolderAttack("a bit of the last segment", flipped(f"journal/{LAST}", 250)),
    FolderAttack("the last segment with acts is gone", deleted(f"journal/{LAST}")),
    FolderAttack("a payment to the venue is of more", paid_in_more),
    FolderAttack("the last item of the feed is gone", without(FeedItem, 22)),
    FolderAttack("a block is of one tonne more", commands(CommandKind.BLOCK_OFFER, 0, tonnes=1)),
    FolderAttack("an amended order has one tonne more", commands(CommandKind.AMEND, 5, tonnes=1)),
    FolderAttack("the day's first orders are gone", without(None, 0)),
    FolderAttack(
        "the registry confirmed another day", acts_changed(SettlementConfirmed, settlement_seq=288)
    ),
    FolderAttack("a halt is by another person", acts_changed(Halt, by="zhao")),
    FolderAttack("an entry of a case is by another person", acts_changed(CaseEntered, by="zhao")),
    FolderAttack("the last entry of a case is gone", without(CaseEntered, 1)),
    FolderAttack(
        "an order without a trade has one tonne more", commands(CommandKind.ENTER, 704, tonnes=1)
    ),
    FolderAttack("a trade's price in the event store", event_changed),
    FolderAttack("a bit of the event store", flipped("events/events.rows", 64 + 160 * 12 + 32)),
    FolderAttack("the event index, with its checksum", index_changed),
    FolderAttack("the newest snapshot, with its checksum", snapshot_changed),
    FolderAttack("the bulletin's text", replaced(f"{DAY}.txt", b"97.", b"98.")),
    FolderAttack("the bulletin's table", replaced(f"{DAY}.csv", b"97.", b"98.")),
    FolderAttack("all forms of the bulletin", bulletins_forged),
    FolderAttack("a bulletin of another day", bulletin_of_another_day),
    FolderAttack("the archived segment, with its hash", archived_otherwise),
    FolderAttack("the archived segment is gone", deleted(f"archive/{FIRST}")),
    FolderAttack("the manifest is gone", deleted("archive/manifest.jsonl")),
    FolderAttack("archive and manifest are gone", lambda data: rmtree(data / "archive")),
    FolderAttack("a paper is another one", document_changed),
    FolderAttack("all papers are gone", lambda data: rmtree(data / "documents")),
    FolderAttack("the last look is gone", looks_cut),
    FolderAttack(
        "a look is by another person", replaced(LOOKS_NAME, b'"by":"rex"', b'"by":"zhao"')
    ),
    FolderAttack(
        "the event store is gone", deleted("events/events.rows", "events/events.sums"), DERIVED_ONLY
    ),
    FolderAttack("the event index is gone", deleted("events/index.blocks"), NAMED),
    FolderAttack("a bulletin is gone", deleted(f"{DAY}.json"), NAMED),
    FolderAttack("all bulletins are gone", lambda data: rmtree(data / "bulletins"), NAMED),
    FolderAttack(
        "the newest snapshot is gone",
        lambda data: snapshot_paths(data / "snapshots")[0].unlink(),
        DERIVED_ONLY,
    ),
    FolderAttack("all snapshots are gone", lambda data: rmtree(data / "snapshots"), DERIVED_ONLY),
    FolderAttack("the profile is another one", profile_changed),
]
"""Each attack, and what the commands must say of it unless `KNOWN_MISSED` has it."""
