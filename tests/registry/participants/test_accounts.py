"""Entities' accounts from their opening to their end, on both databases."""

import pytest

from cea_exchange.domain.credit_code import check_character, credit_code_check
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Holding
from cea_exchange.protocol.control import AccountRestored, AccountSuspended, control_decode
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.participants.public_notices import notices_read
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from support.refusing import refuses
from support.registry.ledger_by_hand import guards_off

pytestmark = pytest.mark.postgres_at_night

PRODUCT = "CEA24"
REGISTRATION = Compartment.REGISTRATION


def code_of(number):
    """Return a sound credit code, another for each number."""
    body = f"91110000{number:09d}"
    return body + check_character(body)


@pytest.fixture
def accounts(registry):
    registry.product_declare(PRODUCT, 9_749)
    for number, name in enumerate(("P001", "P002"), 1):
        registry.accounts.open(
            name, entity=f"Power {number} Ltd", credit_code=code_of(number), province=11
        )
    return registry.accounts


def fed(registry):
    rows = registry.store.execute("SELECT item FROM feed ORDER BY transfer_seq").fetchall()
    return [control_decode(item).command for (item,) in rows]


def state(accounts, name):
    return accounts.show(name)["state"]


def changes(accounts, name):
    return [change["change"] for change in accounts.show(name)["changes"]]


# -- Opening ------------------------------------------------------------------------------------


def test_an_account_is_an_entitys_with_its_codes(accounts):
    shown = accounts.show("P001")
    assert (shown["entity"], shown["credit_code"], shown["province"]) == (
        *("Power 1 Ltd", code_of(1)),
        11,
    )
    assert (shown["state"], shown["at_risk"], shown["pending"]) == ("open", False, [])
    assert [row["account"] for row in accounts.listed(first=0, count=9)] == ["P001", "P002"]
    assert accounts.listed(first=1, count=9, province=31) == []


def test_one_entity_has_one_account(accounts, registry):
    """CEA-ACC-02."""
    good = {"account": "P003", "entity": "Power 3 Ltd", "credit_code": code_of(3), "province": 31}
    before = len(fed(registry))
    for terms, message in (
        ({"account": "P001"}, "ACCOUNT_TAKEN: account: expected a new one"),
        ({"account": "TOTAL"}, "NAME_RESERVED: .*got it"),
        ({"account": "total"}, "NAME_RESERVED: .*got it"),
        ({"entity": "Power 1 Ltd"}, "ENTITY_TAKEN: entity: expected one account's only"),
        ({"entity": "Power\n3"}, "TEXT_UNSOUND: .*one line of at most 200 characters"),
        ({"entity": ""}, "TEXT_UNSOUND: entity: expected some words"),
        ({"credit_code": code_of(1)}, "ENTITY_TAKEN: credit_code: expected one account's only"),
        ({"credit_code": code_of(3)[:-1] + "?"}, "CREDIT_CODE_UNSOUND: credit_code: expected 18"),
        ({"province": 99}, "PROVINCE_UNKNOWN: province: expected one of the 32 codes"),
        ({"province": True}, "PROVINCE_UNKNOWN: province: expected one of the 32 codes"),
        ({"group": 65 * "g"}, "TEXT_UNSOUND: group: expected one line of at most 64 characters"),
    ):
        with refuses(message):
            accounts.open(**good | terms)
    assert len(fed(registry)) == before
    assert accounts.open(**good) == 2


NOT_ADMITTED = (
    ({"credit_code": None}, "ADMISSION_NOT_MET: .*one, accounts are of listed entities"),
    ({"province": 0}, "ADMISSION_NOT_MET: province: expected one of the 32 codes"),
    ({"sector": "Steel"}, "ADMISSION_NOT_MET: .*one of power, steel, cement, aluminium"),
    ({"sector": "trading"}, "ADMISSION_NOT_MET: .*one of power, steel, cement, aluminium"),
)


def test_only_key_emitting_entities_are_admitted(tmp_path, database_address):
    """CEA-ADM-01: the library's default, and the daemon's."""
    good = {"account": "P001", "credit_code": code_of(1), "province": 11}
    assert "listed_entities" == RegistryConfig().admission
    with Registry.open(tmp_path, database_address) as registry:
        with refuses("ADMISSION_NOT_MET: .*got none [(]CEA-ADM-01[)]"):
            registry.account_open("P001")
        for terms, message in NOT_ADMITTED:
            with refuses(message):
                registry.accounts.open(**good | terms)
        with refuses("CREDIT_CODE_UNSOUND: credit_code: expected H at its end"):
            registry.accounts.open(**good | {"credit_code": code_of(1)[:-1] + "0"})
        assert [] == fed(registry)
        registry.accounts.open(**good)
        steel = {"account": "P002", "credit_code": code_of(2), "sector": "steel"}
        assert 1 == registry.accounts.open(**good | steel)


def test_a_market_may_be_open_to_others(registry):
    """CEA-ADM-01: where the settings say so."""
    assert "open" == registry.accounts.admission
    for number, (terms, _message) in enumerate(NOT_ADMITTED):
        assert number == registry.accounts.open(f"P{number}", **{"province": 11} | terms)


def test_credit_codes_have_a_check_character():
    """CEA-ACC-02: codes that firms publish."""
    for code in ("91330100799655058B", "9144030071526726XG", "914403001922038216"):
        assert credit_code_check(code) == code
        for place in (0, 5, 12, 17):
            wrong = code[:place] + ("1" if code[place] != "1" else "2") + code[place + 1 :]
            with pytest.raises(ValueError, match="credit_code: expected . at its end"):
                credit_code_check(wrong)
    for text in ("", "9133010079965505", "91330100799655058b", "9I330100799655058B", None):
        with pytest.raises(ValueError, match="credit_code: expected 18"):
            credit_code_check(text)


# -- Suspending ---------------------------------------------------------------------------------


def test_the_venue_hears_of_a_suspension_and_of_its_end(accounts, registry):
    """CEA-ACC-03."""
    registry.issue("P001", PRODUCT, 10)
    accounts.suspend("P001", "court order 12")
    assert fed(registry)[-1] == AccountSuspended(account="P001")
    for transfer in (registry.transfer_in, registry.transfer_out):
        with refuses("ACCOUNT_SUSPENDED: .*one that is not suspended, got P001"):
            transfer("P001", PRODUCT, 5)
    registry.issue("P001", PRODUCT, 1)
    with refuses("ACCOUNT_STATE: account P001: expected open, got suspended"):
        accounts.suspend("P001", "again")
    accounts.restore("P001", "order lifted")
    assert fed(registry)[-1] == AccountRestored(account="P001")
    assert registry.transfer_in("P001", PRODUCT, 5)
    assert changes(accounts, "P001") == ["opened", "suspended", "restored"]


def test_a_reason_is_needed_and_kept_with_who_gave_it(accounts, registry):
    for why in ("", " ", "two\nlines", 201 * "x", None):
        with refuses("TEXT_UNSOUND: why"):
            accounts.suspend("P001", why)
    assert state(accounts, "P001") == "open"
    with registry.acting("an"):
        accounts.suspend("P001", "court order 12")
    change = accounts.show("P001")["changes"][-1]
    assert (change["by"], change["why"]) == ("an", "court order 12")
    assert (change["was"], change["became"]) == ("open", "suspended")


# -- Other changes ------------------------------------------------------------------------------


def test_an_entitys_new_name_is_public_and_its_account_stays(accounts):
    """CEA-ACC-04."""
    accounts.rename("P001", "Clean Power Ltd", "province's decision 3")
    assert accounts.show("P001")["entity"] == "Clean Power Ltd"
    change = accounts.show("P001")["changes"][-1]
    assert (change["was"], change["became"]) == ("Power 1 Ltd", "Clean Power Ltd")
    (notice,) = notices_read(accounts._store)
    assert (notice.kind, notice.content) == (
        "rename",
        {"account": "P001", "entity": "Clean Power Ltd", "was": "Power 1 Ltd"},
    )
    with refuses("ENTITY_TAKEN: entity: expected one account's only"):
        accounts.rename("P001", "Power 2 Ltd", "no")


def test_an_entity_is_marked_at_risk_and_not_any_more(accounts):
    """CEA-ACC-06."""
    accounts.at_risk_set("P001", True, "late in 2024")
    assert accounts.show("P001")["at_risk"]
    with refuses("ACCOUNT_UNCHANGED: at_risk of P001: expected another than before"):
        accounts.at_risk_set("P001", True, "again")
    accounts.at_risk_set("P001", False, "surrendered")
    assert changes(accounts, "P001")[1:] == ["marked at risk", "marked not at risk"]


def test_a_sub_account_is_one_accounts_only(accounts):
    """CEA-ACC-07."""
    accounts.bank_set("P001", "Bank A", "62-1", "contract")
    assert accounts.show("P001")["bank_account"] == "62-1"
    with refuses("SUB_ACCOUNT_TAKEN: bank_account: expected one account's only"):
        accounts.bank_set("P002", "Bank A", "62-1", "contract")
    with refuses("SUB_ACCOUNT_TAKEN: bank_account: expected one account's only"):
        accounts.bank_set("P002", "Bank B", "62-1", "contract")
    accounts.bank_set("P002", "Bank A", "62-2", "contract")
    accounts.bank_set("P001", "Bank A", "Sub-A", "contract")
    with refuses("SUB_ACCOUNT_TAKEN: bank_account: expected one account's only"):
        accounts.bank_set("P002", "Bank A", "sUB-a", "contract")
    accounts.bank_set("P001", "Bank A", "sub-a", "its own in another case")


@pytest.mark.parametrize(
    "number", ["\uff30002", "62 1", "\u4e00", "-62", "\u0430", "6" * 35, "62/1"]
)
def test_a_sub_accounts_number_is_of_plain_letters_and_digits(accounts, number):
    """CEA-ACC-07: as the bank's messages have it, and nothing a reader takes for another."""
    with refuses("SUB_ACCOUNT_UNSOUND: bank_account: expected 1 to 34 letters, digits or [.]_:-"):
        accounts.bank_set("P001", "Bank A", number, "contract")


# -- The end ------------------------------------------------------------------------------------


def test_an_account_that_is_merged_gives_all_it_has(accounts, registry, tmp_path):
    """CEA-ACC-05."""
    registry.issue("P001", PRODUCT, 70)
    registry.pay_in("P001", 500)
    registry.key_grant(40 * "k", "P001")
    registry.persons.add("li", 40 * "l", "initiator", account="P001")
    accounts.merge("P001", "P002", "merged in law")
    store = registry.store
    assert store.balance(Holding(1, 0, REGISTRATION)) == 70
    assert store.balance(Holding(1, CASH_ASSET, REGISTRATION)) == 500
    kinds = store.execute("SELECT kind, reference FROM entries ORDER BY entry_id").fetchall()
    assert kinds[-2:] == [(EntryKind.MERGED, "merge P001")] * 2
    shown = accounts.show("P001")
    assert (shown["state"], shown["changes"][-1]["became"]) == ("merged", "P002")
    (notice,) = notices_read(store)
    assert (notice.kind, notice.content) == ("merger", {"account": "P001", "into": "P002"})
    assert store.one("SELECT count(*) FROM keys WHERE revoked = 0") == 0
    assert shown["representatives"] == []
    assert fed(registry)[-1] == AccountSuspended(account="P001")
    with refuses("ACCOUNT_ENDED: account: expected an open one, got P001, which is merged"):
        registry.issue("P001", PRODUCT, 1)
    found = check_ledger(tmp_path)
    assert found.differences == []


def test_an_empty_account_is_closed_for_good(accounts, registry):
    """CEA-ACC-05."""
    registry.issue("P001", PRODUCT, 1)
    with refuses("ACCOUNT_NOT_EMPTY: .*nothing in registration, got 1 of CEA24"):
        accounts.close("P001", "no emissions")
    accounts.close("P002", "no emissions")
    assert state(accounts, "P002") == "closed"
    for act in (accounts.suspend, accounts.restore, accounts.close):
        with refuses("ACCOUNT_ENDED: account: expected an open one, got P002, which is closed"):
            act("P002", "why")
    with refuses("ACCOUNT_ENDED: account: expected an open one, got P002, which is closed"):
        accounts.merge("P001", "P002", "why")
    with refuses("ENTITY_TAKEN: entity: expected one account's only"):
        accounts.open("P003", entity="Power 2 Ltd")


HELD = {
    "judicial": (EntryKind.FROZEN,),
    "applied": (EntryKind.SET_ASIDE,),
    "transit": (EntryKind.TRANSFER_BEGUN,),
    "trading": (EntryKind.TRANSFER_BEGUN, EntryKind.DEPOSITED),
}


def test_what_lies_outside_registration_keeps_an_account(accounts, registry):
    registry.issue("P001", PRODUCT, 5)
    for compartment, kinds in HELD.items():
        for end in (
            lambda: accounts.merge("P001", "P002", "why"),
            lambda: accounts.close("P001", "why"),
        ):
            # The refusal takes the moves back with it.
            with (
                refuses(f"ACCOUNT_NOT_EMPTY: .*got 5 of CEA24 in {compartment}"),
                registry.transaction(),
            ):
                for kind in kinds:
                    registry.move(kind, 0, 0, 0, 5)
                end()
    assert state(accounts, "P001") == "open"


def test_what_is_pending_keeps_an_account(accounts, registry):
    registry.transfer_out("P001", None, 5)
    store = registry.store
    # A trade that failed is still to be settled; a claim is owed until it is paid.
    guards_off(store)
    store.insert("trades", [(1, 7, 20250102, 1, 0, 1, 0, 100, 5, 500, 0, 0, "failed", "court", 0)])
    store.insert("claims", [(3, 1, 7, 1, 0, CASH_ASSET, 500)])
    store.insert("claims", [(4, 1, 7, 1, 0, 0, 5)])
    store.insert("claims_paid", [(4, 1)])
    registry.enforcement.freeze(
        *("P001", PRODUCT, 5), order="2025-7", court="Wuhan", until=29991231
    )
    assert accounts.show("P001")["pending"] == [
        *("transfer 4", "trade 7", "claim 3"),
        "freeze 1 is asked",
    ]
    with refuses("ACCOUNT_PENDING: .*got transfer 4, trade 7, claim 3, freeze 1 is asked"):
        accounts.close("P001", "why")
