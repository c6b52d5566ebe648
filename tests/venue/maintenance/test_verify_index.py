"""`verify` makes the event index anew: each block of its file, and the lists in each snapshot."""

import msgspec
import pytest

from cea_exchange.journal import JournalError, OsStorage, snapshot_paths, snapshot_read
from cea_exchange.journal.row_file import HEADER_BYTES
from cea_exchange.journal.segment import crc32c
from cea_exchange.journal.snapshot_file import snapshot_write
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.durability.event_index import INDEX_ROW_BYTES
from cea_exchange.venue.durability.snapshots import body_decode
from cea_exchange.venue.maintenance.verify import verify_data
from support.journal.small_market import day_begin, sequencer_open

TRANSFERS = 600
"""Of one account: two full blocks of its reports, and two of the settlement stream."""

INDEX = "events/index.blocks"


@pytest.fixture
def data(tmp_path):
    sequencer = sequencer_open(tmp_path, snapshot_commands=10**6)
    day_begin(sequencer)
    paid = control.TransferIn(account="alice", amount=100)
    items = [
        control.FeedItem(transfer_seq=6 + number, command=paid) for number in range(TRANSFERS)
    ]
    sequencer.run_controls(items)
    sequencer.run_controls([control.DayClose()])
    sequencer.turn()
    sequencer.close()
    return tmp_path


def verify(data):
    return verify_data(data, core_class=ReferenceMarket)


def index_of(data):
    return data / "events" / "index.blocks"


def row_sealed(number, words):
    """Return a row of the file whose checksum is right."""
    return words + crc32c(number.to_bytes(8, "little"), words).to_bytes(8, "little")


def test_a_sound_index_is_counted(data):
    result = verify(data)
    assert (result.index_blocks, result.snapshots) == (4, 1)
    assert INDEX not in result.missing


@pytest.mark.parametrize("block", range(4))
def test_a_changed_block_is_named_though_its_checksum_is_right(data, block):
    content = bytearray(index_of(data).read_bytes())
    start = HEADER_BYTES + block * INDEX_ROW_BYTES
    words = bytearray(content[start : start + INDEX_ROW_BYTES - 8])
    assert content[start : start + INDEX_ROW_BYTES] == row_sealed(block, bytes(words))
    words[8] ^= 1
    content[start : start + INDEX_ROW_BYTES] = row_sealed(block, bytes(words))
    index_of(data).write_bytes(content)
    with pytest.raises(JournalError, match=f"blocks {block} to {block} are not those .*index"):
        verify(data)


def test_a_block_too_many_is_named(data):
    with index_of(data).open("ab") as file:
        file.write(row_sealed(4, bytes(INDEX_ROW_BYTES - 8)))
    with pytest.raises(JournalError, match="expected 4 blocks, got 5"):
        verify(data)


@pytest.mark.parametrize("kept", [0, HEADER_BYTES, HEADER_BYTES + INDEX_ROW_BYTES + 5])
def test_a_shorter_index_is_listed(data, kept):
    index_of(data).write_bytes(index_of(data).read_bytes()[:kept])
    result = verify(data)
    assert INDEX in result.missing
    assert result.index_blocks == max(0, kept - HEADER_BYTES) // INDEX_ROW_BYTES


def test_an_index_that_was_taken_away_is_listed_and_the_next_start_writes_it(data):
    before = index_of(data).read_bytes()
    index_of(data).unlink()
    assert INDEX in verify(data).missing
    sequencer_open(data, snapshot_commands=10**6).close()
    assert index_of(data).read_bytes() == before


def test_another_index_in_a_snapshot_is_named(data):
    (path,) = snapshot_paths(data / "snapshots")
    header, body = snapshot_read(path)
    decoded = body_decode(body)
    (account, *packed), *rest = decoded.index["reports"]
    reports = [[account, packed[0] + 1, *packed[1:]], *rest]
    changed = msgspec.structs.replace(decoded, index={**decoded.index, "reports": reports})
    path.unlink()
    encoded = msgspec.msgpack.encode(changed)
    snapshot_write(path.parent, header, encoded, storage=OsStorage())
    with pytest.raises(JournalError, match="the event index is not the one that replay comes to"):
        verify(data)
