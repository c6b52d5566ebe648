"""A file that unpacks to much keeps nobody waiting at the platform."""

import time

import msgspec
import pytest

from cea_exchange.platform.control.admin import PLATFORM_REQUESTS
from support.large_workbooks import slow_workbook, workbook_of
from support.patience import patience
from support.platform.platform_process import PlatformProcess
from support.registry.fake_venue import pack, unpack

pytestmark = pytest.mark.e2e

OTHER_S = 1.0
"""Seconds within which another key's `status` is answered, on a machine with nothing else to do."""


@pytest.fixture
def platform(tmp_path):
    with PlatformProcess(tmp_path / "data") as process:
        yield process


@pytest.mark.parametrize(
    ("workbook", "why"),
    [
        (lambda: workbook_of(50_000, 32), "july.xlsx: expected at most 200000 cells, got more"),
        (slow_workbook, "expected a file that is read with at most 6 s of processor time"),
    ],
    ids=["1.6 million cells", "slow styles"],
)
def test_a_large_workbook_is_refused_and_keeps_nobody_waiting(platform, workbook, why):
    firm, operator = platform.caller("li"), platform.caller("an")
    try:
        assert operator.ask({"op": "status"})["ok"]
        entered = {"op": "month_enter", "enterprise": "E1", "file": "july.xlsx"}
        firm.socket.send(pack(entered | {"content": workbook()}))
        longest_s, until_s = 0.0, time.monotonic() + 60 * patience()
        while not firm.socket.poll(0):
            began_s = time.monotonic()
            assert began_s < until_s
            assert operator.ask({"op": "status"})["ok"]
            longest_s = max(longest_s, time.monotonic() - began_s)
        answer = unpack(firm.socket.recv())
    finally:
        firm.close()
        operator.close()
    assert answer["code"] == "FILE_REFUSED" and why in answer["error"]
    assert longest_s < OTHER_S * patience()


def test_a_document_that_can_not_be_read_is_kept_without_its_pages(platform):
    """CEA-MRV-04: the process that reads it ends, and its act goes on."""
    brought = {"enterprise": "E1", "file": "a.pdf", "content": b"%PDF-1.7 nothing more"}
    assert len(platform.ask("li", "evidence_bring", **brought)["sha256"]) == 64
    assert platform.code("li", "evidence_bring", **brought) == "EVIDENCE_TAKEN"
    log = platform.log()
    assert "upload_process_ended" in log and "document_not_read" in log


def test_every_request_with_a_file_of_cells_or_a_document_says_so():
    by_op = PLATFORM_REQUESTS.by_op
    with_files = {
        op
        for op, request in by_op.items()
        if {"encoding", "content"} & {field.name for field in msgspec.structs.fields(request)}
    }
    assert {"month_enter", "plan_enter", "evidence_bring"} <= with_files
    base = by_op["status"].readings
    assert [op for op in with_files if by_op[op].readings is base] == ["calendar_load"]
