"""A mistaken pay-in goes back: once, named, agreed by its holder, as far as it is still there."""

import pytest

from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.bank.pay_in_reversals import pay_in_reverse
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.reconcile import check_store
from support.refusing import refuses
from support.registry.audit_queries import audit_findings
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import Staff, by_two

pytestmark = pytest.mark.postgres_at_night

RESERVE = int(Institution.RISK_RESERVE)
REVERSED = int(EntryKind.PAY_IN_REVERSED)
WHY = "a zero too many"


@pytest.fixture
def staff(registry):
    for account in ("P1", "P2"):
        registry.account_open(account)
    staff = Staff(registry)
    for account in ("P1", "P2"):
        staff.person(f"app-{account}", "approver", account=account)
    for name in ("mee", "mia"):
        staff.person(name, "authority")
    staff._service.settings_keep()
    return staff


@pytest.fixture
def pay_in(staff):
    """The entry by which ten times too much was booked into P1."""
    by_two(staff.an, staff.bo, "pay_in", account="P1", cash=10_000)
    return staff.registry.store.entry_last


def cash(registry, account):
    index = account if isinstance(account, int) else registry.account(account)
    return registry.store.balance(Holding(index, CASH_ASSET, Compartment.REGISTRATION))


def test_the_holder_agrees_to_what_is_taken_back_and_both_entries_stay(staff, pay_in):
    """CEA-PER-08, CEA-PER-01: two operators alone would take what came in truth."""
    registry, store = staff.registry, staff.registry.store
    asked = {"account": "P1", "entry_id": pay_in, "cash": 9_000, "why": WHY}
    proposed = staff.an("pay_in_reverse", **asked)
    assert proposed["approving_body"] == "account P1"
    for other in (staff.bo, staff.caller("app-P2")):
        other.error("approve", proposal=proposed["proposal"])
    assert (store.entry_last, cash(registry, "P1")) == (pay_in, 10_000)
    done = staff.caller("app-P1")("approve", proposal=proposed["proposal"])
    assert done["answer"] == {"entry_id": pay_in + 1}
    assert cash(registry, "P1") == 1_000
    kept = store.all("SELECT kind, amount, reference FROM entries ORDER BY entry_id")
    assert kept == [
        (int(EntryKind.PAY_IN), 10_000, ""),
        (REVERSED, 9_000, f"pay-in {pay_in}"),
    ]
    assert store.one("SELECT why FROM pay_in_reversals") == WHY
    assert f"PAY_IN_REVERSED: pay-in {pay_in}: expected to be reversed once" in staff.an.error(
        "pay_in_reverse", **asked | {"cash": 1}
    )
    with registry.transaction():
        assert check_store(store).differences == []
    assert audit_findings(store) == {}


def test_of_the_risk_reserve_the_authority_agrees(staff):
    """CEA-PER-08."""
    by_two(staff.an, staff.bo, "reserve_fund", cash=500)
    entry = staff.registry.store.entry_last
    asked = staff.an("pay_in_reverse", entry_id=entry, cash=500, why=WHY)
    assert asked["approving_body"] == "authority"
    assert staff.mee("approve", proposal=asked["proposal"])["ok"]
    assert cash(staff.registry, RESERVE) == 0
    assert audit_findings(staff.registry.store) == {}


def test_what_a_settlement_bank_has_is_corrected_by_the_bank(staff, pay_in):
    """CEA-PER-08, CEA-PER-06."""
    staff.registry.bank.setting = BankSetting(name="Bank A", customer="C", fees="F", reserve="R")
    asked = {"account": "P1", "entry_id": pay_in, "cash": 9_000, "why": WHY}
    assert staff.an.error("pay_in_reverse", **asked).startswith("BANK_PAYS_IN: ")
    assert (staff.registry.store.entry_last, cash(staff.registry, "P1")) == (pay_in, 10_000)


def test_only_what_is_still_there_is_taken_back(staff, pay_in):
    """CEA-PER-08: what is on its way to the venue, or there, must come back first."""
    registry = staff.registry
    registry.transfer_in("P1", None, 4_000)
    with refuses("INSUFFICIENT_CASH: .*9000.*got 6000"):
        pay_in_reverse(registry.ledger, "P1", pay_in, 9_000, WHY)
    assert pay_in_reverse(registry.ledger, "P1", pay_in, 6_000, WHY)
    assert cash(registry, "P1") == 0


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"cash_fen": 10_001}, "PAY_IN_AMOUNT: cash: expected at most the 10000 fen"),
        ({"cash_fen": 0}, "AMOUNT_UNSOUND: cash"),
        ({"why": ""}, "TEXT_UNSOUND: why"),
        ({"pay_in_entry": 99}, "PAY_IN_UNKNOWN: entry: expected a pay-in .*, got 99"),
        ({"account": "P2"}, "PAY_IN_UNKNOWN: entry: expected a pay-in .* into that account, got 1"),
        ({"account": None}, "PAY_IN_UNKNOWN"),
    ],
)
def test_what_is_no_reversal_changes_nothing(staff, pay_in, wrong, why):
    """CEA-PER-08."""
    terms = {"account": "P1", "pay_in_entry": pay_in, "cash_fen": 5, "why": WHY} | wrong
    with refuses(why):
        pay_in_reverse(staff.registry.ledger, **terms)
    assert (cash(staff.registry, "P1"), staff.registry.store.entry_last) == (10_000, pay_in)


def test_what_a_bank_has_booked_is_the_banks_to_correct(staff, pay_in):
    """CEA-PER-08, CEA-PER-06."""
    registry = staff.registry
    changed(registry.store, "UPDATE acts SET op = 'bank_statement' WHERE op = 'pay_in'")
    with refuses("PAY_IN_UNKNOWN"):
        pay_in_reverse(registry.ledger, "P1", pay_in, 5, WHY)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM pay_in_reversals", "reverses pay-in 1: none is noted"),
        ("UPDATE pay_in_reversals SET pay_in_entry = 3", "reverses pay-in 1: noted is pay-in 3"),
        ("UPDATE pay_in_reversals SET entry_id = 9", "entry 9 reverses pay-in 1: so it is noted"),
        ("UPDATE entries SET amount = 5 WHERE kind = 2", "into its account were paid 5"),
        ("UPDATE acts SET op = 'bank_stated'", "entry 1 is no pay-in of persons before it"),
        (f"UPDATE entries SET reference = '' WHERE kind = {REVERSED}", "noted is pay-in 1"),
    ],
)
def test_what_was_changed_by_hand_is_found(staff, pay_in, statement, found):
    """CEA-PER-08: each reversal against its pay-in."""
    store = staff.registry.store
    pay_in_reverse(staff.registry.ledger, "P1", pay_in, 9_000, WHY)
    assert list(findings(store, "pay_in_reversals")) == []
    changed(store, statement)
    assert found in "; ".join(findings(store, "pay_in_reversals"))
