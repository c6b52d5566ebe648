"""A real process, a real disk, SIGKILL: what the writer said it synced is there."""

import signal
import subprocess
import sys

import pytest

from cea_exchange.journal import Identity, Journal, read_frames

pytestmark = pytest.mark.crash

IDENTITY = Identity(code_version="0.1.0", schema_version=1, profile_hash="ab" * 32)

WRITER = """
import sys
from cea_exchange.journal import FrameKind, Identity, Journal
journal = Journal.open(
    sys.argv[1], identity=Identity("0.1.0", 1, "ab" * 32), segment_bytes_max=5000, padding_bytes=700
)
while True:
    seq = journal.next_seq
    journal.append(FrameKind.CONTROL, 1, seq, str(seq).encode() * (1 + seq % 90))
    print(journal.sync(), flush=True)
"""


def test_what_a_killed_writer_acknowledged_is_there(tmp_path):
    """Eight lives on one journal, each ended after another number of lines."""
    acknowledged = 0
    for life in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(1 + 17 * life):
            line = writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate()
        said = [int(text) for text in (line + rest).splitlines(keepends=True) if "\n" in text]
        assert said[-1] > acknowledged
        acknowledged = said[-1]
    with Journal.open(tmp_path, identity=IDENTITY) as journal:
        assert journal.next_seq > acknowledged
    for seq, frame in enumerate(read_frames(tmp_path), 1):
        assert (seq, str(seq).encode() * (1 + seq % 90)) == (frame.first_seq, frame.payload)
