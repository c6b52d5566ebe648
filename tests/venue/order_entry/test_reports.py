"""Whose reports events are, and what is hidden in them: the compiled room against plain Python."""

import numpy as np
import pytest

from cea_exchange.domain.records import ACCOUNT_NONE, EVENT_DTYPE, EventKind, Side
from cea_exchange.venue._reports import reports_by_account, reports_masked, settlement_part

HIDDEN_FROM_TAKER = (
    "counter_client_order_id",
    "counter_report_seq",
    "counter_tonnes_open",
)
OF_BLOCK = [kind for kind in EventKind if kind.name.startswith("BLOCK_")]
OF_TWO = (EventKind.TRADE, EventKind.TRADE_BUSTED, *OF_BLOCK)
HIDDEN_FROM_MAKER = ("client_order_id", "report_seq", "operator_index")


def events_made(seed, count, accounts=5):
    """Rows of every kind whose report numbers ascend by account, as a market gives them."""
    rng = np.random.default_rng(seed)
    events = np.frombuffer(rng.bytes(count * EVENT_DTYPE.itemsize), EVENT_DTYPE).copy()
    events["kind"] = rng.choice([int(kind) for kind in EventKind], size=count)
    events["side"] = rng.integers(1, 3, size=count)
    events["account_index"] = rng.integers(0, accounts, size=count)
    events["counter_account_index"] = rng.integers(0, accounts, size=count)
    last = dict.fromkeys(range(accounts), 0)
    for event in events:
        trades = event["kind"] in OF_TWO
        sides = [("account_index", "report_seq")] if rng.random() < 0.9 else []
        sides += [("counter_account_index", "counter_report_seq")] if trades else []
        if rng.random() < 0.5:
            sides.reverse()
        event["report_seq"] = 0
        event["counter_report_seq"] = 0 if trades else rng.integers(0, 9)
        for account, seq in sides:
            last[int(event[account])] += 1
            event[seq] = last[int(event[account])]
    return events


def reports_plain(events):
    """What each account is sent, event by event."""
    sent = {}
    for event in events:
        reports = []
        if event["report_seq"] and event["kind"] != EventKind.DAY_CLOSED:
            own = event.copy()
            if event["kind"] in OF_BLOCK:
                own["counter_report_seq"] = 0
                reports.append((int(event["report_seq"]), int(event["account_index"]), own))
        if event["report_seq"] and event["kind"] == EventKind.BIDDING_OPENED:
            # A record of its own, in which nothing is another's.
            reports.append((int(event["report_seq"]), int(event["account_index"]), event.copy()))
        elif event["report_seq"] and event["kind"] not in (EventKind.DAY_CLOSED, *OF_BLOCK):
            own = event.copy()
            own["counter_account_index"] = ACCOUNT_NONE
            for field in HIDDEN_FROM_TAKER:
                own[field] = 0
            if event["kind"] in OF_TWO:
                own["sell_fee" if event["side"] == Side.BUY else "buy_fee"] = 0
            reports.append((int(event["report_seq"]), int(event["account_index"]), own))
        if event["counter_report_seq"] and event["kind"] in OF_TWO:
            counter = event.copy()
            # The parties of a block know each other, and its terms are both sides'.
            if event["kind"] not in OF_BLOCK:
                counter["account_index"] = ACCOUNT_NONE
                counter["tonnes_open"] = 0
                counter["buy_fee" if event["side"] == Side.BUY else "sell_fee"] = 0
            for field in HIDDEN_FROM_MAKER:
                counter[field] = 0
            reports.append(
                (int(event["counter_report_seq"]), int(event["counter_account_index"]), counter)
            )
        for seq, account, row in sorted(reports, key=lambda report: report[0]):
            sent.setdefault(account, []).append((seq, row.tobytes()))
    return sent


@pytest.mark.parametrize("seed", range(20))
def test_every_account_gets_its_reports_in_its_numbering_with_the_other_side_hidden(seed):
    events = events_made(seed, count=1 + 20 * seed, accounts=1 + seed % 7)
    before = events.copy()
    sent = {}
    for account, payload in reports_by_account(events):
        assert account not in sent
        own = np.frombuffer(payload, EVENT_DTYPE)
        # Of what is about two accounts one of the numbers is hidden: 0.
        seqs = np.where(own["report_seq"] == 0, own["counter_report_seq"], own["report_seq"])
        sent[account] = [(seq, row.tobytes()) for seq, row in zip(seqs.tolist(), own, strict=True)]
        assert seqs.tolist() == sorted(seqs)
    assert sent == reports_plain(events)
    assert (events == before).all(), "the events are not touched"


def test_many_accounts_with_indexes_far_apart_are_kept_apart():
    events = np.zeros(5_000, EVENT_DTYPE)
    events["kind"] = EventKind.ORDER_RESTED
    events["account_index"] = np.arange(5_000, dtype=np.uint64) * 858_993 % (2**32 - 1)
    events["report_seq"] = 1
    events["seq"] = np.arange(5_000)
    shown = reports_by_account(events)
    assert [account for account, _ in shown] == events["account_index"].tolist()
    rows = np.frombuffer(b"".join(payload for _, payload in shown), EVENT_DTYPE)
    assert rows["seq"].tolist() == list(range(5_000))
    assert (rows["report_seq"] == 1).all(), "nobody is a maker here"


@pytest.mark.parametrize("seed", range(3))
def test_what_has_a_settlement_number_goes_to_the_registry_as_it_is(seed):
    events = events_made(seed, count=200)
    events["settlement_seq"][np.random.default_rng(seed).random(200) < 0.7] = 0
    settled = events[events["settlement_seq"] != 0]
    assert 20 < len(settled) < 180
    assert settlement_part(events) == settled.tobytes()
    assert settlement_part(events[:0]) == b""


def test_no_events_are_nobodys_reports():
    assert reports_by_account(np.zeros(0, EVENT_DTYPE)) == []
    nothing = reports_masked(np.zeros(0, EVENT_DTYPE), np.zeros(0, np.int64), np.zeros(0, np.uint8))
    assert len(nothing) == 0


@pytest.mark.parametrize("named", [reports_by_account, settlement_part])
def test_what_is_no_array_of_events_is_refused(named):
    for other in (b"x" * 160, np.zeros(3, np.int64), np.zeros((2, 2), EVENT_DTYPE)):
        with pytest.raises(TypeError):
            named(other)


def test_rows_that_are_no_events_are_refused():
    events = np.zeros(3, EVENT_DTYPE)
    for rows in ([3], [-1]):
        with pytest.raises(ValueError, match="rows within 3 events"):
            reports_masked(events, np.array(rows, np.int64), np.zeros(1, np.uint8))
    with pytest.raises(ValueError, match="as many as_maker as rows"):
        reports_masked(events, np.zeros(2, np.int64), np.zeros(1, np.uint8))
