"""Block commands as the gateway and the clients see them."""

import random

import numpy as np
import pytest
from msgspec import structs

from cea_exchange.client.reports import Report
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    Phase,
)
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import (
    PartyRequest,
    command_fault,
    command_faults,
)
from cea_exchange.venue._intake import are_same_commands
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.market.views import blocks, blocks_of_all, party
from cea_exchange.venue.order_entry.cancels import is_cancel
from support.market.market_scripts import CORES

# Bids too: they have as little beside their target and terms as the answers to a block.
BLOCK_KINDS = [kind for kind in CommandKind if kind > CommandKind.AMEND]
VALUES = {
    "kind": [*BLOCK_KINDS, *BLOCK_KINDS, 12, 0],
    "side": [0, 1, 2, 1, 2, 3],
    "tif": [0, 0, 0, 0, 0, 1],
    "flags": [0, 0, 1, 2, 3, 4, 8, 14, 16, 128],
    "pick_order_id": [0, 0, 1, ACCOUNT_NONE, ACCOUNT_NONE + 1],
    "order_id": [0, 0, 1],
    "price": [0, 0, 9749, -1],
    "tonnes": [0, 0, 100_000],
    "reserved": [0] * 9 + [1],
    "account_index": [0] * 9 + [1],
    "operator_index": [0] * 9 + [1],
}


def command(**fields: int) -> np.ndarray:
    """One record."""
    record = np.zeros(1, COMMAND_DTYPE)
    for name, value in fields.items():
        record[name] = value
    return record


def is_fault(row: dict[str, int]) -> bool:
    """The same in plain Python, from the record's table in protocol/records.md."""
    kind, flags = row["kind"], row["flags"]
    if kind not in BLOCK_KINDS or row["tif"]:
        return True
    if row["reserved"] or row["account_index"] or row["operator_index"]:
        return True
    if kind not in (CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER):
        return bool(row["side"] or flags)
    asks = kind == CommandKind.BLOCK_ENQUIRY
    if row["side"] not in (1, 2) or flags not in range(16 if asks else 3) or flags & 3 == 3:
        return True
    if row["pick_order_id"] > (ACCOUNT_NONE if flags & 3 else 0) or (asks and row["order_id"]):
        return True
    return bool(
        (flags & BlockFlag.PRICE_OPEN and row["price"])
        or (flags & BlockFlag.TONNES_OPEN and row["tonnes"])
    )


def test_malformed_records_are_found_and_named() -> None:
    """A batch is judged at once, as plain Python judges each; the first bad field is named."""
    source = random.Random(5)
    rows = [
        {name: int(source.choice(values)) for name, values in VALUES.items()} for _ in range(4000)
    ]
    records = np.concatenate([command(**row) for row in rows])
    faults = command_faults(records)
    assert faults.tolist() == [is_fault(row) for row in rows]
    assert 100 < np.count_nonzero(~faults)
    for record, row in zip(records[faults], (row for row in rows if is_fault(row)), strict=True):
        error = command_fault(record)
        assert isinstance(error, FrameError)
        assert error.got == str(row[error.where])


@pytest.mark.parametrize("make_core", CORES)
def test_the_core_refuses_what_the_gateway_refuses(make_core: type) -> None:
    """Of entries; of answers it ignores what does not apply, as of a cancel."""
    source = random.Random(6)
    market = make_core(load_profile("cea").rules)
    for _ in range(400):
        row = {name: int(source.choice(values)) for name, values in VALUES.items()}
        row |= {"kind": source.choice((4, 5)), "tif": 0, "account_index": 0, "operator_index": 0}
        if is_fault(row):
            with pytest.raises(ValueError, match="commands"):
                market.process(command(**row), np.zeros(1, EVENT_DTYPE))
        else:
            assert market.process(command(**row), np.zeros(1, EVENT_DTYPE)) == (1, 1)


def negotiation() -> tuple[list[np.ndarray], np.ndarray]:
    """Commands that are all accepted, and the event each gives."""
    market = CORES[0](load_profile("cea").rules)
    market.product_declare(1, 9749)
    for key in (1, 2):
        market.account_declare(key, 7)
    market.deposit(0, 65535, 10**11)
    market.deposit(1, 0, 10**6)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED_AND_BLOCK)
    sale = {"kind": 5, "side": 2, "account_index": 1, "price": 9749, "tonnes": 100_000}
    to_account = sale | {"flags": BlockFlag.TO_ACCOUNT, "pick_order_id": 0}
    rows = [
        {"kind": 4, "side": 1, "flags": 14, "pick_order_id": 7},
        to_account | {"order_id": 1},
        {"kind": 9, "order_id": 2, "price": 9700, "tonnes": 150_000},
        {"kind": 6, "order_id": 2, "account_index": 1},
        to_account,
        {"kind": 7, "order_id": 3},
        sale | {"flags": BlockFlag.TO_GROUP, "pick_order_id": 7},
        {"kind": 8, "order_id": 4, "account_index": 1},
    ]
    commands = [command(client_order_id=n, **row) for n, row in enumerate(rows, start=1)]
    events = np.zeros(len(rows), EVENT_DTYPE)
    assert market.process(np.concatenate(commands), events) == (len(rows), len(rows))
    return commands, events


def test_a_repeat_is_told_from_another_command_with_its_id() -> None:
    """The events of accepted commands say all that was asked."""
    commands, events = negotiation()
    assert [EventKind(kind).name for kind in events["kind"]] == [
        "BLOCK_ENQUIRED",
        "BLOCK_OFFERED",
        "BLOCK_COUNTERED",
        "TRADE",
        "BLOCK_OFFERED",
        "BLOCK_REJECTED",
        "BLOCK_OFFERED",
        "BLOCK_WITHDRAWN",
    ]
    for row, record in enumerate(commands):
        accepted_by = np.array([row])
        assert are_same_commands(record, events, accepted_by)
        kind = int(record["kind"][0])
        for field in ("kind", "side", "flags", "order_id", "pick_order_id", "price", "tonnes"):
            other = record.copy()
            other[field] += 1
            reported = kind in (4, 5) or (kind == 9 and field in ("price", "tonnes"))
            if field == "kind":
                if other["kind"] <= CommandKind.BLOCK_COUNTER:
                    assert not are_same_commands(other, events, accepted_by), (record, field)
            elif reported or field == "order_id":
                assert not are_same_commands(other, events, accepted_by), (record, field)


def test_who_acts_has_the_answer() -> None:
    """The actor's report answers its command; acceptances are answered by the trade."""
    commands, events = negotiation()
    for record, event in zip(commands, events.tolist(), strict=True):
        report = Report._make(event)
        assert report.answers() == record["client_order_id"][0]
        actor = int(record["account_index"][0])
        assert not report.is_maker(actor)
        assert report.is_maker(1 - actor)
        assert report.own_order_id(actor) == report.own_order_id(1 - actor) == report.order_id


@pytest.mark.parametrize("make_core", CORES)
@pytest.mark.parametrize("end", ["lapse", "suspension"])
def test_an_end_without_a_command_tells_nobody_the_others_ids(make_core: type, end: str) -> None:
    """CEA-BLK-10: the id of the terms on the table is told only to who put them there."""
    market = make_core(load_profile("cea").rules)
    market.product_declare(1, 9749)
    for key in (1, 2):
        market.account_declare(key)
    market.deposit(0, 65535, 10**11)
    market.deposit(1, 0, 10**6)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED_AND_BLOCK)
    sale = {"kind": 5, "side": 2, "account_index": 1, "price": 9749, "tonnes": 100_000}
    sale |= {"flags": BlockFlag.TO_ACCOUNT}
    counter = {"kind": 9, "client_order_id": 77, "order_id": 1, "price": 9000, "tonnes": 100_000}
    rows = [sale | {"client_order_id": 5}, counter, sale | {"client_order_id": 6}]
    commands = np.concatenate([command(**row) for row in rows])
    assert market.process(commands, np.zeros(3, EVENT_DTYPE)) == (3, 3)
    events = market.day_close() if end == "lapse" else market.suspend(1)
    ended = events[np.isin(events["kind"], (EventKind.BLOCK_LAPSED, EventKind.BLOCK_WITHDRAWN))]
    assert ended["account_index"].tolist() == [1, 1]
    assert ended["client_order_id"].tolist() == [0, 6]


def test_what_ends_a_block_counts_as_a_cancel() -> None:
    """CEA-BLK-03: lag, throttles and a canceller's key let it pass."""
    records = np.concatenate([command(kind=kind) for kind in CommandKind])
    assert [CommandKind(kind).name for kind in records["kind"][is_cancel(records)]] == [
        "CANCEL",
        "BLOCK_REJECT",
        "BLOCK_WITHDRAW",
        "BID_CANCEL",
    ]


@pytest.mark.parametrize("make_core", CORES)
def test_a_question_for_the_open_blocks_is_short_work_however_many_there_are(
    make_core: type,
) -> None:
    """CEA-BLK-07: enquiries lock nothing, so there may be many; who asks goes on from `next`."""
    market = make_core(structs.replace(load_profile("cea").rules, enquiries_open_max=0))
    market.product_declare(1, 9749)
    for key in (1, 2, 3):
        market.account_declare(key)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED_AND_BLOCK)
    count = 50_001 if make_core is CORES[0] else 2_001
    enquiry = {"kind": 4, "side": 1, "flags": 13, "pick_order_id": 1}
    commands = np.concatenate([command(**enquiry)] * count)
    commands["client_order_id"] = np.arange(1, count + 1)
    commands["pick_order_id"][::100] = 2
    market.process(commands, np.zeros(count, EVENT_DTYPE))
    for account_index, expected in (
        (0, [*range(1, count + 1)]),
        (1, [n + 1 for n in range(count) if n % 100]),
        (2, [*range(1, count + 1, 100)]),
    ):
        reported, first, questions = [], 0, 0
        while True:
            ids, first = market.blocks_seen(account_index, first, 500)
            assert len(ids) <= 500
            reported += ids
            questions += 1
            if not first:
                break
        assert reported == expected
        assert questions < 5 + count / 20_000 + len(expected) / 500


def test_who_sees_which_block() -> None:
    """CEA-BLK-04: what is for an account, its group or all; nobody else's negotiations."""
    machine = VenueStateMachine(load_profile("cea"))
    machine.apply_control(control.ProductDeclared(product="CEA23", reference_price=9749))
    for name, group in (("a", "power"), ("b", "power"), ("c", "steel"), ("d", "")):
        machine.apply_control(control.AccountDeclared(account=name, group=group))
    machine.apply_control(control.TransferIn(account="a", product="CEA23", amount=10**6))
    machine.apply_control(control.DayOpen(date=20250716))
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED_AND_BLOCK))
    sale = {"kind": 5, "side": 2, "price": 9749, "tonnes": 100_000}
    group_index = machine.group_index("power")
    rows = [
        sale | {"flags": BlockFlag.TO_ACCOUNT, "pick_order_id": 3},
        sale | {"flags": BlockFlag.TO_GROUP, "pick_order_id": group_index},
        sale,
        {"kind": 4, "side": 1, "flags": 12, "account_index": 3},
    ]
    commands = [command(client_order_id=n, **row) for n, row in enumerate(rows, start=1)]
    events = machine.apply_records(np.concatenate(commands))
    assert EventKind.ORDER_REJECTED not in events["kind"]
    seen = [
        [block["block_id"] for block in blocks(machine, index, 0)["blocks"]] for index in range(4)
    ]
    assert seen == [[1, 2, 3, 4], [2, 3, 4], [3, 4], [1, 3, 4]]
    assert [b["block_id"] for b in blocks(machine, 0, 3)["blocks"]] == [3, 4]
    assert blocks(machine, 1, 4)["blocks"][0]["account"] == "d"
    shown = blocks_of_all(machine, 2)
    assert (shown["open"], [b["block_id"] for b in shown["blocks"]]) == (4, [2, 3, 4])
    assert [b["tonnes_locked"] for b in shown["blocks"]] == [100_000, 100_000, 0]
    assert party(machine, PartyRequest(group="steel"))["group_index"] == group_index + 1
    assert party(machine, PartyRequest(account="c"))["account_index"] == 2
    assert party(machine, PartyRequest(account_index=3))["account"] == "d"
    assert party(machine, PartyRequest(account_index=4))["account"] is None
    again = VenueStateMachine.restore(machine.profile, machine.snapshot())
    assert again.core.state_hash() == machine.core.state_hash()
    assert again.group_index("steel") == machine.group_index("steel")
