"""Adoption without processes: numbers, holdings, prices, and what is refused."""

from datetime import date

import msgspec
import numpy as np
import pytest

from cea_exchange.domain.documents.cases import Note, Opened
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    EVENT_DTYPE,
    SCHEMA_VERSION,
    EventKind,
    Phase,
    Reason,
    Restriction,
)
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import (
    FrameKind,
    Identity,
    Journal,
    JournalPoint,
    OsStorage,
    SegmentReader,
    SnapshotHeader,
    snapshot_write,
)
from cea_exchange.journal.segment import FRAME_PAYLOAD_BYTES_MAX
from cea_exchange.protocol import control
from cea_exchange.protocol.adoption import (
    AdoptionError,
    NumbersGiven,
    statement_encode,
    statement_read,
)
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.maintenance.adoption import adopt
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.cases.case_files import heads
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.durability.snapshots import SnapshotBody
from cea_exchange.venue.maintenance import adoption as venue_adoption
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.journal.small_market import PROFILE
from support.market.market_scripts import CORES
from support.market.noticed_markets import notice
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import (
    ALICE_CASH,
    BOB_TONNES,
    registry_prepare,
    venue_with_deposits,
)

LOG_ID = "0123456789abcdef" * 2
AN, BO = Operator("an", "key of an"), Operator("bo", "key of bo")


def state(accounts=2, products=1):
    return control.AdoptedState(
        settlement_seq=70_000,
        feed_seq=9,
        feed_last=control.KeyRevoked(key=40 * "k"),
        trading_date=20250425,
        trade_id=1_000_300,
        order_id=1_000_900,
        event_seq=1_002_000,
        market_data_seq=1_000_800,
        command_seq=1_000_700,
        products=tuple(control.AdoptedProduct(f"CEA{20 + n}", 9_749) for n in range(products)),
        accounts=tuple(
            control.AdoptedAccount(
                f"P{n:05}",
                "north" if n % 2 == 0 else "",
                10**11 + n,
                tuple((product, 10**6 + n) for product in range(products)),
                10**6 + n,
                n == 1,
            )
            for n in range(accounts)
        ),
        busted=(7, 65_536),
    )


def adoption(**fields):
    fields = {"by": "an", "second": "bo", "why": "disk lost", "state": state()} | fields
    names = {"registry_by": "cy", "registry_second": "di"}
    return control.Adopt(old_log_id=32 * "0", kept=f"kept/{32 * '0'}", **names, **fields)


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def machine(request):
    machine = VenueStateMachine(PROFILE, request.param)
    assert not len(machine.apply_control(adoption()))
    return machine


def test_an_adopted_market_has_the_holdings_no_orders_and_goes_on_with_the_numbers(machine):
    core = machine.core
    core.check()
    assert core.account(1) == {
        "cash": 10**11 + 1,
        "cash_locked": 0,
        "allocation": 0,
        "gaps": {},
        "proceeds_today": 0,
        "restricted": 0,
        "suspended": True,
        "holdings": {0: (10**6 + 1, 0, 0)},
    }
    assert (core.phase, core.day_is_open, core.live_order_count) == (Phase.CLOSED, False, 0)
    assert (core.trading_date, machine.confirmed_date) == (20250425, 20250425)
    assert (core.settlement_seq, core.event_seq, core.trade_id) == (70_000, 1_002_000, 1_000_300)
    assert (core.report_seq(0), machine.feed_seq) == (10**6, 9)
    assert machine.account_groups == ["north", ""]
    checkpoint = machine.apply_control(machine.checkpoint_now())
    assert checkpoint["seq"].tolist() == [1_002_001]
    assert checkpoint["settlement_seq"].tolist() == [70_001]
    item = control.TransferIn(account="P00000", amount=5)
    (deposited,) = machine.apply_control(control.FeedItem(transfer_seq=10, command=item))
    assert (deposited["report_seq"], deposited["settlement_seq"]) == (10**6 + 1, 70_002)


def test_both_cores_adopt_the_same():
    machines = [VenueStateMachine(PROFILE, core) for core in CORES]
    for machine in machines:
        machine.apply_control(adoption())
    assert len({machine.core.state_hash() for machine in machines}) == 1


def test_a_snapshot_keeps_where_the_life_began(machine):
    restored = VenueStateMachine.restore(PROFILE, machine.snapshot(), type(machine.core))
    assert (restored.settlement_base, restored.report_bases) == (70_000, [10**6, 10**6 + 1])
    assert restored.core.state_hash() == machine.core.state_hash()


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [({"second": "an"}, "two persons"), ({"second": ""}, "two persons"), ({"why": " "}, "reason")],
)
def test_nobody_adopts_alone_or_without_a_reason(fields, complaint):
    """CEA-OPR-02."""
    machine = VenueStateMachine(PROFILE, CORES[0])
    before = machine.core.state_hash()
    with pytest.raises(FrameError, match=complaint):
        machine.apply_control(adoption(**fields))
    assert machine.core.state_hash() == before


def test_only_a_life_that_begins_can_be_an_adopted_one(machine):
    with pytest.raises(FrameError, match="expected an empty journal"):
        machine.apply_control(adoption())


def test_a_trade_busted_in_a_life_before_is_busted(machine):
    """CEA-STL-04: its record given again is refused, in a snapshot's machine too."""
    record = np.zeros(1, EVENT_DTYPE)
    record["kind"], record["settlement_seq"], record["trade_id"] = EventKind.TRADE, 69_000, 65_536
    bust = control.TradeBust(
        by="an", second="bo", why="x", settlement_seq=69_000, trade=record.tobytes()
    )
    restored = VenueStateMachine.restore(PROFILE, machine.snapshot(), type(machine.core))
    for each in (machine, restored):
        with pytest.raises(FrameError, match="got 65536, which was busted already"):
            each.apply_control(bust)
    record["trade_id"] = 65_535
    with pytest.raises(FrameError, match="bust: kind and method: expected 7"):
        machine.apply_control(msgspec.structs.replace(bust, trade=record.tobytes()))


def test_a_state_without_busted_trades_reads_as_one_with_none():
    """As statements and journals from before had it."""
    fields = msgspec.msgpack.decode(control.control_encode(adoption()))
    assert fields["state"].pop("busted") == [7, 65_536]
    message = control.control_decode(msgspec.msgpack.encode(fields))
    assert message.state == msgspec.structs.replace(state(), busted=())


def test_a_state_that_can_not_be_is_refused():
    machine = VenueStateMachine(PROFILE, CORES[0])
    account = control.AdoptedAccount("P1", "", 0, ((7, 5),), 0)
    odd = msgspec.structs.replace(state(), accounts=(account,))
    with pytest.raises(ValueError, match="expected a product below 1, got 7"):
        machine.apply_control(adoption(state=odd))
    assert (machine.core.event_seq, machine.account_names) == (0, [])


def test_four_thousand_accounts_and_eight_products_fit_a_frame():
    """And ten thousand do: the limit is protocol/adoption.md's."""
    payload = control.control_encode(adoption(state=state(accounts=10_000, products=8)))
    assert len(payload) < FRAME_PAYLOAD_BYTES_MAX
    assert control.control_decode(payload).state.accounts[-1].account == "P09999"


# -- The registry's side --------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    registry_prepare(tmp_path)
    with RegistryStore.open(tmp_path) as store:
        yield store


def settled(store):
    venue = venue_with_deposits()
    for tonnes, price in ((1, 100), (3, 101)):
        venue.trade(tonnes, price=price)
    venue.checkpoint()
    Settlement(store).apply(LOG_ID, venue.records)
    return venue


def stated(store, path, why="disk lost"):
    return adopt(store, path, first=AN, second=BO, why=why, at_ns=5)


def test_the_statement_is_what_the_ledger_holds(store, tmp_path):
    venue = settled(store)
    statement = stated(store, tmp_path / "statement")
    assert statement_read(tmp_path / "statement") == statement
    assert (statement.old_log_id, statement.by, statement.second) == (LOG_ID, "an", "bo")
    assert store.log_id == statement.log_id != LOG_ID
    given = statement.state
    assert given.settlement_seq == store.last_seq == len(venue.records)
    assert given.event_seq == int(venue.records["seq"].max())
    machine = VenueStateMachine(PROFILE, CORES[0])
    machine.apply_control(adoption(state=given))
    assert machine.core.holdings_hash() == statement.holdings_hash
    # (100 + 3 x 101) / 4 = 100.75, half up.
    assert given.products[0].reference_price == 101


def test_a_trade_that_failed_has_happened_at_the_venue(store, tmp_path):
    """As in the holdings hash: the adopted venue and the registry go on agreeing."""
    venue = venue_with_deposits()
    venue.trade(1)
    venue.trade(3)
    venue.checkpoint()

    def failure_of(trade):
        return "a court's freeze" if trade.tonnes == 3 else None

    Settlement(store, failure_of=failure_of).apply(LOG_ID, venue.records)
    assert store.one("SELECT count(*) FROM trades WHERE state = 'failed'") == 1
    statement = stated(store, tmp_path / "statement")
    alice, bob = statement.state.accounts
    assert (alice.holdings, bob.holdings) == (((0, 4),), ((0, BOB_TONNES - 4),))
    assert (alice.cash, bob.cash) == (ALICE_CASH - 400, 400)
    machine = VenueStateMachine(PROFILE, CORES[0])
    machine.apply_control(adoption(state=statement.state))
    assert machine.core.holdings_hash() == statement.holdings_hash


def test_the_statement_names_all_trades_that_were_busted(store, tmp_path):
    """Undone, ended after they failed, or with claims in their place; a venue keeps them all."""
    venue = venue_with_deposits()
    for tonnes in (1, 2, 3, 4):
        venue.trade(tonnes)
    venue.busted(3)
    venue.busted(2, Reason.CASH_INSUFFICIENT)
    venue.busted(1)
    settlement = Settlement(store, failure_of=lambda trade: "x" if trade.tonnes == 3 else None)
    settlement.apply(LOG_ID, venue.records)
    statement = stated(store, tmp_path / "statement")
    assert statement.state.busted == (1, 2, 3)
    (tmp_path / "venue").mkdir()
    venue_adopt(tmp_path / "venue", statement)
    machine = VenueStateMachine(PROFILE)
    for frame in SegmentReader(tmp_path / "venue" / "journal", storage=OsStorage()).frames():
        machine.apply_control(control.control_decode(frame.payload))
    assert machine.busted == {1, 2, 3}


def test_items_behind_an_unanswered_transfer_come_again(tmp_path, store):
    settled(store)
    answered = store.one("SELECT max(transfer_seq) FROM feed")
    registry = Registry(store, admission="open")
    account = store.account_name(0)
    registry.pay_in(account, 7)
    pending = registry.transfer_in(account, None, 7)
    registry.account_open("late")
    given = stated(store, tmp_path / "statement").state
    assert (given.feed_seq, pending) == (answered, answered + 1)
    assert "late" not in [each.account for each in given.accounts]


def test_whom_the_registry_suspended_stays_so_and_an_operator_may_not_lift_it(store, tmp_path):
    """CEA-ACC-03: bob both have suspended, alice the registry alone."""
    settled(store)
    registry = Registry(store, admission="open")
    for account in ("alice", "bob"):
        registry.accounts.suspend(account, "a court's order")
    given = stated(store, tmp_path / "statement")
    assert [each.suspended_by_registry for each in given.state.accounts] == [True, True]
    old_folder(tmp_path / "venue")
    assert venue_adopt(tmp_path / "venue", given).suspended == ["alice", "bob"]
    first = next(SegmentReader(tmp_path / "venue" / "journal", storage=OsStorage()).frames())
    for core in CORES:
        machine = VenueStateMachine(PROFILE, core)
        machine.apply_control(control.control_decode(first.payload))
        assert machine.suspended_by_registry == {"alice": False, "bob": True}
        with pytest.raises(FrameError, match="'alice': expected one that an operator suspended"):
            machine.apply_control(control.Restore(account="alice", by="an"))


def test_a_statement_takes_the_place_of_one_that_was_not_used(store, tmp_path):
    settled(store)
    first = stated(store, tmp_path / "first")
    second = stated(store, tmp_path / "second")
    assert (first.old_log_id, second.old_log_id) == (LOG_ID, LOG_ID)
    assert store.log_id == second.log_id != first.log_id


def test_a_registry_that_contradicts_itself_states_nothing(store, tmp_path):
    path = tmp_path / "statement"
    with pytest.raises(AdoptionError, match="got none yet"):
        stated(store, path)
    settled(store)
    for why in ("", " ", "lost\nlog"):
        with pytest.raises(AdoptionError, match="why: expected one line of text, got '"):
            stated(store, path, why=why)
    with pytest.raises(AdoptionError, match="length <= 200 - at `\\$.why`"):
        stated(store, path, why="x" * 201)
    with store.transaction():
        store.execute("UPDATE meta SET state = 'diverged: x'")
    with pytest.raises(AdoptionError, match="got diverged"):
        stated(store, path)
    with store.transaction():
        store.execute("UPDATE meta SET state = 'ok'")
    changed(store, "UPDATE postings SET amount = amount - 1 WHERE posting_id / 8 = 3")
    with pytest.raises(AdoptionError, match="not the sum of the postings"):
        stated(store, path)
    assert store.log_id == LOG_ID
    assert not path.exists()


@pytest.mark.parametrize("place", [0, 9, 40])
def test_a_statement_that_is_not_as_it_was_written_is_refused(store, tmp_path, place):
    settled(store)
    path = tmp_path / "statement"
    data = bytearray(statement_encode(stated(store, path)))
    assert path.read_bytes() == data
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(AdoptionError, match="a whole statement"):
        statement_read(path)


def test_numbers_of_an_adoption_count_as_given():
    numbers = NumbersGiven()
    numbers.take_state(state())
    assert (numbers.trade_id, numbers.event_seq) == (1_000_300, 1_002_000)
    assert numbers.report_seqs == {0: 10**6, 1: 10**6 + 1}


# -- The venue's side -----------------------------------------------------------------------------


def old_folder(data, log_id=LOG_ID, acts=()):
    """A venue's folder as a crash may leave it: two suspensions, one lifted."""
    identity = Identity("x", SCHEMA_VERSION, PROFILE.profile_hash())
    with Journal.open(data / "journal", log_id=log_id, identity=identity) as journal:
        for message in (
            control.Suspend(account="alice", by="an", why="x"),
            control.Kill(account="bob", by="an", why="x"),
            control.Restore(account="alice", by="an"),
            *acts,
        ):
            journal.append(FrameKind.CONTROL, 1, 10**18, control.control_encode(message))
        journal.sync()
    for name in ("snapshots", "archive"):
        (data / name).mkdir()
        (data / name / "file").write_text(name)


@pytest.fixture
def statement(store, tmp_path):
    settled(store)
    return stated(store, tmp_path / "statement")


def venue_adopt(data, statement, why="disk lost", **settings):
    clock = ClockSetting(kind="manual", start="2025-07-16T10:00:00+08:00")
    config = VenueConfig(clock=clock, **settings)
    return venue_adoption.adopt(data, config, statement, first=AN, second=BO, why=why)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_all_of_the_old_life_is_put_aside_and_nothing_deleted(tmp_path, statement):
    data, elsewhere = tmp_path / "venue", tmp_path / "elsewhere"
    old_folder(data)
    elsewhere.mkdir()
    (elsewhere / "file").write_text("elsewhere")
    before = files(data)
    adopted = venue_adopt(data, statement, archive=str(elsewhere))
    assert files(data / adopted.kept) == before
    assert not elsewhere.exists()
    assert (tmp_path / f"elsewhere-{LOG_ID}" / "file").read_text() == "elsewhere"
    assert adopted.suspended == ["bob"]
    assert [path.name for path in sorted(data.iterdir())] == ["journal", "kept"]
    machine = VenueStateMachine(PROFILE)
    for frame in SegmentReader(data / "journal", storage=OsStorage()).frames():
        machine.apply_control(control.control_decode(frame.payload))
    assert machine.core.account(1)["suspended"]
    assert machine.time_ns >= 10**18


def test_what_was_delisted_stays_so(tmp_path, statement):
    """CEA-PRD-03: as the old journal's operators left it, and as notices since then say."""
    product = statement.state.products[0].product
    delist = control.ProductDelist(product=product, by="an", why="x")
    relist = control.ProductList(product=product, price=100, by="an", why="x")
    day = control.DayOpen(date=20200102)
    assert statement.state.trading_date > 20200103
    for number, (acts, notices, expected) in enumerate((
        ((delist,), "", True),
        ((delist, relist), "", False),
        ((), notice(date(2020, 1, 1), delist=f'["{product}"]'), True),
        ((day, relist), notice(date(2020, 1, 1), delist=f'["{product}"]'), False),
        ((relist, day), notice(date(2020, 1, 1), delist=f'["{product}"]'), True),
        ((day, relist), notice(date(2020, 1, 3), delist=f'["{product}"]'), True),
        ((day, delist), notice(date(2020, 1, 3), list={product: "1.00"}), False),
        ((day, delist), notice(date(2120, 1, 3), list={product: "1.00"}), True),
    )):
        data, profile = tmp_path / f"venue{number}", tmp_path / f"{number}.toml"
        profile.write_text(PROFILE.text + notices, encoding="utf-8")
        old_folder(data, acts=acts)
        venue_adopt(data, statement, profile=str(profile))
        first = next(SegmentReader(data / "journal", storage=OsStorage()).frames())
        adopted = control.control_decode(first.payload)
        assert adopted.state.products[0].delisted is expected
        machine = VenueStateMachine(load_profile(profile))
        machine.apply_control(adopted)
        assert machine.core.product(0)["listed"] is not expected


def adopted_machine(data):
    machine = VenueStateMachine(PROFILE)
    for frame in SegmentReader(data / "journal", storage=OsStorage()).frames():
        machine.apply_control(control.control_decode(frame.payload))
    return machine


MEASURE = {"account": "alice", "case": "C1", "by": "an", "second": "bo", "why": "x"}
SUPERVISED = (
    control.CaseEntered(case="C1", entry=1, by="an", body=Opened(title="x")),
    control.MeasureTaken(measure=1, step=6, barred=("purchases",), **MEASURE),
    control.MeasureTaken(measure=2, step=2, ends=20200102, **MEASURE),
    control.MeasureTaken(measure=3, step=7, **{**MEASURE, "account": "bob"}),
    control.MeasureTaken(measure=4, step=6, barred=("sales",), **MEASURE),
    control.MeasureLifted(measure=4, by="an", second="bo", why="explained"),
    control.CaseEntered(case="C1", entry=2, by="bo", body=Note(text="called")),
)


def test_measures_stay_in_force_and_cases_go_on_with_the_same_hashes(tmp_path, statement):
    """CEA-MSR-06, CEA-CAS-01: also where a second adoption follows."""
    data = tmp_path / "venue"
    old_folder(data, acts=SUPERVISED)
    adopted = venue_adopt(data, statement)
    assert (adopted.measures, adopted.cases) == (4, 1)
    machine = adopted_machine(data)
    assert machine.core.account(0)["restricted"] == Restriction.PURCHASES
    assert machine.core.account(1)["suspended"]
    assert [measure.lifted is None for measure in machine.measures] == [True, True, True, False]
    assert heads(machine.cases["C1"]) == heads([SUPERVISED[0], SUPERVISED[-1]])
    # An operator had killed it, too: that is taken back, and the measure stays.
    machine.apply_control(control.Restore(account="bob", by="an"))
    assert machine.core.account(1)["suspended"]
    with pytest.raises(FrameError, match="expected one that no measure suspends"):
        machine.apply_control(control.Restore(account="bob", by="an"))
    lifted = control.MeasureLifted(measure=3, by="an", second="bo", why="explained")
    machine.apply_control(lifted)
    assert not machine.core.account(1)["suspended"]
    number = control.MeasureTaken(measure=5, step=1, account="bob", case="C1", by="an", why="x")
    machine.apply_control(number)
    sequencer = Sequencer.open(data, PROFILE, now_ns=lambda: 10**18)
    assert sequencer.machine.core.account(0)["restricted"] == Restriction.PURCHASES
    sequencer.close()
    assert verify_data(data).checkpoints == 1
    again = msgspec.structs.replace(statement, old_log_id=statement.log_id, log_id=32 * "a")
    assert venue_adopt(data, again).measures == 4
    assert adopted_machine(data).core.account(0)["restricted"] == Restriction.PURCHASES


def test_of_a_lost_journal_the_newest_snapshot_says_which_measures_there_were(
    tmp_path, statement
):
    """CEA-MSR-06."""
    data = tmp_path / "venue"
    old_folder(data, acts=SUPERVISED[:1])
    old = VenueStateMachine(PROFILE)
    for name in ("alice", "bob"):
        old.apply_control(control.AccountDeclared(account=name))
    for act in SUPERVISED:
        old.apply_control(act)
    identity = Identity("x", SCHEMA_VERSION, PROFILE.profile_hash())
    point = JournalPoint(1_000, 10**18, 1, 100, bytes(32), bytes(32))
    header = SnapshotHeader(
        log_id=LOG_ID, identity=identity, point=point, event_count=0, state_hash=0
    )
    body = msgspec.msgpack.encode(SnapshotBody(old.snapshot(), {}))
    snapshot_write(data / "snapshots", header, body, storage=OsStorage())
    adopted = venue_adopt(data, statement)
    assert (adopted.measures, adopted.cases) == (4, 1)
    machine = adopted_machine(data)
    assert machine.core.account(0)["restricted"] == Restriction.PURCHASES
    assert len(machine.cases["C1"]) == 2


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_measures_are_kept_once_by_two_and_of_accounts_that_there_are(core):
    """CEA-MSR-06."""
    machine = VenueStateMachine(PROFILE, core)
    machine.apply_control(adoption())
    taken = control.MeasureTaken(measure=1, step=7, **{**MEASURE, "account": "P00000"})
    kept = control.MeasuresKept(
        by="an", second="bo", why="disk lost", measures=(control.Measured(taken),)
    )
    stranger = msgspec.structs.replace(taken, account="eve")
    for fields, words in (
        ({"second": "an"}, "two persons"),
        ({"measures": (control.Measured(stranger),)}, "expected a declared account, got 'eve'"),
        ({"measures": (control.Measured(msgspec.structs.replace(taken, measure=2)),)}, "number 1"),
    ):
        with pytest.raises(FrameError, match=words):
            machine.apply_control(msgspec.structs.replace(kept, **fields))
    machine.apply_control(kept)
    assert machine.core.account(0)["suspended"]
    with pytest.raises(FrameError, match="expected no measure taken before them"):
        machine.apply_control(kept)


def test_another_venues_folder_is_not_adopted(tmp_path, statement):
    data = tmp_path / "venue"
    old_folder(data, log_id=32 * "f")
    before = files(data)
    with pytest.raises(AdoptionError, match=f"log_id: expected {LOG_ID}, got {32 * 'f'}"):
        venue_adopt(data, statement)
    assert files(data) == before


def test_a_damaged_journal_and_an_empty_folder_can_be_adopted(tmp_path, statement):
    empty, damaged = tmp_path / "empty", tmp_path / "damaged"
    empty.mkdir()
    old_folder(damaged)
    (segment,) = (damaged / "journal").iterdir()
    segment.write_bytes(bytes(300))
    for data in (empty, damaged):
        adopted = venue_adopt(data, statement)
        assert (adopted.log_id, adopted.suspended) == (statement.log_id, [])
    assert files(damaged / adopted.kept / "journal") == [segment.name]


def test_holdings_that_are_not_the_registrys_are_refused(tmp_path, statement):
    data = tmp_path / "venue"
    old_folder(data)
    before = files(data)
    odd = msgspec.structs.replace(statement, holdings_hash=statement.holdings_hash ^ 1)
    with pytest.raises(AdoptionError, match="expected holdings of hash"):
        venue_adopt(data, odd)
    assert files(data) == before


def test_a_reason_is_one_line(tmp_path, statement):
    """CEA-OPR-01: the log of acts has one line for each."""
    old_folder(tmp_path)
    before = files(tmp_path)
    with pytest.raises(AdoptionError, match="why: expected one line of text, got 'lost"):
        venue_adopt(tmp_path, statement, why="lost\nlog")
    assert files(tmp_path) == before
