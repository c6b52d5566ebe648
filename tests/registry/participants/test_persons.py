"""Persons who act at the registry, and what they may look at, on both databases."""

import pytest

from cea_exchange.institution.persons import Person
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.registry.participants.holdings import Moment, balances_view, entries_view
from cea_exchange.registry.participants.persons import KEYS_MAX
from support.refusing import refuses

LI, MO = 40 * "l", 40 * "m"


@pytest.fixture
def persons(registry):
    registry.account_open("P001")
    return registry.persons


def test_a_person_is_one_in_one_role_for_one_body(persons):
    """CEA-REG-01."""
    persons.operators = {40 * "a": Person("an", 40 * "a", "operator", "registry")}
    terms = {"name": "li", "key": LI, "role": "initiator", "account": "P001"}
    for wrong, message in (
        ({"name": ""}, "TEXT_UNSOUND: person: expected some words"),
        ({"name": "li\u202ena"}, "TEXT_UNSOUND: .*one line of at most 64 characters"),
        ({"key": "l"}, "KEY_UNSOUND: key: expected 40 characters of z85"),
        ({"key": 40 * "~"}, "KEY_UNSOUND: key: expected 40 characters of z85"),
        ({"key": 40 * "a"}, "KEY_TAKEN: key: expected a new one"),
        ({"role": "boss"}, "CHOICE_UNKNOWN: .*got 'boss'"),
        ({"account": None}, "ROLE_BODY: account: expected one for the role initiator"),
        ({"account": "P009"}, "ACCOUNT_UNKNOWN: account: expected an open one"),
        ({"province": 11}, "ROLE_BODY: province: expected none for the role initiator"),
        ({"role": "province", "account": None}, "ROLE_BODY: .*one for the role province"),
        ({"role": "province", "account": None, "province": 99}, "PROVINCE_UNKNOWN"),
        ({"role": "authority"}, "ROLE_BODY: account: expected none for the role authority"),
    ):
        with refuses(message):
            persons.add(**terms | wrong)
    assert persons.add(**terms) == Person("li", LI, "initiator", "account P001")
    with refuses("KEY_TAKEN: key: expected a new one"):
        persons.add(**terms)
    with refuses("PERSON_HAS_ROLE: li: expected one role for account P001, got initiator already"):
        persons.add(**terms | {"key": MO, "role": "approver"})
    assert persons.add(**terms | {"key": MO}) == Person("li", MO, "initiator", "account P001")
    assert persons.keys() == {40 * "a", LI, MO}


def test_a_key_that_was_removed_never_comes_back(persons):
    persons.add("li", LI, "authority")
    assert persons.remove(LI) == Person("li", LI, "authority", "authority")
    assert persons.of_key(LI) is None
    with refuses("PERSON_UNKNOWN: key: expected a person's"):
        persons.remove(LI)
    with refuses("KEY_TAKEN: key: expected a new one"):
        persons.add("li", LI, "authority")
    assert persons.add("li", MO, "regulator").body == "regulator"


def test_the_settings_persons_are_theirs(persons):
    persons.operators = {LI: Person("li", LI, "operator", "registry")}
    with refuses("PERSON_OF_SETTINGS: key: expected none of the settings, got li's"):
        persons.remove(LI)


def test_what_was_held_and_what_moved_it_are_read_page_by_page(registry):
    registry.product_declare("CEA24", 9_749)
    store = registry.store
    for account in ("P001", "P002"):
        registry.account_open(account)
        for tonnes in (1, 2, 3):
            registry.issue(account, "CEA24", tonnes)
    store.snapshot()
    registry.pay_in("P001", 5)

    def tonnes(entry_id):
        view = balances_view(store, "P001", 0, Moment(entry_id=entry_id))
        return [row["amount"] for row in view["balances"]]

    assert [tonnes(entry_id) for entry_id in (0, 1, 2, 3, 6, 7, 99)] == [
        *([], [1], [3], [6]),
        *([6], [6], [6]),
    ]
    everything = balances_view(store, "P001", None, Moment())
    assert everything["entry_id"] == 7
    assert {row["product"]: row["amount"] for row in everything["balances"]} == {
        "CEA24": 6,
        "CNY": 5,
    }
    for account in (None, "P001", "P002"):
        found, after = [], 0
        while after is not None:
            page = entries_view(store, account, None, after, 2)
            assert len(page["entries"]) <= 2
            found += page["entries"]
            after = page["next"]
        kinds = [EntryKind[entry["kind"].upper()] for entry in found]
        expected = [EntryKind.ISSUE] * 6 + [EntryKind.PAY_IN]
        if account is not None:
            expected = expected[3:] if account == "P001" else expected[:3]
        assert kinds == expected
    with refuses("ACCOUNT_UNKNOWN: .*got 'P009'"):
        balances_view(store, "P009", None, Moment())
    with refuses("BAD_REQUEST: as_of: expected one of an entry, a date or a settlement sequence"):
        balances_view(store, "P001", None, Moment(1, 20250101))


def test_an_answer_about_one_account_reads_so_many_entries_only(registry, monkeypatch):
    monkeypatch.setattr("cea_exchange.registry.participants.holdings.SCAN_COUNT", 2)
    registry.account_open("P001")
    registry.account_open("P002")
    for account in ("P001", "P001", "P001", "P002"):
        registry.pay_in(account, 5)
    page = entries_view(registry.store, "P002", None, 0, 10)
    assert (page["entries"], page["next"]) == ([], 2)
    page = entries_view(registry.store, "P002", None, 2, 10)
    assert ([entry["entry_id"] for entry in page["entries"]], page["next"]) == ([4], None)


def test_an_account_has_as_many_keys_as_may_be_and_no_more(registry):
    """CEA-PER-02: each has a turn of its own, so that who had many would have most of them."""
    registry.account_open("P1")
    registry.account_open("P2")
    for number in range(KEYS_MAX):
        name, key = f"rep {number}", f"{number:040}"
        registry.persons.add(name, key, "initiator", account="P1")
    another = {"name": "one more", "key": "x" * 40, "role": "approver"}
    with refuses("PERSONS_TOO_MANY: person: expected at most 64 keys of account P1, got another"):
        registry.persons.add(**another, account="P1")
    registry.persons.add(**another, account="P2")
    registry.persons.remove(f"{0:040}")
    registry.persons.add("one more", "y" * 40, "approver", account="P1")
