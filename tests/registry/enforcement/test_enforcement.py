"""Courts' orders, dispositions and public notices, with a venue beside the registry."""

import datetime
from contextlib import suppress

import pytest

from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.reconcile import check_ledger, check_store
from support.refusing import refuses
from support.registry.ledger_by_hand import changed
from support.registry.registry_venue import RegistryAndVenue
from support.registry.service_callers import Staff

pytestmark = pytest.mark.postgres_at_night

REGISTRATION, TRADING = Compartment.REGISTRATION, Compartment.TRADING
APPLIED, JUDICIAL = Compartment.APPLIED, Compartment.JUDICIAL
PRODUCT = "CEA24"
COURT = {"order": "(2026) E 1", "court": "Wuhan Intermediate Court"}
ORDER = {**COURT, "until": 2027_06_30}
CASH = 10_000_000


@pytest.fixture
def both(tmp_path, database_address):
    """alice has cash at the venue, bob 1,000 t there, carol nothing; the market is listed."""
    both = RegistryAndVenue(tmp_path, database_address)
    registry = both.registry
    registry.product_declare(PRODUCT, 9749)
    for account in ("alice", "bob", "carol"):
        registry.account_open(account)
    both.endow("alice", None, CASH)
    both.endow("bob", PRODUCT, 1_000)
    both.meet()
    both.day_open()
    both.listed()
    yield both
    both.close()


def freeze(both, account, product, amount, **order):
    return both.registry.enforcement.freeze(account, product, amount, **(ORDER | order))


def state(both, freeze_id):
    shown = both.registry.enforcement.freeze_shown(freeze_id)
    return shown["state"], shown["in_force"]


def agree(both):
    """Both sides hold the same, and the ledger is what its causes say."""
    both.meet()
    assert both.agree(), both.registry.store.state
    assert [] == check_ledger(both.data).differences


# -- what a freeze takes -----------------------------------------------------------------------


def test_what_is_at_the_registry_is_frozen_at_once(both):
    """CEA-ENF-01"""
    both.registry.issue("carol", PRODUCT, 100)
    freeze_id = freeze(both, "carol", PRODUCT, 70)
    assert ("in_force", 70) == state(both, freeze_id)
    assert 70 == both.held("carol", PRODUCT, JUDICIAL)
    with refuses("INSUFFICIENT_ALLOWANCES: .*hold 31 of CEA24 in registration, got 30"):
        both.registry.transfer_in("carol", PRODUCT, 31)
    agree(both)


def test_what_comes_later_counts_until_the_amount_is_reached(both):
    """CEA-ENF-01"""
    freeze_id = freeze(both, "carol", None, 1_000)
    assert ("asked", 0) == state(both, freeze_id)
    both.registry.pay_in("carol", 600)
    assert ("asked", 600) == state(both, freeze_id)
    both.registry.pay_in("carol", 600)
    assert ("in_force", 1_000) == state(both, freeze_id)
    assert 200 == both.held("carol", None, REGISTRATION)
    agree(both)


def test_tonnes_at_the_venue_are_asked_for_and_land_frozen(both):
    """CEA-ENF-02"""
    freeze_id = freeze(both, "bob", PRODUCT, 400)
    assert ("asked", 0) == state(both, freeze_id)
    both.meet()
    assert ("in_force", 400) == state(both, freeze_id)
    assert (600, 400) == (
        both.held("bob", PRODUCT, TRADING),
        both.held("bob", PRODUCT, JUDICIAL),
    )
    agree(both)


def test_orders_and_a_suspension_do_not_stand_in_its_way(both):
    """CEA-ENF-02: what is locked is set free, and who was suspended stays so."""
    both.enter("bob", "sell", PRODUCT, 9749, 900)
    freeze_id = freeze(both, "bob", PRODUCT, 400)
    both.meet()
    assert ("in_force", 400) == state(both, freeze_id)
    account = both.venue.core.account(1)
    assert {0: (600, 0, 0)} == account["holdings"]
    assert not account["suspended"]
    both.keep(both.venue.core.suspend(1))
    freeze_id = freeze(both, "bob", PRODUCT, 100)
    both.meet()
    assert ("in_force", 100) == state(both, freeze_id)
    assert both.venue.core.account(1)["suspended"]
    agree(both)


def test_orders_that_do_not_stand_in_its_way_rest_on(both):
    both.enter("bob", "sell", PRODUCT, 9749, 500)
    freeze(both, "bob", PRODUCT, 500)
    both.meet()
    assert {0: (500, 500, 0)} == both.venue.core.account(1)["holdings"]
    agree(both)


def test_what_was_bought_today_comes_at_the_next_opening(both):
    """CEA-ENF-02, with CEA-FND-04"""
    both.trade("bob", "alice", PRODUCT, 100)
    both.meet()
    freeze_id = freeze(both, "alice", PRODUCT, 100)
    both.meet()
    assert ("asked", 0) == state(both, freeze_id)
    both.next_day()
    assert ("in_force", 100) == state(both, freeze_id)
    agree(both)


def test_proceeds_of_today_come_at_the_next_opening(both):
    """CEA-ENF-02, with CEA-FND-05: what is not of today comes at once, the rest then."""
    both.endow("bob", None, 5_000)
    both.trade("bob", "alice", PRODUCT, 10)
    both.meet()
    freeze_id = freeze(both, "bob", None, None)
    both.meet()
    assert ("asked", 5_000) == state(both, freeze_id)
    both.next_day()
    assert ("asked", 5_000 + 97_490) == state(both, freeze_id)
    assert 0 == both.held("bob", None, TRADING, REGISTRATION)
    agree(both)


def test_a_deposit_under_way_is_asked_back(both):
    """CEA-ENF-02"""
    both.registry.issue("carol", PRODUCT, 50)
    both.registry.transfer_in("carol", PRODUCT, 50)
    freeze_id = freeze(both, "carol", PRODUCT, 50)
    assert ("asked", 0) == state(both, freeze_id)
    both.meet()
    assert ("in_force", 50) == state(both, freeze_id)
    agree(both)


def test_the_owners_own_withdrawal_counts_and_nothing_is_asked_twice(both):
    """CEA-ENF-02"""
    both.registry.transfer_out("bob", PRODUCT, 300)
    first = freeze(both, "bob", PRODUCT, 400)
    second = freeze(both, "bob", PRODUCT, 100)
    both.meet()
    assert [("in_force", 400), ("in_force", 100)] == [state(both, first), state(both, second)]
    assert 500 == both.held("bob", PRODUCT, TRADING, REGISTRATION)
    agree(both)


def test_all_of_an_account_is_frozen_and_what_it_gets_of_later_products(both):
    """CEA-ENF-01"""
    ids = both.registry.enforcement.freeze_all("bob", **ORDER)
    both.registry.product_declare("CEA25", 8000)
    both.registry.issue("bob", "CEA25", 7)
    both.registry.pay_in("bob", 55)
    both.meet()
    found = both.registry.enforcement.freezes("bob")
    assert [("CNY", 55), (PRODUCT, 1_000), ("CEA25", 7)] == [
        (shown["asset"], shown["in_force"]) for shown in found
    ]
    assert ids == [shown["freeze_id"] for shown in found[:2]]
    agree(both)


def test_the_risk_reserves_cash_is_not_seized_on_its_way(both):
    """CEA-ENF-01: it came to settle a trade."""
    registry, reserve = both.registry, int(Institution.RISK_RESERVE)
    freeze(both, "alice", None, None)
    with registry.transaction():
        registry.move(EntryKind.PAY_IN, Institution.BANK, reserve, CASH_ASSET, 500)
        registry.move(EntryKind.RESERVE_USED, reserve, 0, CASH_ASSET, 500)
    registry.pay_in("alice", 100)
    assert (500, 100) == (
        both.held("alice", None, REGISTRATION),
        both.held("alice", None, JUDICIAL),
    )


# -- queue, release, extension, expiry ---------------------------------------------------------


def test_freezes_queue_up_and_move_up(both):
    """CEA-ENF-03: the first gets all it wants; what it is released of goes to the next."""
    first = freeze(both, "carol", PRODUCT, 70)
    second = freeze(both, "carol", PRODUCT, 60, order="(2026) E 2")
    both.registry.issue("carol", PRODUCT, 100)
    assert [("in_force", 70), ("asked", 30)] == [state(both, first), state(both, second)]
    assert 70 == both.registry.enforcement.release(first, **COURT)
    assert [("released", 0), ("in_force", 60)] == [state(both, first), state(both, second)]
    assert 40 == both.held("carol", PRODUCT, REGISTRATION)
    agree(both)


def test_a_release_in_part_waives_first_what_is_not_in_force(both):
    """CEA-ENF-05"""
    both.registry.issue("carol", PRODUCT, 60)
    freeze_id = freeze(both, "carol", PRODUCT, 100)
    assert 0 == both.registry.enforcement.release(freeze_id, 30, **COURT)
    assert ("asked", 60) == state(both, freeze_id)
    assert 15 == both.registry.enforcement.release(freeze_id, 25, **COURT)
    assert ("in_force", 45) == state(both, freeze_id)
    with refuses("less than the 45 that freeze 1 wants"):
        both.registry.enforcement.release(freeze_id, 45, **COURT)
    agree(both)


def test_a_freeze_ends_after_its_last_day_unless_it_is_extended(both):
    """CEA-ENF-05"""
    both.registry.issue("carol", PRODUCT, 50)
    short = freeze(both, "carol", PRODUCT, 20, until=both.date)
    longer = freeze(both, "carol", PRODUCT, 20, until=both.date)
    both.registry.enforcement.extend(longer, both.date + 1, **COURT)
    assert [] == both.registry.enforcement.expire()
    both.next_day()
    assert [("expired", 0), ("in_force", 20)] == [state(both, short), state(both, longer)]
    both.day += datetime.timedelta(days=1)
    assert [longer] == both.registry.enforcement.expire()
    assert 50 == both.held("carol", PRODUCT, REGISTRATION)
    agree(both)


def test_what_was_asked_for_a_freeze_that_has_ended_is_the_owners(both):
    freeze_id = freeze(both, "bob", PRODUCT, 400)
    both.registry.enforcement.release(freeze_id, **COURT)
    both.meet()
    assert (600, 400, 0) == tuple(
        both.held("bob", PRODUCT, each) for each in (TRADING, REGISTRATION, JUDICIAL)
    )
    agree(both)


# -- trades against a freeze -------------------------------------------------------------------


def test_a_trade_that_settles_after_a_freeze_fails_where_it_takes_what_is_asked_for(both):
    """CEA-ENF-04: made before the freeze reached the venue; what is not asked for settles."""
    both.trade("bob", "alice", PRODUCT, 300)
    both.trade("bob", "alice", PRODUCT, 400)
    freeze_id = freeze(both, "bob", PRODUCT, 700)
    both.meet()
    rows = both.registry.store.execute(
        "SELECT tonnes, state, failure FROM trades ORDER BY trade_id"
    ).fetchall()
    why = "CEA24 of bob is frozen by Wuhan Intermediate Court, order (2026) E 1"
    assert [(300, "settled", ""), (400, "failed", why)] == rows
    assert ("asked", 300) == state(both, freeze_id)
    assert both.agree()
    # The bust brings back what the trade took, and the freeze gets it.
    both.bust(both.records_of_trade(2))
    both.meet()
    assert ("in_force", 700) == state(both, freeze_id)
    agree(both)


def test_a_buyers_cash_is_kept_for_the_court(both):
    """CEA-ENF-04"""
    both.trade("bob", "alice", PRODUCT, 100)
    freeze(both, "alice", None, CASH)
    both.meet()
    assert "failed" == both.registry.store.one("SELECT state FROM trades")
    assert CASH - 974_900 == both.held("alice", None, JUDICIAL)
    both.bust(both.records_of_trade(1))
    both.meet()
    assert CASH == both.held("alice", None, JUDICIAL)
    agree(both)


def test_what_is_in_force_already_keeps_no_trade_of_the_same_run(both):
    """CEA-ENF-04"""
    freeze_id = freeze(both, "bob", PRODUCT, 400)
    both.feed()
    both.trade("bob", "alice", PRODUCT, 600)
    both.settle()
    assert ("in_force", 400) == state(both, freeze_id)
    assert "settled" == both.registry.store.one("SELECT state FROM trades")
    agree(both)


def test_other_trades_of_the_run_are_settled_at_once(both):
    """The fast path stays for whoever no freeze concerns, before, between and behind."""
    both.endow("carol", PRODUCT, 500)
    both.meet()
    for _ in range(3):
        both.trade("carol", "alice", PRODUCT, 10)
        both.trade("bob", "alice", PRODUCT, 10)
    freeze(both, "bob", PRODUCT, None)
    both.meet()
    assert [("carol", "settled"), ("bob", "failed")] * 3 == both.registry.store.execute(
        "SELECT account, trades.state FROM trades"
        " JOIN accounts ON account_index = seller_index ORDER BY trade_id"
    ).fetchall()
    agree(both)


# -- deductions, dispositions, notices ---------------------------------------------------------


def test_a_deduction_goes_where_the_court_says_and_is_published(both):
    """CEA-ENF-06, CEA-ENF-09: not to whom, and of cash not how much."""
    enforcement = both.registry.enforcement
    both.registry.issue("carol", PRODUCT, 100)
    tonnes = freeze(both, "carol", PRODUCT, 100)
    both.registry.pay_in("carol", 900)
    cash = freeze(both, "carol", None, 500)
    assert 1 == enforcement.deduct(tonnes, 30, "alice", **COURT)
    assert 2 == enforcement.deduct(cash, 500, "alice", **COURT)
    assert [("in_force", 70), ("deducted", 0)] == [state(both, tonnes), state(both, cash)]
    assert 30 == both.held("alice", PRODUCT, REGISTRATION)
    assert 500 == both.held("alice", None, REGISTRATION)
    said = {"entity": "carol", "order": COURT["order"], "court": COURT["court"]}
    assert [
        (1, both.date, "deduction", said | {"product": PRODUCT, "tonnes": 30}),
        (2, both.date, "deduction", said | {"asset": "CNY"}),
    ] == [(each.number, each.date, each.kind, each.content) for each in enforcement.notices()]
    with refuses("at most the 70"):
        enforcement.deduct(tonnes, 71, "alice", **COURT)
    with refuses("FREEZE_STATE: .*got deducted"):
        enforcement.deduct(cash, 1, "alice", **COURT)
    agree(both)


def test_a_deduction_to_one_whose_own_is_frozen_is_frozen_there(both):
    """CEA-ENF-01"""
    both.registry.issue("carol", PRODUCT, 10)
    taken, waiting = freeze(both, "carol", PRODUCT, 10), freeze(both, "alice", PRODUCT, 6)
    both.registry.enforcement.deduct(taken, 10, "alice", **COURT)
    assert ("in_force", 6) == state(both, waiting)
    assert 4 == both.held("alice", PRODUCT, REGISTRATION)
    agree(both)


def test_tonnes_go_to_a_successor_when_the_application_is_approved(both):
    """CEA-ENF-07, CEA-ENF-09: the document is kept, not published."""
    dispositions = both.registry.dispositions
    both.registry.issue("carol", PRODUCT, 100)
    said = {"entity": "carol", "to": "alice", "product": PRODUCT, "tonnes": 20}
    for number, kind in enumerate(("inheritance", "succession", "enforcement"), start=1):
        disposition_id = dispositions.transfer_apply(
            kind, "carol", "alice", PRODUCT, 20, document="deed 7"
        )
        assert 20 == both.held("carol", PRODUCT, APPLIED)
        assert {"notice": number} == dispositions.approve(disposition_id)
        assert 20 * number == both.held("alice", PRODUCT, REGISTRATION)
        (notice,) = both.registry.enforcement.notices(number)
        assert (kind, said) == (notice.kind, notice.content)
        with refuses("DISPOSITION_STATE: .*got done"):
            dispositions.approve(disposition_id)
    agree(both)


def test_what_is_cancelled_voluntarily_is_gone_and_certified(both):
    """CEA-ENF-08"""
    dispositions = both.registry.dispositions
    both.registry.issue("carol", PRODUCT, 100)
    kept = dispositions.cancellation_apply("carol", PRODUCT, 20, purpose="a fair")
    disposition_id = dispositions.cancellation_apply("carol", PRODUCT, 30, purpose="a fair")
    with refuses("TEXT_UNSOUND: why"):
        dispositions.refuse(kept, why="")
    dispositions.refuse(kept, why="withdrawn")
    done = dispositions.approve(disposition_id)
    assert {"notice": 1, "certificate": "VC-2026-000002"} == done
    assert 70 == both.held("carol", PRODUCT, REGISTRATION, APPLIED)
    sink = both.registry.store.one(
        "SELECT amount FROM balances WHERE account_index = -7 AND asset_index = 0"
    )
    assert 30 == sink
    assert ["refused", "done"] == [each["state"] for each in dispositions.shown()]
    agree(both)


def test_notices_and_orders_are_never_changed(both):
    """CEA-ENF-09"""
    store = both.registry.store
    both.registry.issue("carol", PRODUCT, 100)
    freeze_id = freeze(both, "carol", PRODUCT, 100)
    both.registry.enforcement.deduct(freeze_id, 1, "alice", **COURT)
    for sql in ("UPDATE public_notices SET kind = ''", "DELETE FROM freeze_acts"):
        with pytest.raises(DatabaseError), store.transaction():
            store.execute(sql)


# -- position, refusals, reconciliation --------------------------------------------------------


def test_who_is_frozen_or_has_applied_is_neither_closed_nor_merged(both):
    freeze(both, "carol", PRODUCT, 10)
    both.registry.issue("carol", PRODUCT, 100)
    freeze(both, "carol", None, 10)
    both.registry.dispositions.transfer_apply(
        "succession", "carol", "alice", PRODUCT, 60, document="deed 7"
    )
    accounts, waiting = both.registry.accounts, "disposition 1 is applied for"
    assert ["freeze 1 is in force", "freeze 2 is asked", waiting] == accounts.pending(2)
    assert [waiting] == accounts.pending(0)
    both.registry.enforcement.release(1, **COURT)
    both.registry.dispositions.refuse(1, why="no deed")
    with refuses("ACCOUNT_PENDING: .*got freeze 2 is asked"):
        accounts.merge("carol", "alice", "merger")
    both.registry.enforcement.release(2, **COURT)
    accounts.merge("carol", "alice", "merger")
    assert 100 == both.held("alice", PRODUCT, REGISTRATION)
    agree(both)


def test_a_freeze_reaches_an_account_that_the_registry_has_suspended(both):
    """CEA-ENF-02: and it stays suspended until the registry restores it."""
    both.registry.accounts.suspend("bob", "by the court's wish")
    freeze_id = freeze(both, "bob", PRODUCT, 400)
    both.meet()
    assert ("in_force", 400) == state(both, freeze_id)
    assert both.venue.core.account(1)["suspended"]
    both.registry.accounts.restore("bob", "released")
    both.meet()
    assert not both.venue.core.account(1)["suspended"]
    agree(both)


def test_frozen_tonnes_count_in_the_position_and_applied_ones_do_not(both):
    """CEA-ENF-10: today's, and that of a day past."""
    both.registry.issue("bob", PRODUCT, 500)
    freeze(both, "bob", PRODUCT, 200)
    both.registry.dispositions.cancellation_apply("bob", PRODUCT, 100, purpose="a fair")
    both.registry.transfer_in("bob", PRODUCT, 50)
    position = both.registry.enforcement.position
    assert 1_400 == position("bob", PRODUCT)
    before = both.date
    both.next_day()
    both.registry.issue("bob", PRODUCT, 1)
    assert [1_400, 1_401, 0] == [
        position("bob", PRODUCT, day) for day in (before, both.date, before - 1)
    ]


IMPOSSIBLE = (
    (lambda e: e.freeze("dora", PRODUCT, 1, **ORDER), "ACCOUNT_UNKNOWN"),
    (lambda e: e.freeze("bob", "CEA99", 1, **ORDER), "PRODUCT_UNKNOWN"),
    (lambda e: e.freeze("bob", PRODUCT, 0, **ORDER), "AMOUNT_UNSOUND: amount"),
    (lambda e: e.freeze("bob", PRODUCT, 2**62, **ORDER), "below 2\\^62"),
    (lambda e: e.freeze("bob", PRODUCT, 1, **COURT, until=2026_07_14), "20260715 or later"),
    (lambda e: e.freeze("bob", PRODUCT, 1, **COURT, until=2026_13_01), "DATE_UNSOUND: until"),
    (lambda e: e.freeze("bob", PRODUCT, 1, **ORDER | {"order": ""}), "TEXT_UNSOUND: order"),
    (lambda e: e.freeze("bob", PRODUCT, 1, **ORDER | {"court": "a\nb"}), "TEXT_UNSOUND: court"),
    (lambda e: e.release(1, **COURT), "FREEZE_STATE: freeze 1: .*got none"),
)


def test_an_order_that_can_not_be_changes_nothing(both):
    for act, why in IMPOSSIBLE:
        with refuses(why):
            act(both.registry.enforcement)
    assert [] == both.registry.enforcement.freezes()
    agree(both)


CHANGES_BY_HAND = (
    ("freezes SET in_force = 69", "freeze 1 of account carol: it"),
    ("freezes SET ordered = 60", "freeze 1 holds 10 more"),
    ("freezes SET freeze_id = 9", "of 'freeze 1', is of no such freeze"),
    ("dispositions SET state = 'done'", "carol is done"),
    ("dispositions SET tonnes = 11", "must have set aside"),
)


class TakenBack(Exception):
    """The ledger is to be as it was."""


def test_the_check_of_the_ledger_finds_what_was_changed_by_hand(both):
    both.registry.issue("carol", PRODUCT, 100)
    freeze(both, "carol", PRODUCT, 70)
    both.registry.dispositions.cancellation_apply("carol", PRODUCT, 10, purpose="a fair")
    store = both.registry.store
    for change, why in CHANGES_BY_HAND:
        with suppress(TakenBack), store.transaction():
            changed(store, f"UPDATE {change}")
            assert any(why in line for line in check_store(store).differences), change
            raise TakenBack
    agree(both)


# -- who may -----------------------------------------------------------------------------------


def test_a_court_waits_for_nobody_and_what_can_not_be_undone_for_two_persons(both):
    """CEA-ENF-08: an entity's cancellation is agreed to by its second representative."""
    both.registry.issue("carol", PRODUCT, 100)
    staff = Staff(both.registry)
    li = staff.person("li", "initiator", account="carol")
    mo = staff.person("mo", "approver", account="carol")
    frozen = staff.an("freeze", account="carol", product=PRODUCT, amount=60, **ORDER)
    assert ("in_force", 60) == (frozen["state"], frozen["in_force"])
    released = staff.an("freeze_release", freeze_id=frozen["freeze_id"], **COURT)
    assert ("in_force", 60) == state(both, 1)
    assert 60 == staff.bo("approve", proposal=released["proposal"])["answer"]["back"]
    application = {"account": "carol", "product": PRODUCT, "tonnes": 5, "purpose": "a fair"}
    assert "got initiator li" in li.error("freeze", account="carol", **ORDER)
    assert 0 == both.held("carol", PRODUCT, APPLIED)
    mo("approve", proposal=li("cancellation_apply", **application)["proposal"])
    assert 5 == both.held("carol", PRODUCT, APPLIED)
    assert 1 == len(li("freezes", account="carol")["freezes"])
    assert "business of account carol" in li.error("freezes", account="bob")
    assert [] == li("public_notices")["notices"]


def test_an_amount_in_the_other_unit_than_the_freeze_is_refused(both):
    """CEA-ENF-06: 5.00 yuan are not 500 t."""
    both.registry.issue("carol", PRODUCT, 1_000)
    both.registry.pay_in("carol", 1_000)
    staff = Staff(both.registry)
    tonnes = staff.an("freeze", account="carol", product=PRODUCT, amount=600, **ORDER)["freeze_id"]
    cash = staff.an("freeze", account="carol", amount=600, **ORDER)["freeze_id"]
    deduct = {"amount": 500, "to": "bob", **COURT}
    for freeze_id, unit, why in (
        (tonnes, "fen", "expected tonnes, freeze 1 is of CEA24, got fen"),
        (cash, "tonnes", "expected fen, freeze 2 is of CNY, got tonnes"),
    ):
        terms = {"freeze_id": freeze_id, "unit": unit}
        error = staff.an.error("freeze_deduct", **deduct, **terms)
        assert error == f"FREEZE_AMOUNT: amount: {why}"
        assert why in staff.an.error("freeze_release", amount=500, **COURT, **terms)
    asked = staff.an("freeze_deduct", freeze_id=tonnes, unit="tonnes", **deduct)
    assert 100 == staff.bo("approve", proposal=asked["proposal"])["answer"]["in_force"]


def test_an_extension_names_the_day_it_must_be_after(both):
    """CEA-ENF-05"""
    freeze_id = freeze(both, "carol", None, 1_000)
    until = both.registry.enforcement.freeze_shown(freeze_id)["until_date"]
    with refuses(f"DATE_OUT_OF_RANGE: until: expected after {until}, got {until}"):
        both.registry.enforcement.extend(freeze_id, until, **COURT)
