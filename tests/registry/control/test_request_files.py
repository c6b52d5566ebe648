"""The files of requests, of previews and of proposals are read before the act; it reads no more."""

import msgspec
import pytest

from cea_exchange.files.cells import source as source_module
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.files import ALLOCATION, SourceFile, allocation_read, table_bytes
from cea_exchange.user_files.read_ahead import ReadResult, result_of, results_used
from support.registry.allocation_files import (
    ENTITIES,
    allocation_file,
    entities_open,
    registry_open,
)
from support.registry.service_callers import Staff


@pytest.fixture
def staff(tmp_path):
    with registry_open(tmp_path, None) as registry:
        entities_open(registry, ENTITIES)
        staff = Staff(registry)
        for name in ("gu", "he"):
            staff.person(name, "authority")
        yield staff


def workbook():
    plain = allocation_file("pre", {"P0001": 700})
    rows = allocation_read(plain).rows
    return SourceFile("pre.xlsx", table_bytes(ALLOCATION, rows, ".xlsx"))


def readings(staff, op, **fields):
    service = staff._service
    return service.readings(service.read(msgspec.msgpack.encode({"op": op, **fields})))


def test_previews_distributions_and_their_approvals_say_which_files_they_need(staff):
    source = workbook()
    terms = {"file": source.name, "content": source.data}
    keys = [reading.key for reading in source.readings]
    assert len(keys) == 1 and keys[0].endswith(f".xlsx {source.sha256}")
    for op, fields in (
        ("allocation_preview", terms),
        ("obligation_take", terms),
        ("obligation_correct", {**terms, "why": "anew"}),
        ("offset_take", terms),
    ):
        assert keys == [reading.key for reading in readings(staff, op, **fields)], op
    units = {"units_file": "u.xlsx", "units_content": b"units"}
    assert len(readings(staff, "allocation_preview", **terms, **units)) == 2
    assert staff.gu("allocation_preview", **terms)["ok"]
    assert keys == [each.key for each in readings(staff, "allocation_distribute", preview_id=1)]
    proposal = staff.gu("allocation_distribute", preview_id=1)["proposal"]
    assert keys == [each.key for each in readings(staff, "approve", proposal=proposal)]
    staff.he("reject", proposal=proposal, why="no")
    assert readings(staff, "approve", proposal=proposal) == ()
    assert readings(staff, "approve", proposal=77) == ()
    assert readings(staff, "allocation_distribute", preview_id=77) == ()
    csv = allocation_file("pre", {"P0001": 700})
    assert readings(staff, "allocation_preview", file=csv.name, content=csv.data) == ()


def test_every_request_with_a_file_of_cells_says_so():
    with_files = {
        op
        for op, request in REGISTRY_REQUESTS.by_op.items()
        if "encoding" in {field.name for field in msgspec.structs.fields(request)}
    }
    base = REGISTRY_REQUESTS.by_op["status"].readings
    assert with_files
    assert not [op for op in with_files if REGISTRY_REQUESTS.by_op[op].readings is base]


def test_an_act_uses_what_was_read_and_reads_nothing_itself(staff, monkeypatch):
    source = workbook()
    (reading,) = source.readings
    monkeypatch.setattr(source_module, "xlsx_cells", None)
    failure = ReadResult(b"", "expected a file that is read with at most 6 s, got another")
    with results_used({reading.key: failure}):
        error = staff.gu.error("allocation_preview", file=source.name, content=source.data)
    assert error.startswith("FILE_REFUSED: pre.xlsx: expected a file that is read with")
    assert result_of(reading) is None
