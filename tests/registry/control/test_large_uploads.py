"""A file that unpacks to much keeps nobody waiting at the registry."""

import time

import pytest

from cea_exchange.protocol.security import CurveKeys
from support.large_workbooks import TEXT, slow_workbook, workbook_of
from support.patience import patience
from support.registry.fake_venue import FakeVenue, pack, unpack
from support.registry.registry_process import Daemon
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits

pytestmark = pytest.mark.e2e

OTHER_S = 1.0
"""Seconds within which another key's `status` is answered, on a machine with nothing else to do."""


@pytest.fixture
def data(tmp_path):
    for name in ("venue", "registry", "admin", "bo"):
        CurveKeys.new().save(tmp_path / "keys", name)
    operator = '[[operators]]\nname = "{0}"\nkey = "keys/{0}.public"\n'
    (tmp_path / "registry.toml").write_text(
        "second_person = []\nfronts = 0\n" + operator.format("admin") + operator.format("bo")
    )
    registry_prepare(tmp_path)
    return tmp_path


@pytest.fixture
def daemon(data):
    venue = FakeVenue(data, LOG_ID, venue_with_deposits().records)
    daemon = Daemon(data)
    daemon.start()
    yield daemon
    daemon.kill()
    venue.close()


@pytest.fixture
def callers(daemon):
    callers = [daemon.caller(name) for name in ("admin", "bo")]
    for caller in callers:
        assert caller.ask({"op": "status"})["ok"]
    yield callers
    for caller in callers:
        caller.close()


def previewed(callers, content):
    """Preview a workbook; return the answer, and how long another's `status` took at most."""
    admin, other = callers
    request = {"op": "allocation_preview", "file": "a.xlsx", "content": content}
    admin.socket.send(pack(request))
    longest_s, until_s = 0.0, time.monotonic() + 60 * patience()
    while not admin.socket.poll(0):
        began_s = time.monotonic()
        assert began_s < until_s
        assert other.ask({"op": "status"})["ok"]
        longest_s = max(longest_s, time.monotonic() - began_s)
    return unpack(admin.socket.recv()), longest_s


@pytest.mark.parametrize(
    ("workbook", "why"),
    [
        (lambda: workbook_of(50_000, 32), "a.xlsx: expected at most 200000 cells, got more"),
        (slow_workbook, "expected a file that is read with at most 6 s of processor time"),
        # It is within the bounds, and each of its cells is wrong.
        (lambda: workbook_of(6_250, 32, TEXT), "a.xlsx:1: expected the columns compliance_year"),
    ],
    ids=["1.6 million cells", "slow styles", "as many cells as may be"],
)
def test_a_large_workbook_is_refused_and_keeps_nobody_waiting(callers, workbook, why):
    content = workbook()
    assert len(content) < 130_000
    answer, longest_s = previewed(callers, content)
    assert answer["code"] == "FILE_REFUSED" and why in answer["error"]
    assert longest_s < OTHER_S * patience()


def test_later_requests_of_the_key_keep_their_order(callers):
    admin, _ = callers
    requests = [
        {"op": "allocation_preview", "file": "a.xlsx", "content": workbook_of(50_000, 32)},
        {"op": "allocation_preview", "file": "b.xlsx", "content": b"no workbook"},
        {"op": "account_open", "account": "P0009"},
    ]
    for request in requests:
        admin.socket.send(pack(request))
    answers = []
    for _request in requests:
        assert admin.socket.poll(int(30_000 * patience()))
        answers.append(unpack(admin.socket.recv()))
    assert "a.xlsx" in answers[0]["error"] and "b.xlsx" in answers[1]["error"]
    assert "xlsx" not in answers[2].get("error", "")
