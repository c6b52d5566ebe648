"""A recorded day is sent at its times, its cancels at the orders that they ended."""

import gzip

import numpy as np
import pytest

from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Side,
    Tif,
)
from cea_exchange.loadtest.flow import recorded
from cea_exchange.loadtest.flow.recorded import (
    Recorded,
    RecordedError,
    recorded_orders,
    recorded_plan,
)
from cea_exchange.loadtest.flow.workload import LABELS, Workload
from cea_exchange.loadtest.targets import Participants

pytestmark = pytest.mark.unit

WORKLOAD = Workload(mix={"passive": 1}, products={"CEA23": 10_000}, participants=4)
PARTICIPANTS = Participants(
    ["a", "b", "c", "d"], ["CEA23"], [10_000], [[Side.BUY], [Side.SELL]] * 2, [0, 1, 2, 3]
)
LOBSTER = """34200.000000001,1,11,100,5000000,1
34200.5,1,12,50,5100000,-1
34201.25,2,11,30,5000000,1
34202,4,12,20,5100000,-1
34203.000000009,3,11,70,5000000,1
34204,3,99,10,5000000,1
34205,5,0,10,5000000,1
"""
ORDERS = """time,action,order_id,side,price,tonnes,tif
0.5,enter,7,buy,97.50,100,
0.75,reduce,7,,,40,
1.0,amend,7,,98,50,
1.5,enter,8,sell,97,10,ioc
2.0,reduce,7,,,50,
"""


def plan(path, speed_up=1.0, mine=slice(0, None, 1)):
    return recorded_plan(Recorded(str(path), speed_up), WORKLOAD, PARTICIPANTS, mine)


def rows(of):
    return of.rows(0, len(of))


def test_lobster_messages_become_commands_at_their_times(tmp_path):
    path = tmp_path / "message.csv"
    path.write_text(LOBSTER)
    found = rows(plan(path))
    # The deletion of an order from before the record, and what was hidden, are nobody's to send.
    assert [(row.kind, row.tonnes, row.order_row) for row in found] == [
        (CommandKind.ENTER, 100, 0),
        (CommandKind.ENTER, 50, 0),
        (CommandKind.AMEND, 70, 1),
        (CommandKind.ENTER, 20, 0),
        (CommandKind.CANCEL, 100, 1),
    ]
    assert [row.due_ns for row in found] == [
        0, 499_999_999, 1_249_999_999, 1_999_999_999, 3_000_000_008,
    ]  # fmt: skip
    taker = found[3]
    assert (taker.side, taker.tif, LABELS[taker.label]) == (Side.BUY, Tif.IOC, "ioc")
    # By their ratio to the first, around the workload's reference price.
    assert [row.price for row in found[:2]] == [10_000, 10_200]


def test_a_speed_up_shortens_every_wait_and_files_may_be_gzip(tmp_path):
    path = tmp_path / "message.csv.gz"
    path.write_bytes(gzip.compress(LOBSTER.encode()))
    found = rows(plan(path, speed_up=100))
    assert found[-1].due_ns == 30_000_000


def test_an_order_file_with_times_is_a_day_too(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    found = rows(plan(path))
    assert [(row.due_ns, row.kind, row.tonnes, row.order_row) for row in found] == [
        (0, CommandKind.ENTER, 100, 0),
        (250_000_000, CommandKind.AMEND, 60, 1),
        (500_000_000, CommandKind.AMEND, 50, 1),
        (1_000_000_000, CommandKind.ENTER, 10, 0),
        (1_500_000_000, CommandKind.CANCEL, 50, 1),
    ]
    assert found[2].price == 10_051


def test_commands_keep_their_order_where_recorded_times_go_back(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("time_ns,action,order_id,side,price,tonnes\n50,enter,1,buy,10,1\n"
                    "90,enter,2,buy,10,1\n40,cancel,1,,,\n95,cancel,2,,,\n")  # fmt: skip
    assert [row.due_ns for row in rows(plan(path))] == [0, 40, 40, 45]


def test_a_price_far_off_is_brought_into_the_band(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("time,action,order_id,side,price,tonnes\n0,enter,1,buy,10,1\n"
                    "1,enter,2,buy,20,1\n2,enter,3,buy,1,1\n")  # fmt: skip
    assert [row.price for row in rows(plan(path))] == [10_000, 10_900, 9_100]


def test_processes_share_the_orders_and_whoever_stands_on_a_side_sends_them(tmp_path):
    path = tmp_path / "message.csv"
    lines = []
    for number in range(1, 41):
        side = 1 if number % 3 else -1
        lines += [
            f"{number},1,{number},10,5000000,{side}",
            f"{number + 0.5},3,{number},10,1,{side}",
        ]
    path.write_text("\n".join(lines) + "\n")
    parts = [rows(plan(path, mine=slice(index, None, 3))) for index in range(3)]
    assert sum(map(len, parts)) == 80
    for part in parts:
        for row in part:
            assert PARTICIPANTS.sides[row.participant][0] == row.side
            if row.kind == CommandKind.CANCEL:
                assert part[row.order_row - 1].participant == row.participant


def test_a_journals_cancels_find_their_orders_by_the_venues_ids(monkeypatch, tmp_path):
    def command(kind, client_order_id, **fields):
        row = np.zeros((), COMMAND_DTYPE)
        values = {"kind": kind, "client_order_id": client_order_id, "trading_date": 20250102,
                  "side": Side.SELL, "price": 10_000, "tonnes": 5, **fields}  # fmt: skip
        for name, value in values.items():
            row[name] = value
        return row

    accepted = np.zeros(1, EVENT_DTYPE)
    accepted["kind"], accepted["order_id"] = EventKind.ORDER_ACCEPTED, 77
    accepted["client_order_id"], accepted["trading_date"] = 2, 20250102
    frames = [
        (1_000, np.array([command(CommandKind.ENTER, 1), command(CommandKind.ENTER, 2)])),
        (5_000, np.array([command(CommandKind.CANCEL, 3, order_id=77, price=0, tonnes=0)])),
    ]
    (tmp_path / "journal").mkdir()
    monkeypatch.setattr(recorded, "_frames", lambda data: (frames, "log"))
    monkeypatch.setattr(recorded, "_acceptances", lambda folder, log_id: accepted)
    found = rows(plan(tmp_path))
    # The first was refused, so it is an order that nobody cancels.
    assert [(row.due_ns, row.kind, row.order_row) for row in found] == [
        (0, CommandKind.ENTER, 0), (0, CommandKind.ENTER, 0), (4_000, CommandKind.CANCEL, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: expected a command, got nothing"),
        ("a,b\n", ":1: expected a header with `action`, or LOBSTER's six columns, got 2"),
        ("1,x,2,3,4,5\n", ":1: expected a LOBSTER message"),
        ("action,order_id\n", ":1: expected a column `time`"),
        ("time,action,order_id\n1,enter,x\n", ":2: expected a command"),
        ("time,action,order_id\n1,burn,1\n", ":2: expected a command"),
        ("time,action,order_id\n1e999,enter,1\n", ":2: expected a command"),
    ],
)
def test_a_day_that_is_none_is_told_by_file_and_line(text, expected, tmp_path):
    path = tmp_path / "day.csv"
    path.write_text(text)
    with pytest.raises(RecordedError) as error:
        recorded_orders(path)
    assert expected in str(error.value)


def test_a_day_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RecordedError, match="expected a recorded day"):
        recorded_orders(tmp_path / "none.csv")
