"""Who may ask the registry's service for what, and what takes two persons."""

import random
from hashlib import sha256

import msgspec
import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.institution.paging import message_shown, page
from cea_exchange.ledger.database.interface import ConstraintViolated
from cea_exchange.registry.control.admin import MAY, REGISTRY_REQUESTS
from cea_exchange.registry.control.requests.basics import PayIn
from cea_exchange.registry.participants.roles import ROLES
from cea_exchange.registry.reconciliation.audit import findings
from support.places import ROOT
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import LIFE_S, Staff, by_two, key_of

pytestmark = pytest.mark.postgres_at_night

S_NS = 1_000_000_000


@pytest.fixture
def clock(registry):
    """The registry's time in seconds, which the test sets."""
    now = [1_000]
    registry.ledger.clock = GivenClock(lambda: now[0] * S_NS)
    return now


@pytest.fixture
def staff(registry, clock):
    registry.product_declare("CEA24", 9_749)
    for account in ("P001", "P002"):
        registry.account_open(account)
        registry.issue(account, "CEA24", 1_000)
    return Staff(registry)


@pytest.fixture
def mo(staff):
    """Who approves for P001."""
    return staff.person("mo", "approver", account="P001")


@pytest.fixture
def li(staff, mo):
    """Who proposes for P001; there is somebody who approves."""
    return staff.person("li", "initiator", account="P001")


PAID = {"op": "pay_in", "account": "P001", "cash": 5}
OUT = {"op": "transfer_out", "account": "P001", "product": "CEA24", "amount": 7}


def transfers(staff):
    return staff.registry.store.one("SELECT count(*) FROM transfers")


def of_persons(answer):
    """Return the acts of persons; what prepared the registry was a program."""
    return [act for act in answer["acts"] if act["person"]]


# -- Who may ask --------------------------------------------------------------------------------


def test_every_request_is_in_the_table_of_roles_and_nothing_else():
    """CEA-REG-01: a request that nobody was given is nobody's."""
    assert {found.__struct_config__.tag for found in REGISTRY_REQUESTS.types} == set(MAY)
    assert {role for roles in MAY.values() for role in roles} == set(ROLES)


def test_a_regulator_looks_at_everything_and_changes_nothing(staff):
    looks = {op for op, each in REGISTRY_REQUESTS.by_op.items() if each.is_look}
    assert looks == {op for op, roles in MAY.items() if "regulator" in roles}
    assert staff.rex("status")["place"] == 1
    assert of_persons(staff.rex("acts")) == []
    assert "got regulator rex" in staff.rex.error("pay_in", account="P001", cash=1)


def test_a_stranger_is_refused(staff):
    assert "NOT_AUTHENTICATED: " in staff.eve.error("status")


def test_a_request_that_no_role_was_given_is_refused(staff, monkeypatch):
    monkeypatch.setattr(PayIn, "roles", ())
    assert "NOT_PERMITTED: " in staff.an.error("pay_in", account="P001", cash=1)


def test_a_representative_acts_for_its_own_account_only(staff, li):
    assert li("transfer_in", account="P001", product="CEA24", amount=1)["proposal"]
    error = li.error("transfer_in", account="P002", product="CEA24", amount=1)
    assert "expected the business of account P001" in error


def test_a_person_who_was_removed_acts_no_more(staff, li):
    assert li("proposals")["ok"]
    by_two(staff.an, staff.mo, "person_remove", key=key_of("li"))
    assert "no more" in li.error("proposals")
    assert staff.an("person_add", name="li", key=key_of("li"), role="authority")["ok"] is False


# -- Two persons --------------------------------------------------------------------------------


def test_an_act_of_two_is_done_when_the_second_person_approves(staff, li, mo):
    """CEA-REG-02, CEA-REG-03."""
    asked = li(**OUT)
    assert transfers(staff) == 0
    assert asked["approving_body"] == "account P001"
    (waiting,) = mo("proposals")["proposals"]
    assert waiting["request"]["amount"] == 7
    assert waiting["state"] == "waiting"
    done = mo("approve", proposal=asked["proposal"], request_hash=waiting["request_hash"])
    assert done["approved"] == "transfer_out"
    assert transfers(staff) == 1
    (act,) = of_persons(staff.rex("acts"))
    assert (act["op"], act["person"], act["second"]) == ("transfer_out", "li", "mo")
    assert act["request"] | {"request_id": None} == OUT | {"request_id": None}
    assert act["answer"] == done["answer"]
    (decided,) = mo("proposals", all=True)["proposals"]
    assert (decided["state"], decided["decided_by"]) == ("approved", "mo")


def test_a_proposal_is_decided_once(staff, li, mo):
    number = li(**OUT)["proposal"]
    assert mo("approve", proposal=number)["ok"]
    decided = mo.error("approve", proposal=number)
    assert decided == f"PROPOSAL_DECIDED: proposal {number}: expected a waiting one, got approved"
    assert "expected a waiting one, got approved" in mo.error("reject", proposal=number, why="late")
    assert transfers(staff) == 1


def test_a_rejected_proposal_is_never_done(staff, li, mo):
    number = li(**OUT)["proposal"]
    assert mo("reject", proposal=number, why="too much")["rejected"] == "transfer_out"
    assert "expected a waiting one, got rejected" in mo.error("approve", proposal=number)
    assert transfers(staff) == 0


def test_its_proposer_may_take_it_back_but_not_approve_it(staff, li):
    number = li(**OUT)["proposal"]
    assert "expected one of" in li.error("approve", proposal=number)
    assert li("reject", proposal=number, why="a mistake")["ok"]


def test_nobody_approves_his_own_even_with_another_key(staff):
    number = staff.an(**PAID)["proposal"]
    for name in ("an", "an-2"):
        error = staff.caller(name).error("approve", proposal=number)
        assert "SAME_PERSON: " in error
    assert staff.bo("approve", proposal=number)["ok"]


def test_another_body_approves_nothing(staff, li):
    number = li(**OUT)["proposal"]
    other = staff.person("wu", "approver", account="P002")
    assert other("proposals")["proposals"] == []
    unknown = "PROPOSAL_UNKNOWN: proposal: expected one that account P002 decides, got {}"
    assert unknown.format(number) == other.error("approve", proposal=number)
    assert unknown.format(99) == other.error("reject", proposal=99, why="no")
    error = staff.an.error("approve", proposal=number)
    assert "PROPOSAL_OF_OTHERS: " in error
    assert transfers(staff) == 0


def test_a_proposal_expires(staff, li, mo, clock):
    number = li(**OUT)["proposal"]
    clock[0] += LIFE_S
    assert "expected a waiting one, got expired" in mo.error("approve", proposal=number)
    assert mo("proposals")["proposals"] == []
    assert transfers(staff) == 0


def test_a_proposer_who_was_removed_meanwhile_gets_nothing_done(staff, li, mo):
    number = li(**OUT)["proposal"]
    by_two(staff.an, mo, "person_remove", key=key_of("li"))
    assert "PROPOSER_GONE: " in mo.error("approve", proposal=number)
    assert transfers(staff) == 0


def test_another_request_than_the_one_seen_is_not_approved(staff, li, mo):
    number = li(**OUT)["proposal"]
    assert "PROPOSAL_DIFFERS: " in mo.error("approve", proposal=number, request_hash=64 * "0")
    assert mo("proposals")["proposals"]


def test_what_can_not_be_done_is_not_proposed(staff, li):
    before = staff.registry.store.entry_last
    assert "PRODUCT_UNKNOWN: " in li.error(**OUT | {"product": "CEA99"})
    assert staff.an("proposals", all=True)["proposals"] == []
    assert staff.registry.store.entry_last == before


def test_what_can_not_be_done_any_more_waits_on(staff, mo, li):
    """The approval is taken back with the act."""
    number = staff.an("person_add", name="wu", key=key_of("wu"), role="operator")["proposal"]
    staff.person("wu", "province", province=11)
    assert "KEY_TAKEN: " in staff.bo.error("approve", proposal=number)
    (waiting,) = staff.an("proposals")["proposals"]
    assert waiting["state"] == "waiting"


def test_the_settings_say_what_needs_a_second_person(registry, clock):
    registry.account_open("P001")
    staff = Staff(registry, second_person=())
    assert "transfer_seq" in staff.an(**OUT | {"product": None})
    staff = Staff(registry, second_person=("account_suspend",))
    assert "proposal" in staff.an("account_suspend", account="P001", why="order 1")


# -- What is kept -------------------------------------------------------------------------------


def test_a_repeated_proposal_is_one(staff, li):
    first = li(**OUT, request_id="r1")
    assert li(**OUT, request_id="r1") == first
    assert len(staff.an("proposals")["proposals"]) == 1
    assert "REUSED_ID: " in li.error(**OUT | {"amount": 8}, request_id="r1")


def test_a_request_id_is_its_askers_own(staff):
    """Another's act under the same id is another act, though it says the same."""
    staff = Staff(staff.registry, second_person=())
    first = staff.an("pay_in", account="P001", cash=5, request_id="r1")
    assert staff.an("pay_in", account="P001", cash=5, request_id="r1") == first
    before = staff.an("balance", account="P001")
    assert staff.bo("pay_in", account="P001", cash=5, request_id="r1")["ok"]
    assert staff.an("balance", account="P001") != before


def test_no_name_and_request_id_read_as_anothers(staff):
    """`an: x` asking for `y` is not `an` asking for `x: y`."""
    staff = Staff(staff.registry, second_person=())
    staff.registry.persons.add("an: x", key_of("ax"), "operator")
    staff.an("pay_in", account="P001", cash=5, request_id="x: y")
    before = staff.an("balance", account="P001")
    assert staff.ax("pay_in", account="P001", cash=5, request_id="y")["ok"]
    assert staff.an("balance", account="P001") != before


def test_looking_and_failing_leave_no_act(staff):
    staff.an("status")
    staff.an("account_suspend", account="P009", why="order 1")
    staff.an("account_suspend", account="P001", why="order 1")
    (act,) = of_persons(staff.an("acts"))
    assert act["op"] == "account_suspend"
    assert staff.an("acts", since=1 + act["act_id"])["acts"] == []


def test_what_is_kept_can_not_be_changed(staff, li, mo):
    """CEA-REG-03."""
    mo("approve", proposal=li(**OUT)["proposal"])
    store = staff.registry.store
    for table in ("acts", "proposals", "decisions"):
        count = store.one(f"SELECT count(*) FROM {table}")
        with pytest.raises(ConstraintViolated), store.transaction():
            store.execute(f"DELETE FROM {table}")
        assert store.one(f"SELECT count(*) FROM {table}") == count > 0


def test_what_nobody_thought_of_ends_nothing_and_changes_nothing(staff, monkeypatch):
    """A number beyond the database's is no request; an act may break half way."""
    staff = Staff(staff.registry, second_person=())
    store, before = staff.registry.store, staff.registry.store.entry_last
    assert "request: Expected `int` <=" in staff.an.error("approve", proposal=2**64 - 1)

    def moves_and_breaks(self, registry):
        registry.pay_in("P001", 5)
        raise KeyError("a mistake")

    monkeypatch.setattr("cea_exchange.registry.control.requests.basics.PayIn.act", moves_and_breaks)
    error = staff.an.error("pay_in", account="P001", cash=5, request_id="r1")
    assert error == "INTERNAL: nothing was done, the registry's log says why: KeyError"
    monkeypatch.undo()
    assert store.entry_last == before
    assert staff.an("pay_in", account="P001", cash=5, request_id="r1")["ok"]
    assert [act["op"] for act in of_persons(staff.an("acts"))] == ["pay_in"]


def test_a_file_is_shown_by_its_hash_and_many_rows_by_the_page(staff):
    """However long what was asked is, the answer fits a message, and says where to go on."""
    content = 300_000 * b"x"
    for number in range(3):
        staff.an("account_suspend", account="P001", why=f"order {number}")
        staff.registry.accounts.restore("P001", "lifted")
    message = msgspec.msgpack.encode({"op": "obligation_take", "content": content, "n": 1})
    hashed = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    assert message_shown(message) == {"op": "obligation_take", "content": hashed, "n": 1}
    message = msgspec.msgpack.encode({"answer": 70_000 * "x"})
    assert message_shown(message)["sha256"] == sha256(message).hexdigest()
    last = staff.registry.store.one("SELECT max(act_id) FROM acts")
    first = staff.an("acts", count=2, since=last - 2)
    assert [act["act_id"] for act in first["acts"]] == [last - 2, last - 1]
    assert first["next"] == last
    rest = staff.an("acts", count=2, since=last)
    assert ([act["act_id"] for act in rest["acts"]], rest["next"]) == ([last], None)
    rows = [{"number": number, "text": 300_000 * "x"} for number in range(3)]
    assert page(iter(rows), 9, "number") == (rows[:1], 1)
    assert page(iter(rows[2:]), 9, "number") == (rows[2:], None)


def test_no_message_is_a_request_by_accident(staff):
    an = staff.an
    for payload in (b"", b"\xc1", msgspec.msgpack.encode({"op": "mint"})):
        assert staff._service.reply(an.key, payload).answer.by_ok()["error"].startswith("request: ")


def test_what_was_changed_by_hand_is_found(staff, li, mo):
    """CEA-REG-02, CEA-ACC-05: accounts against their changes, acts against proposals."""
    store = staff.registry.store
    mo("approve", proposal=li(**OUT)["proposal"])
    staff.an("account_suspend", account="P002", why="court order 12")
    assert list(findings(store)) == []
    act = store.one("SELECT act_id FROM acts WHERE proposal_id = 1")
    for statement, found in (
        ("UPDATE acts SET second = person", f"act {act} is not what proposal 1 was approved for"),
        ("UPDATE acts SET request = answer", f"act {act} is not what proposal 1 was approved for"),
        ("DELETE FROM decisions", f"act {act} is not what proposal 1 was approved for"),
        ("DELETE FROM acts", "proposal 1 was approved and not done"),
        ("UPDATE proposals SET proposer = 'mo'", f"act {act} is not what"),
        ("UPDATE accounts SET state = 'open' WHERE account = 'P002'", "account P002: its changes"),
        ("UPDATE accounts SET entity = 'x' WHERE account = 'P001'", "account P001: its changes"),
        ("UPDATE accounts SET state = 'closed' WHERE account = 'P001'", "P001 is closed and holds"),
    ):
        # What the test changes is taken back with the error.
        with pytest.raises(ZeroDivisionError), store.transaction():
            changed(store, statement)
            assert found in "; ".join(findings(store)), statement
            raise ZeroDivisionError


def test_nothing_takes_two_and_is_done_by_fewer(staff, clock):
    """CEA-REG-02: whoever asks what, in whatever order, at whatever time."""
    generator = random.Random(7)
    names = ["an", "an-2", "bo", "rex", "eve"]
    for account in ("P001", "P002"):
        for role in ("initiator", "approver", "approver"):
            names.append(f"{role}-{account}-{len(names)}")
            staff.person(names[-1], role, account=account)
    done = 0
    for _ in range(400):
        person, account = staff.caller(generator.choice(names)), generator.choice(["P001", "P002"])
        made = staff.registry.store.one("SELECT count(*) FROM proposals")
        number = max(1, made - generator.randrange(3))
        asked = generator.choice(
            [
                {**OUT, "account": account, "amount": generator.randrange(1, 9)},
                {"op": "reserve_fund", "cash": 1},
                {"op": "pay_in", "account": account, "cash": 1},
                *3 * [{"op": "approve", "proposal": number}],
                {"op": "reject", "proposal": number, "why": "no"},
            ]
        )
        done += person(**asked)["ok"] and asked["op"] == "approve"
        clock[0] += generator.choice([0, 0, 1, 30])
    found = staff.an("acts", count=1_000)["acts"]
    acts = [act for act in found if act["op"] in REGISTRY_REQUESTS.of_two]
    assert len(acts) == done > 5
    for act in acts:
        first, second = (
            staff.registry.persons.of_key(act[key]) for key in ("person_key", "second_key")
        )
        assert first.name != second.name
        assert first.role in ("operator", "initiator") and second.role in ("operator", "approver")
        if act["op"] == "transfer_out":
            assert second.body == f"account {act['request']['account']}"
            assert first.body in ("registry", second.body)
        else:
            assert first.body == second.body == "registry"
    assert list(findings(staff.registry.store)) == []


# -- What is written of it ----------------------------------------------------------------------

PAGE = ROOT / "protocol" / "registry.md"


def test_the_page_has_the_table_of_roles_and_of_acts_of_two():
    """CEA-REG-01, CEA-REG-02."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.count("|") == 9]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows]
    heads, _line, *shown = cells
    assert heads == ["op", *ROLES, "two"]
    expected = [
        [
            op,
            *("x" if role in roles else "" for role in ROLES),
            "x" if op in REGISTRY_REQUESTS.of_two else "",
        ]
        for op, roles in MAY.items()
    ]
    assert sorted(shown) == sorted(expected)


def test_one_proposer_does_not_fill_up_what_a_body_has_to_decide(staff, monkeypatch):
    """CEA-REG-02: a province that decides for many is not kept from it by one of them."""
    monkeypatch.setattr("cea_exchange.institution.approvals.Approvals.waiting_of_one_max", 2)

    def declare(person, year):
        return person("product_declare", product=f"CEA{year}", reference_price=9_000)

    for year in (31, 32):
        assert declare(staff.an, year)["ok"]
    refused = staff.an.error("product_declare", product="CEA33", reference_price=9_000)
    assert "PROPOSALS_TOO_MANY: proposals of an: expected at most 2" in refused
    assert declare(staff.bo, 33)["ok"]
    waiting = staff.an("proposals")["proposals"]
    staff.an("reject", proposal=waiting[-2]["proposal_id"], why="taken back")
    assert declare(staff.an, 34)["ok"]


def test_a_refusal_does_not_repeat_a_message_of_any_length(staff):
    """It would be longer than the asker takes, and than the log is for."""
    refused = staff.an.error("account_close", account="P" * 1_000_000, why="why")
    assert len(refused) < 17_000 and "characters)" in refused
