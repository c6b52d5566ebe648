"""`registry reconcile` knows who acted, who let it pass, and whether they might."""

import msgspec
import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.institution.persons import Person
from cea_exchange.registry.reconciliation.persons import persons_differences
from cea_exchange.registry.reconciliation.reconcile import check_store
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import LIFE_S, Staff, by_two, key_of

S_NS = 1_000_000_000


@pytest.fixture
def staff(registry):
    """A registry at which an and bo have added a representative each, and acted with them."""
    now = [1_000]
    registry.ledger.clock = GivenClock(lambda: now[0] * S_NS)
    registry.product_declare("CEA24", 9_749)
    registry.account_open("P001")
    registry.issue("P001", "CEA24", 9)
    # Of before any settings were kept.
    registry.persons.add("old", key_of("old"), "approver", account="P001")
    registry.persons.add("mee", key_of("mee"), "authority")
    staff = Staff(registry)
    staff.clock = now
    now[0] += 1
    staff._service.settings_keep()
    now[0] += 1
    for name, role in (("li", "initiator"), ("mo", "approver")):
        asked = {"name": name, "key": key_of(name), "role": role, "account": "P001"}
        by_two(staff.an, staff.old, "person_add", **asked)
    by_two(staff.an, staff.bo, "pay_in", account="P001", cash=9)
    by_two(staff.li, staff.mo, "transfer_out", account="P001", product="CEA24", amount=7)
    staff.bo("account_suspend", account="P001", why="court order 12")
    staff.mo("reject", proposal=staff.li(**OUT)["proposal"], why="no")
    staff.li("reject", proposal=staff.li(**OUT)["proposal"], why="I have thought again")
    assert "" == found(staff)
    return staff


OUT = {
    **{"op": "cancellation_apply", "account": "P001", "product": "CEA24", "tonnes": 1},
    "purpose": "for the climate",
}


def found(staff):
    with staff.registry.transaction():
        return "; ".join(persons_differences(staff.registry.store))


def test_what_was_done_by_those_who_might_agrees(staff):
    """CEA-REG-04: also by persons that act no more, and under other settings since."""
    registry, store = staff.registry, staff.registry.store
    by_two(staff.an, staff.mee, "person_remove", key=key_of("mo"))
    registry.persons.operators = {
        key_of(name): Person(name, key_of(name), "operator", "registry") for name in ("di", "du")
    }
    staff._service.settings_keep()
    staff._service.settings_keep()
    assert 2 == store.one("SELECT count(*) FROM role_settings")
    staff.clock[0] += LIFE_S // 2
    by_two(staff.di, staff.du, "account_restore", account="P001", why="lifted")
    assert "" == found(staff)
    with store.transaction():
        assert [] == check_store(store).differences


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("DELETE FROM acts WHERE act_id = 4", "act 4 is missing, 5 comes next"),
        ("UPDATE acts SET person = 'bo' WHERE act_id = 6", ""),
        (
            "UPDATE acts SET person = 'an' WHERE act_id = 6",
            "act 6 (account_suspend): its key is that of bo, it says an",
        ),
        (
            "UPDATE acts SET person = 'li', person_key = '{li}' WHERE act_id = 6",
            "act 6 (account_suspend): li is initiator, who may not account_suspend",
        ),
        (
            "UPDATE acts SET person = 'eve', person_key = '{eve}' WHERE act_id = 6",
            "act 6 (account_suspend): the key of eve stood for nobody then",
        ),
        (
            "UPDATE acts SET second = '', second_key = '', proposal_id = 0 WHERE act_id = 5",
            "act 5 (transfer_out): takes two persons, li did it alone",
        ),
        (
            "UPDATE acts SET proposal_id = 0 WHERE act_id = 5",
            "act 5 (transfer_out): mo was its second person by no proposal",
        ),
        (
            "UPDATE acts SET second = 'bo', second_key = '{bo}' WHERE act_id = 5",
            "act 5 (transfer_out): bo is of registry, account P001 had to approve it",
        ),
        (
            "UPDATE acts SET person_key = '{mo}', person = 'mo' WHERE act_id = 3",
            "act 3 (person_add): the key of mo stood for nobody then",
        ),
        ("DELETE FROM proposals WHERE proposal_id = 2", "proposal 2 is missing, 3 comes next"),
        ("DELETE FROM proposals WHERE proposal_id = 6", "decision on proposal 6: the proposal is"),
        (
            "UPDATE proposals SET request_hash = 'x' WHERE proposal_id = 3",
            "proposal 3 (pay_in): its request is not the one of its hash",
        ),
        (
            "UPDATE proposals SET proposer = 'mo', proposer_key = '{mo}' WHERE proposal_id = 4",
            "proposal 4 (transfer_out): mo is approver, who may not transfer_out",
        ),
        (
            "UPDATE proposals SET expires_at_ns = made_at_ns WHERE proposal_id = 4",
            "proposal 4 (transfer_out): was decided at 1002000000000, after it had expired at",
        ),
        (
            "UPDATE decisions SET person = 'li', person_key = '{li}' WHERE proposal_id = 4",
            "decision on proposal 4: li approved what that key had proposed",
        ),
        (
            "UPDATE decisions SET person = 'an', person_key = '{an}' WHERE proposal_id = 5",
            "decision on proposal 5: an is of registry, account P001 decides",
        ),
        (
            "UPDATE persons SET role = 'approver' WHERE person = 'li'",
            "act 2 added the person ('li', '{li}', 'initiator', 'account P001'), there is ('li',",
        ),
        ("DELETE FROM persons WHERE person = 'mo'", "act 3 added the person ('mo', "),
        (
            "UPDATE persons SET removed_at_ns = 2000000000000 WHERE person = 'mo'",
            "person mo of account P001 was removed by no act",
        ),
        (
            "INSERT INTO persons VALUES ('{eve}', 'eve', 'operator', 'registry', 1002000000000, 0)",
            "person eve of registry was added by no act",
        ),
        (
            "UPDATE account_changes SET by_persons = 'an' WHERE change = 'suspended'",
            "account P001: an acted 0 times, it was suspended by them 1 times",
        ),
        (
            "DELETE FROM account_changes WHERE change = 'suspended'",
            "account P001: bo acted 1 times, it was suspended by them 0 times",
        ),
    ],
)
@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_what_was_changed_by_hand_is_found(staff, statement, difference):
    """CEA-REG-01 to CEA-REG-03."""
    keys = {name: key_of(name) for name in ("an", "bo", "li", "mo", "eve")}
    changed(staff.registry.store, statement.format(**keys))
    if difference:
        assert difference.format(**keys) in found(staff)
    else:
        assert "" == found(staff)


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        (
            "INSERT INTO persons VALUES ('{eve}', 'eve', 'operator', 'registry', 1, 0)",
            "person eve of registry was added by no act",
        ),
        (
            "UPDATE persons SET removed_at_ns = 1 WHERE person = 'mo'",
            "person mo of account P001 was removed by no act",
        ),
    ],
)
def test_who_came_or_went_is_told_by_the_log_not_by_what_the_row_says(staff, statement, difference):
    """CEA-REG-04: a time before the registry's first settings would need no act."""
    keys = {name: key_of(name) for name in ("mo", "eve")}
    with staff.registry.store.transaction():
        staff.registry.store.execute(statement.format(**keys))
    assert difference in found(staff)


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_an_approval_by_those_whose_right_it_is_not_is_found(staff):
    """CEA-PER-01: though everything else about it agrees."""
    bo = f"second = 'bo', second_key = '{key_of('bo')}'"
    changed(
        staff.registry.store,
        "UPDATE proposals SET body = 'registry' WHERE proposal_id = 4",
        f"UPDATE decisions SET person = 'bo', person_key = '{key_of('bo')}' WHERE proposal_id = 4",
        f"UPDATE acts SET {bo} WHERE act_id = 5",
    )
    assert found(staff) == "act 5 (transfer_out): registry is not whose approval it takes"


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_an_act_after_a_person_was_removed_is_found(staff):
    """CEA-REG-01."""
    store = staff.registry.store
    by_two(staff.an, staff.mee, "person_remove", key=key_of("mo"))
    by_two(staff.bo, staff.an, "account_restore", account="P001", why="lifted")
    last = store.one("SELECT max(act_id) FROM acts")
    mo = f"person = 'mo', person_key = '{key_of('mo')}'"
    changed(store, f"UPDATE acts SET {mo} WHERE act_id = {last}")
    assert f"act {last} (account_restore): the key of mo stood for nobody then" in found(staff)
    changed(store, "UPDATE persons SET removed_at_ns = 0")
    assert "person mo of account P001 was removed by act 7 and acts still" in found(staff)


@pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)
def test_of_a_time_without_settings_only_what_contradicts_itself_is_found(staff):
    """A registry of before has no settings kept; nobody is suspected for that."""
    store = staff.registry.store
    eve = f"person_key = '{key_of('eve')}'"
    changed(store, "DELETE FROM role_settings", f"UPDATE acts SET {eve} WHERE act_id = 6")
    assert "" == found(staff)
    staff._service.settings_keep()
    assert "" == found(staff)
    content = store.one("SELECT content FROM role_settings")
    assert ["an", "an", "bo", "rex"] == [
        name for name, *_ in msgspec.msgpack.decode(content)["persons"]
    ]
