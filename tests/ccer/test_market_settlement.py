"""The exchange's trades in CCERs, delivered at the CCER registry: lots move, cash does not."""

import random
from datetime import timedelta

import numpy as np
import pytest

from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.ccer.false_credits import Restitution
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.records import DAY_CLOSED_DTYPE, EventKind, Reason
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.venue_link.feed import feed_items
from cea_exchange.institution.venue_link.stream_settlement import (
    Diverged,
    PoisonRecord,
    SettlementGap,
    WrongLog,
)
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.protocol import control
from support.ccer.ccer_and_exchange import LOG_ID, CcerAndExchange, P
from support.ccer.programme import DESIGN
from support.refusing import refuses
from support.registry.ledger_by_hand import changed


@pytest.fixture
def world(tmp_path):
    with CcerAndExchange(tmp_path) as both:
        yield both
        nothing_differs(both)


@pytest.fixture
def trading(world):
    return begun(world)


@pytest.fixture
def trading_on_each(tmp_path, database_address):
    """As `trading`, on both databases one after the other."""
    with CcerAndExchange(tmp_path, database_address) as both:
        yield begun(both)
        nothing_differs(both)


def nothing_differs(world):
    assert world.differences() == []
    with world.ccer.store.view():
        assert [*content_differences(world.ccer.store)] == []


def begun(world):
    """SEAWIND has 5,000 t at the exchange, A and B have cash; the first day is open."""
    world.listed()
    for account in ("A", "B"):
        world.pay_in(account, 50_000_000_00)
    world.meet()
    return world


def fed(world):
    """What the exchange was told, without the items' numbers."""
    items = feed_items(world.ccer.store, 1, 1_000)
    return [control.control_decode(item).command for item in items]


def refused(act, *arguments, **named):
    with pytest.raises(ProgrammeError) as info:
        act(*arguments, **named)
    return info.value.code


def test_everybody_is_declared_with_who_it_is(world):
    """CCER-PAR-01, CCER-PAR-02, CCER-ACC-02: an index at the exchange is that of the account."""
    world.ccer.accounts.open("ZHANG", "trader", is_natural_person=True)
    world.ccer.accounts.open("WANG", "trader", is_staff=True)
    world.ccer.accounts.open("BJ", "province", province=11)
    declared = [each for each in fed(world) if isinstance(each, control.AccountDeclared)]
    assert [(each.account, each.holder) for each in declared] == [
        ("SEAWIND", "organisation"),
        ("CQC", "verifier"),
        ("CCSC", "verifier"),
        ("A", "organisation"),
        ("B", "organisation"),
        ("P001", "organisation"),
        ("ZHANG", "natural_person"),
        ("WANG", "staff"),
        ("BJ", "authority"),
    ]
    world.feed()
    for index, each in enumerate(declared):
        assert (
            world.venue.account_index(each.account) == index == world.ccer.books.known(each.account)
        )
    barred = {"CQC", "CCSC", "ZHANG", "WANG", "BJ"}
    assert set(world.venue.barred) == barred
    owner = world.ccer.accounts.open
    for person in ("is_natural_person", "is_staff"):
        assert refused(owner, "LI", "owner", **{person: True}) == CcerRefusal.ACCOUNT_KIND


def test_the_exchange_hears_of_a_restriction(world):
    """CCER-ACC-03: and of its end."""
    world.ccer.accounts.restrict("A", "false licence")
    world.feed()
    index = world.venue.account_index("A")
    assert world.venue.core.account(index)["suspended"]
    world.ccer.accounts.restore("A", "renewed")
    world.feed()
    assert not world.venue.core.account(index)["suspended"]


def test_who_transfers_first_declares_the_price(world):
    """CCER-PRD-02, CCER-PRD-01: nobody else does, and nobody without."""
    send = world.ccer.market_transfers.to_market
    assert refused(send, "SEAWIND", P, 100) == CcerRefusal.LISTING_PRICE
    last = date_of_number(world.clock.day) + timedelta(days=30)
    for day, code in (
        (20991231, CcerRefusal.DATE_OUT_OF_RANGE),
        (date_number(last + timedelta(days=1)), CcerRefusal.DATE_OUT_OF_RANGE),
        (20240230, CcerRefusal.DATE_UNSOUND),
    ):
        late = {"price_fen": 8_000, "listing_date": day}
        assert refused(send, "SEAWIND", P, 100, **late) == code
    send("SEAWIND", P, 100, price_fen=8_000, listing_date=date_number(last))
    assert refused(send, "SEAWIND", P, 100, price_fen=8_100) == CcerRefusal.LISTING_PRICE
    send("SEAWIND", P, 100)
    declared, first, second = fed(world)[-3:]
    assert declared == control.ProductDeclared(
        product=P, reference_price=8_000, listing_date=date_number(last)
    )
    assert first == second == control.TransferIn(account="SEAWIND", product=P, amount=100)
    world.meet()
    assert world.tonnes_at_venue("SEAWIND") == 200
    (instrument,) = world.ccer.market_transfers.instruments()
    assert (instrument["declared_by"], instrument["reference_price"]) == ("SEAWIND", 8_000)


def test_no_instrument_is_declared_that_the_exchange_would_refuse(world):
    """CCER-PRD-01: it would be refused for ever, and all behind it in the feed would wait."""
    for code in ("wind.1", "Wind-2", "WIND_2", "\u98ce\u7535"):
        with refuses("NAME_UNSOUND: project: expected .*WIND-1, got", (ActError, ProgrammeError)):
            world.ccer.projects.draft(code, "SEAWIND", "Other wind", DESIGN)
    store = world.ccer.store
    with store.transaction():  # as one that was drafted and issued before this was checked
        changed(store, f"UPDATE products SET product = 'wind.1-2022' WHERE product = '{P}'")
        with refuses("VALUE_NOT_TAKEN: .*expected PROJECT-YEAR .*got 'wind.1", ProgrammeError):
            world.ccer.market_transfers.to_market("SEAWIND", "wind.1-2022", 10, price_fen=8_000)
        changed(store, f"UPDATE products SET product = '{P}' WHERE product = 'wind.1-2022'")
    world.listed()
    assert world.venue.product_index(P) == 0


def test_no_account_ends_while_something_of_it_is_under_way(trading):
    """CCER-ACC-03: what it bought and was not delivered, what the exchange was asked for."""
    close = trading.ccer.accounts.close
    trading.trade("SEAWIND", "A", 100)
    trading.meet()
    with refuses("ACCOUNT_NOT_EMPTY: account A: .*got 1 deliveries to come", ProgrammeError):
        close("A", "its own wish")
    trading.next_day()
    for _ in range(5):
        trading.next_day()
    trading.ccer.market_transfers.from_market("A", P, 100)
    with refuses("got 1 lots, 1 transfers at the exchange", ProgrammeError):
        close("A", "its own wish")
    trading.meet()
    trading.ccer.transfers.transfer("transfer", "A", "SEAWIND", P, 100, document="contract")
    close("A", "its own wish")


def test_the_serials_that_set_out_are_those_that_arrive(world):
    """CCER-LOT-03: whichever transfer the exchange answers first."""
    send = world.ccer.market_transfers.to_market
    send("SEAWIND", P, world.ccer.what(P, None, "1:501-600"), price_fen=8_000)
    send("SEAWIND", P, 50)
    assert world.lots("SEAWIND", "transit") == [(1, 50), (501, 600)]
    world.feed()
    world.settle(1)
    assert world.lots("SEAWIND", "trading") == [(501, 600)]
    assert world.lots("SEAWIND", "transit") == [(1, 50)]
    world.settle()
    assert world.lots("SEAWIND", "trading") == [(1, 50), (501, 600)]


def test_what_the_exchange_refuses_comes_back(world):
    """CCER-PRD-02: of the serials that set out."""
    send = world.ccer.market_transfers.to_market
    send("SEAWIND", P, 100, price_fen=8_000)
    world.meet()
    send("SEAWIND", P, world.ccer.what(P, None, "1:201-300"))
    (item,) = feed_items(world.ccer.store, world.venue.feed_seq + 1, 10)
    transfer_seq = control.control_decode(item).transfer_seq
    rejected = world.venue.core.deposit(0, 0, (1 << 62) - 1, transfer_seq)
    world.keep(rejected)
    world.settle()
    assert world.lots("SEAWIND", "registration") == [(101, 200), (201, 300), (301, 10_000)]
    (*_, last) = world.ccer.market_transfers.listed()
    assert (last["state"], Reason(last["reason"])) == ("rejected", Reason.AMOUNT_TOO_LARGE)


def test_a_days_trades_are_delivered_after_the_close(trading):
    """CCER-STL-01, CCER-LOT-03: one by one, gross, the lowest serials first; both confirm."""
    world, day = trading, trading.clock.day
    world.trade("SEAWIND", "A", 1_000)
    world.trade("SEAWIND", "B", 500)
    world.meet()
    assert world.lots("A", "trading") == []
    assert world.lots("SEAWIND", "trading") == [(1, 5_000)]
    assert world.ccer.store.confirmed_date < day
    world.day_close()
    world.meet()
    assert world.lots("A", "trading") == [(1, 1_000)]
    assert world.lots("B", "trading") == [(1_001, 1_500)]
    assert world.lots("SEAWIND", "trading") == [(1_501, 5_000)]
    assert world.ccer.store.confirmed_date == day
    assert world.ccer.store.balance((3, 65_535, 3)) == 0
    world.confirmed()
    assert world.venue.confirmed_date == day
    moves = world.ccer.pedigree("WIND-1", 1, 1_200)
    assert [move["kind"] for move in moves] == [
        *("issue", "transfer_begun", "deposited", "delivered")
    ]
    assert moves[-1]["account"] == "B"


def test_the_exchange_opens_no_day_before_both_have_confirmed(trading):
    """CCER-STL-01: the registry's answer has the day only when all of it is delivered."""
    world, day = trading, trading.clock.day
    for _ in range(8):
        world.trade("SEAWIND", "A", 10)
    world.day_close()
    world.settle()
    dates = []
    while world.settlement.settle_batch(3):
        dates.append(world.ccer.store.confirmed_date == day)
    assert dates == [False, False, True]


def test_cash_is_the_exchanges_and_only_counts_in_the_numbers(world):
    """CCER-STL-01, CCER-CSH-01: no entry, and the hash is of tonnes alone."""
    world.listed()
    entries = world.ccer.store.entry_last
    world.pay_in("A", 1_000_000)
    world.meet()
    assert world.ccer.store.entry_last == entries
    world.keep(world.venue.core.checkpoint())
    world.meet()
    assert world.ccer.store.state == "ok"


def test_what_was_bought_leaves_the_exchange_a_day_later(trading):
    """CCER-FND-01: the serials that were delivered."""
    world = trading
    world.trade("SEAWIND", "A", 1_000)
    leave = world.ccer.market_transfers.from_market
    leave("A", P, 400)
    world.meet()
    assert world.ccer.market_transfers.listed()[-1]["state"] == "rejected"
    world.next_day()
    leave("A", P, 400)
    world.meet()
    assert world.lots("A", "registration") == [(1, 400)]
    assert world.lots("A", "trading") == [(401, 1_000)]


def test_a_withdrawal_leaves_what_trades_of_the_day_will_take(trading):
    """CCER-STL-01, CCER-LOT-03: at once, while they wait."""
    world = trading
    world.trade("SEAWIND", "A", 1_000)
    world.ccer.market_transfers.from_market("SEAWIND", P, 4_000)
    world.meet()
    assert world.lots("SEAWIND", "registration") == [(1, 4_000), (5_001, 10_000)]
    world.next_day()
    assert world.lots("A", "trading") == [(4_001, 5_000)]


def test_a_bust_before_the_delivery_ends_it(trading):
    """CEA-STL-04, CCER-STL-01."""
    world = trading
    trade = world.trade("SEAWIND", "A", 1_000)
    assert world.bust(trade) is Reason.NONE
    world.next_day()
    assert world.lots("A", "trading") == []
    assert [each["state"] for each in world.ccer.deliveries.listed()] == ["undone"]


def test_a_bust_after_the_delivery_brings_the_tonnes_back(trading):
    """CEA-STL-04, CCER-STL-01."""
    world = trading
    trade = world.trade("SEAWIND", "A", 1_000)
    world.next_day()
    assert world.bust(trade) is Reason.NONE
    world.meet()
    assert world.lots("A", "trading") == []
    assert world.lots("SEAWIND", "trading") == [(1, 1_000), (1_001, 5_000)]
    world.next_day()
    assert world.ccer.store.state == "ok"


def test_a_bust_that_the_exchange_could_not_carry_out_moves_nothing(trading):
    """CEA-STL-04: it is kept, with its reason."""
    world = trading
    trade = world.trade("SEAWIND", "A", 1_000)
    world.next_day()
    world.ccer.market_transfers.from_market("A", P, 1_000)
    world.meet()
    assert world.bust(trade) is Reason.ALLOWANCES_INSUFFICIENT
    world.next_day()
    assert world.lots("A", "registration") == [(1, 1_000)]


def test_a_court_reaches_the_exchange(trading):
    """CCER-FRZ-01: what the trading account has, and what it is delivered later."""
    world = trading
    world.trade("SEAWIND", "A", 1_000)
    freeze = world.ccer.freezes.freeze("A", P, 700, order="(2026) 1", court="Beijing")
    assert freeze.in_force == 0
    world.next_day()
    world.meet()
    assert world.lots("A", "judicial") == [(1, 700)]
    assert world.lots("A", "trading") == [(701, 1_000)]
    assert world.ccer.freezes.found(freeze.freeze_id).in_force == 700


def restituted(world):
    return world.ccer.store.one("SELECT cancelled FROM restitutions")


def test_a_restitution_reaches_the_exchange(trading):
    """CCER-REV-01 (RB3, example 15): what the owner of false CCERs parked there is not sold."""
    world = trading
    world.trade("SEAWIND", "A", 1_000)
    ordered = world.ccer.supervision.restitution_order("WIND-1", 10_000, "order 3")
    assert ordered == Restitution(cancelled=5_000, to_return=5_000)
    (seizure,) = [each for each in fed(world) if isinstance(each, control.Seizure)]
    assert (seizure.account, seizure.amount, seizure.why) == ("SEAWIND", 5_000, "recall")
    world.meet()
    assert world.tonnes_at_venue("SEAWIND") == 0
    assert world.lots("SEAWIND", "registration") == []
    assert restituted(world) == 9_000
    certificate = world.ccer.cancellations.certificate("CC-2024-000002")
    assert (certificate["purpose"], certificate["tonnes"]) == ("restitution", 4_000)
    world.next_day()
    # The buyer keeps what it bought.
    assert world.lots("A", "trading") == [(4_001, 5_000)]
    assert restituted(world) == 9_000


def test_what_an_owner_of_false_ccers_buys_or_sends_to_the_exchange_is_called_back(trading):
    """CCER-REV-01: until all is returned, and no tonne more."""
    world = trading
    world.ccer.market_transfers.to_market("SEAWIND", P, 2_000)
    world.ccer.transfers.transfer("transfer", "SEAWIND", "A", P, 3_000, document="gift")
    world.trade("SEAWIND", "A", 1_500)
    world.next_day()
    world.ccer.supervision.restitution_order("WIND-1", 6_000, "order 3")
    world.meet()
    assert restituted(world) == 5_500
    world.ccer.market_transfers.to_market("A", P, 3_000)
    world.pay_in("SEAWIND", 50_000_000_00)
    world.meet()
    for _ in range(5):  # trading days between a sale and a purchase
        world.next_day()
    world.trade("A", "SEAWIND", 2_000)
    world.next_day()
    world.meet()
    assert restituted(world) == 6_000
    assert world.tonnes_at_venue("SEAWIND") == 1_500
    assert world.lots("SEAWIND", "registration") == []


def test_a_court_comes_before_a_restitution_at_the_exchange(trading):
    """CCER-FRZ-01, CCER-REV-01: each tonne is called once, and goes to the court first."""
    world = trading
    world.ccer.freezes.freeze("SEAWIND", P, 7_000, order="(2026) 1", court="Beijing")
    ordered = world.ccer.supervision.restitution_order("WIND-1", 10_000, "order 3")
    assert ordered == Restitution(cancelled=0, to_return=10_000)
    seizures = [each for each in fed(world) if isinstance(each, control.Seizure)]
    assert [(each.why, each.amount) for each in seizures] == [("court", 2_000), ("recall", 3_000)]
    world.meet()
    assert (restituted(world), world.tonnes_at_venue("SEAWIND")) == (3_000, 0)
    frozen = world.ccer.freezes.found(1)
    assert (frozen.in_force, frozen.asked) == (7_000, 0)


def test_a_delivery_that_lacks_its_tonnes_is_failed_named_and_made_up_for(tmp_path):
    """CCER-STL-01: the day is confirmed all the same; what comes is delivered."""
    with CcerAndExchange(tmp_path) as world:
        lacking_and_made_up_for(begun(world))


def lacking_and_made_up_for(world):
    day = world.clock.day
    world.trade("SEAWIND", "A", 5_000)
    world.settle()
    store, books = world.ccer.store, world.ccer.books
    with store.transaction():
        taken = books.move(EntryKind.WITHDRAWN, 0, 0, 0, 100, "by mistake")
    world.day_close()
    # The hash shows it; as if somebody had looked at it and gone on.
    with pytest.raises(Diverged):
        world.settle()
    with store.transaction(act_id=0):
        store.execute("UPDATE meta SET state = 'ok'")
        store.execute("UPDATE market_days SET closed_seq = ?", (store.last_seq,))
    world.deliver()
    (failed,) = world.ccer.deliveries.listed()
    assert (failed["state"], store.confirmed_date) == ("failed", day)
    with store.transaction():
        for kind in (EntryKind.TRANSFER_BEGUN, EntryKind.DEPOSITED):
            books.move(kind, 0, 0, 0, taken, "by mistake")
        world.ccer.deliveries.retry()
    assert world.ccer.deliveries.listed()[0]["state"] == "posted"
    assert world.lots("A", "trading") == [(1, 100), (101, 5_000)]


def test_a_later_delivery_takes_no_tonnes_that_an_earlier_one_needs(tmp_path):
    """CCER-STL-01: deliveries of an account are posted in the exchange's order."""
    with CcerAndExchange(tmp_path) as world:
        store, books = begun(world).ccer.store, world.ccer.books
        world.trade("SEAWIND", "A", 4_950)
        world.trade("SEAWIND", "B", 50)
        world.settle()
        with store.transaction():
            taken = books.move(EntryKind.WITHDRAWN, 0, 0, 0, 100, "by mistake")
            world.ccer.deliveries.some(store.last_seq)
        assert [each["state"] for each in world.ccer.deliveries.listed()] == ["failed", "failed"]
        with store.transaction():
            for kind in (EntryKind.TRANSFER_BEGUN, EntryKind.DEPOSITED):
                books.move(kind, 0, 0, 0, taken, "by mistake")
            world.ccer.deliveries.retry()
        assert [each["state"] for each in world.ccer.deliveries.listed()] == ["posted", "posted"]


def test_a_court_does_not_ask_the_exchange_for_tonnes_that_are_leaving_it(tmp_path):
    """CCER-FRZ-01: what the exchange has let go is frozen as it arrives, and asked for once."""
    with CcerAndExchange(tmp_path) as world:
        store, books = begun(world).ccer.store, world.ccer.books
        with store.transaction():
            taken = books.move(EntryKind.WITHDRAWN, 0, 0, 0, 2_000, "by mistake")
            books.move(EntryKind.TRANSFER_BEGUN, 0, 0, 0, taken, "by mistake")
        world.ccer.market_transfers.from_market("SEAWIND", P, 4_000)
        world.feed()
        world.settle()
        (leaving,) = world.ccer.deliveries.listed()
        assert (leaving["kind"], leaving["tonnes"], leaving["state"]) == (
            *("withdrawn", 4_000, "waiting"),
        )
        world.ccer.freezes.freeze("SEAWIND", P, 10_000, order="(2026) 1", court="Beijing")
        assert not [each for each in fed(world) if isinstance(each, control.Seizure)]
        with store.transaction():
            books.move(EntryKind.DEPOSITED, 0, 0, 0, taken, "by mistake")
            world.ccer.deliveries.some(store.last_seq)
        (seizure,) = [each for each in fed(world) if isinstance(each, control.Seizure)]
        assert (seizure.amount, seizure.why) == (1_000, "court")
        assert world.ccer.freezes.found(1).in_force == 9_000


# -- each once, in order ----------------------------------------------------------------------


def test_records_are_settled_once_and_in_order(trading):
    """CEA-STL-02: repeats are dropped, gaps are asked for, another number under one stops."""
    world = trading
    world.trade("SEAWIND", "A", 1_000)
    world.settle()
    everything = [row for rows in world.records for row in rows]
    last = world.ccer.store.last_seq
    assert world.settlement.apply(LOG_ID, rows_of(everything)) == last
    with pytest.raises(SettlementGap):
        world.settlement.apply(LOG_ID, shifted(rows_of(everything[-1:]), 2))
    with pytest.raises(WrongLog):
        world.settlement.apply("another", rows_of(everything))
    other = rows_of(everything[-1:])
    other["tonnes"] += 1
    with pytest.raises(PoisonRecord):
        world.settlement.apply(LOG_ID, other)


def test_a_trade_that_contradicts_itself_stops_the_line_in_front_of_it(trading):
    """CEA-STL-02: what came before is applied."""
    world = trading
    world.settle()
    world.trade("SEAWIND", "A", 1_000)
    world.trade("SEAWIND", "A", 1_000)
    world.records[-1]["cash"] += 1
    last = world.ccer.store.last_seq
    with pytest.raises(PoisonRecord, match="cash"):
        world.settle()
    assert world.ccer.store.last_seq == last + 1
    world.records[-1]["cash"] -= 1
    world.settle()
    assert world.ccer.store.last_seq == last + 2


def test_totals_that_differ_stop_the_line_until_they_agree(trading):
    """CCER-STL-01, CEA-STL-03."""
    world = trading
    world.trade("SEAWIND", "A", 1_000)
    world.settle()
    closing = world.venue.apply_control(control.DayClose())
    closed = closing[closing["settlement_seq"] != 0].copy()
    wrong = closed.copy()
    place = closed["kind"].tolist().index(EventKind.DAY_CLOSED)
    wrong[place : place + 1].view(DAY_CLOSED_DTYPE)["volume_listed"] += 1
    world.records.append(wrong)
    before = world.ccer.store.confirmed_date
    with pytest.raises(Diverged, match="venue traded"):
        world.settle()
    assert world.ccer.store.state.startswith("diverged")
    assert world.ccer.store.confirmed_date == before
    with pytest.raises(Diverged):
        world.settle()
    assert world.settlement.reconsider().startswith("diverged")


class Killed(Exception):
    """The process ends here."""


SETTLING = ("postings_written", "last_seq_written", "committed")
DELIVERING = ("delivery_written", "delivery_committed")


def test_wherever_it_is_killed_nothing_is_lost_or_doubled(trading_on_each):
    """CCER-STL-01, CCER-LOT-04: it goes on behind the last that was committed."""
    world, rng = trading_on_each, random.Random(20261128)
    for _ in range(3):
        for _ in range(12):
            world.trade("SEAWIND", rng.choice("AB"), rng.randrange(1, 40))
        world.day_close()
        for point in SETTLING:
            world.begin_anew(killer(point))
            with pytest.raises(Killed):
                world.settle(rng.randrange(1, 9))
        world.begin_anew()
        world.settle()
        for point in DELIVERING:
            world.begin_anew(killer(point))
            with pytest.raises(Killed):
                world.deliver()
        world.begin_anew()
        world.meet()
        world.confirmed()
        world.day_open()
        for account in ("SEAWIND", "A", "B"):
            held = sum(last - first + 1 for first, last in world.lots(account, "trading"))
            assert held == world.tonnes_at_venue(account)
    assert world.ccer.store.state == "ok"


def killer(point):
    def at_point(name):
        if name == point:
            raise Killed(name)

    return at_point


def rows_of(rows):
    return np.array(rows)


def shifted(rows, by):
    moved = rows.copy()
    moved["settlement_seq"] += by
    return moved


def test_keys_are_granted_once_and_revoked_for_good(world):
    """CCER-ACC-01: the exchange is told of both."""
    key = "a" * 40
    world.ccer.trading_keys.grant(key, "A", 2, "canceller")
    world.feed()
    assert world.venue.keys[key].operator == (world.venue.account_index("A"), 2)
    assert refused(world.ccer.trading_keys.grant, key, "B") == CcerRefusal.KEY_TAKEN
    world.ccer.trading_keys.revoke(key)
    world.feed()
    assert key not in world.venue.keys
    assert refused(world.ccer.trading_keys.revoke, key) == CcerRefusal.KEY_NOT_IN_FORCE
    assert world.ccer.key_bodies(key) == frozenset({"account A"})
    assert world.ccer.key_bodies("b" * 40) == frozenset()


def test_no_item_leaves_that_the_exchange_could_not_read(world):
    """A number of the feed is never given to what would stop it."""
    before = len(fed(world))
    grant = world.ccer.trading_keys.grant
    assert refused(grant, "too short", "A") == CcerRefusal.VALUE_NOT_TAKEN
    assert len(fed(world)) == before
