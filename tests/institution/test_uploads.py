"""Files of requests are read by processes of their own, within limits; the daemon goes on."""

import os
import time
from types import SimpleNamespace

import pytest

from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.service import Asked
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.files.cells.source import READ_LIMITS, SourceFile
from cea_exchange.files.findings import FileRefused, Findings
from cea_exchange.institution.control import upload_service
from cea_exchange.institution.control.upload_service import Upload, Uploads
from cea_exchange.user_files.read_ahead import Reading, ReadLimits, results_used
from support.large_workbooks import (
    TEXT,
    repeating_workbook,
    slow_workbook,
    workbook_of,
)
from support.patience import patience

pytestmark = pytest.mark.e2e

LIMITS = ReadLimits(cpu_s=1, memory_bytes=1 << 28, result_bytes=1 << 16)
HELD = "from cea_exchange.user_files.read_ahead import ReadLimits, OUT_OF_MEMORY; import sys\n"
HELD += f"ReadLimits({', '.join(map(str, LIMITS))}).set()\n"
PROGRAMS = {
    "echo_reader": "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())",
    "spinning_reader": HELD + "while True: pass",
    "hungry_reader": HELD + "try: bytearray(1 << 29)\nexcept MemoryError: sys.exit(OUT_OF_MEMORY)",
    "ending_reader": "raise SystemExit('a part is missing')",
    "waiting_reader": "import time; time.sleep(600)",
}


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    for name, program in PROGRAMS.items():
        (tmp_path / f"{name}.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    uploads = Uploads()
    yield uploads
    uploads.close()


def reading(module, content=b"a file", **more):
    return Reading(module, (), content, LIMITS, **more)


def upload(key, *readings):
    message = Message(b"", key, [b"a request"])
    asked = Asked(None, SimpleNamespace(op="file_take"), key)
    return Upload(message, asked, readings, time.monotonic())


def turned(uploads, count=1):
    """Return so many requests, by key, once their files are read."""
    done, until_s = [], time.monotonic() + 60 * patience()
    while len(done) < count and time.monotonic() < until_s:
        done += uploads.turn(time.monotonic())
        time.sleep(0.005)
    return {each.message.key: each for each in done}


def only(uploads, *readings):
    assert uploads.ask(upload("li", *readings)) is None
    return turned(uploads)["li"]


def test_what_a_process_reads_out_of_each_file_is_there_for_the_act(uploads):
    first, second = reading("echo_reader", b"one"), reading("echo_reader", b"two")
    read = only(uploads, first, second)
    assert {key: result.written for key, result in read.results.items()} == {
        first.key: b"one",
        second.key: b"two",
    }
    assert read.refusal is None and not uploads.keys


def test_a_key_has_one_request_at_a_time_and_others_are_read_meanwhile(uploads):
    assert uploads.ask(upload("li", reading("waiting_reader"))) is None
    uploads.turn(time.monotonic())
    assert uploads.ask(upload("li", reading("echo_reader")))["code"] == "BUSY"
    assert uploads.ask(upload("bo", reading("echo_reader"))) is None
    assert set(turned(uploads)) == {"bo"} and uploads.keys == {"li"}


def test_as_many_processes_run_as_may_and_a_request_that_waits_too_long_is_refused(
    uploads, monkeypatch
):
    for key in ("a", "b", "c"):
        assert uploads.ask(upload(key, reading("waiting_reader"))) is None
    uploads.turn(time.monotonic())
    assert len(uploads._running) == upload_service.PROCESSES_MAX
    monkeypatch.setattr(upload_service, "WAIT_S", -1.0)
    for running in uploads._running.values():
        running.process.kill()
    found = turned(uploads, 3)
    assert found["c"].refusal["code"] == InstitutionRefusal.BUSY.name
    assert found["a"].refusal["code"] == InstitutionRefusal.INTERNAL.name


@pytest.mark.parametrize(
    ("module", "most"),
    [("spinning_reader", "1 s of processor time"), ("hungry_reader", "256 MiB of memory")],
)
def test_a_process_beyond_its_limits_ends_and_the_act_says_which(uploads, module, most):
    taken = reading(module)
    read = only(uploads, taken)
    failure = f"expected a file that is read with at most {most}, got another"
    assert read.refusal is None and read.results[taken.key].failure == failure
    assert uploads.ended_count == 1
    again = reading("echo_reader")
    assert only(uploads, again).results[again.key].written == b"a file"


def test_a_process_that_ends_or_hangs_for_another_reason_refuses_the_request(uploads, monkeypatch):
    refusal = only(uploads, reading("ending_reader")).refusal
    assert refusal["code"] == InstitutionRefusal.INTERNAL.name
    assert "a part is missing" in refusal["error"]
    # An act that needs no result goes on without it.
    needless = reading("ending_reader", is_needed=False)
    assert only(uploads, needless).results[needless.key].failure
    monkeypatch.setattr(upload_service, "READ_S", 0.3)
    assert only(uploads, reading("waiting_reader")).refusal["code"] == "BUSY"


def refused(uploads, content):
    source = SourceFile("a.xlsx", content)
    read = only(uploads, *source.readings)
    with results_used(read.results), pytest.raises(FileRefused) as caught:
        source.cells(Findings("a.xlsx"))
    return str(caught.value)


def test_workbooks_that_take_too_much_are_refused(uploads):
    began_s = time.process_time()
    assert "at most 200000 cells" in refused(uploads, workbook_of(50_000, 32))
    assert "characters in all cells" in refused(uploads, repeating_workbook())
    assert f"{READ_LIMITS.cpu_s} s of processor time" in refused(uploads, slow_workbook())
    # The daemon itself has done next to nothing, but for building the workbooks.
    assert time.process_time() - began_s < 5 * patience()


def test_the_largest_workbook_is_taken_with_little_of_the_daemons_time(uploads):
    source = SourceFile("a.xlsx", workbook_of(6_250, 32, TEXT))
    read = only(uploads, *source.readings)
    with results_used(read.results):
        began_s = time.process_time()
        table = source.cells(Findings("a.xlsx"))
        assert time.process_time() - began_s < 0.5
    assert len(table.rows) == 6_249 and uploads.ended_count == 0
