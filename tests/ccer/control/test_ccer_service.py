"""What persons ask of the CCER registry: who may, about whom, whose second agrees."""

import pytest

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.ccer.control.service import CcerService
from support.ccer.programme import HASH, DayClock, registry_open
from support.ccer.programme_service import in_process
from support.institution.later_calendar import YEAR_2027


@pytest.fixture
def staff(tmp_path):
    clock = DayClock()
    with registry_open(tmp_path, clock) as ccer:
        staff = in_process(CcerService(ccer, proposal_s=10_000_000), clock)
        staff.accounts()
        yield staff
        for name, check in checks().items():
            assert [] == ccer.store.execute(check.sql).fetchall(), name
        with ccer.store.view():
            assert [*content_differences(ccer.store)] == []


@pytest.fixture
def issued(staff):
    staff.project_registered()
    staff.batch_issued({"2022": 10_000})
    return staff


HOLDING = {"account": "SEAWIND", "instrument": "WIND-1-2022"}


def test_a_project_goes_from_its_draft_to_a_certificate(staff):
    """CCER-PRJ-01, CCER-BAT-01, CCER-LOT-01, CCER-CAN-03."""
    staff.project_registered()
    assert staff.batch_issued({"2021": 30, "2022": 70}) == {"serials": [[1, 30], [31, 100]]}
    given = staff.of_two(
        *("li", "wang", "transfer_make"),
        **{**HOLDING, "to": "A", "tonnes": 40, "document": "sale 7"},
    )
    assert given == {"serials": ["1:31-70"]}
    ended = staff.cancelled(10, "A", purpose="company_offset", beneficiary="Wind Fair")
    assert ended == {"certificate": "CC-2024-000001", "proofs": []}
    found = staff.done("sun", "certificate_show", certificate="CC-2024-000001")["content"]
    assert (found["project"], found["serials"], found["tonnes"]) == ("WIND-1", [[1, 31, 40]], 10)
    moves = staff.done("he", "lot_pedigree", project="WIND-1", batch_number=1, serial=35)["moves"]
    assert [move["kind"] for move in moves] == [
        *("issue", "set_aside", "enforced", "set_aside", "cancelled")
    ]
    lots = staff.done("gu", "lot_find", project="WIND-1", batch_number=1,
                     serial_first=1, serial_last=100)["lots"]
    assert [(lot["account"], lot["serial_first"], lot["serial_last"]) for lot in lots] == [
        *(("SEAWIND", 1, 30), ("cancellation account", 31, 40), ("A", 41, 70)),
        ("SEAWIND", 71, 100),
    ]


TWO = (
    ("gu", "ma", "project_register", {"project": "WIND-1"}),
    ("gu", "ma", "project_return", {"project": "WIND-1", "why": "no seal"}),
)


@pytest.mark.parametrize(("first", "second", "op", "terms"), TWO)
def test_a_decision_of_the_registry_takes_two_operators(staff, first, second, op, terms):
    """CCER-PER-01, CEA-REG-02."""
    staff.project_validated()
    staff.of_two("li", "wang", "project_apply", project="WIND-1", document=HASH)
    proposed = staff.done(first, op, **terms)
    assert proposed["approving_body"] == "ccer"
    assert staff.refused(first, "approve", proposal=proposed["proposal"]) == "SAME_PERSON"
    shown = staff.done("he", "project_show", project="WIND-1")
    assert shown["state"] == "applied"
    assert staff.done(second, "approve", proposal=proposed["proposal"])["approved"] == op
    assert staff.done("he", "project_show", project="WIND-1")["state"] != "applied"


def test_an_issue_takes_two_operators(staff):
    """CCER-PER-01: before the second agrees there is no CCER."""
    staff.project_registered()
    batch = {"project": "WIND-1", "batch_number": staff.batch_applied({"2022": 5})}
    proposed = staff.done("gu", "batch_issue", **batch)
    assert staff.done("he", "instrument_list")["instruments"] == []
    staff.done("ma", "approve", proposal=proposed["proposal"])
    (instrument,) = staff.done("he", "instrument_list")["instruments"]
    assert instrument["instrument"] == "WIND-1-2022"


def test_orders_of_the_ministry_take_the_ministry(issued):
    """CCER-PER-01: a reversal, a restitution, the end of a withholding, a revocation."""
    (proof,) = issued.cancelled(100)["proofs"]
    issued.done("gu", "withholding_place", **HOLDING, tonnes=50, document="order 1")
    orders = {
        "proof_reverse": {"proof": proof, "document": "order 2"},
        "withholding_end": {**HOLDING, "tonnes": 50, "document": "order 3"},
        "restitution_order": {"project": "WIND-1", "tonnes": 9_950, "document": "order 4"},
        "project_revoke": {"project": "WIND-1", "document": "order 5", "why": "false data"},
    }
    answers = {}
    for op, terms in orders.items():
        proposed = issued.done("gu", op, **terms)
        assert proposed["approving_body"] == "authority", op
        assert issued.refused("ma", "approve", proposal=proposed["proposal"]) == (
            "PROPOSAL_OF_OTHERS"
        )
        answers[op] = issued.done("zhou", "approve", proposal=proposed["proposal"])["answer"]
    assert answers["proof_reverse"] == {"was_used": False}
    assert answers["restitution_order"] == {"cancelled": 9_900, "to_return": 50}
    (row,) = issued.done("he", "restitution_list")["restitutions"]
    assert (row["account"], row["tonnes"], row["cancelled"]) == ("SEAWIND", 9_950, 9_900)


def test_the_ministry_decides_itself_with_two_of_its_own(issued):
    """CCER-PER-01."""
    order = {"project": "WIND-1", "tonnes": 10, "document": "order 1"}
    assert issued.of_two("zhou", "wu", "restitution_order", **order)["cancelled"] == 10


def test_two_operators_alone_end_nothing_of_a_holders(issued):
    """CCER-PER-01, CEA-PER-01: an account and a project end by the holder, too."""
    ends = {
        "project_deregister": ({"project": "WIND-1", "why": "taken down"}, "SEAWIND", "wang"),
        "account_close": ({"account": "A", "why": "merged"}, "A", "ao"),
    }
    for op, (terms, holder, approver) in ends.items():
        proposed = issued.done("gu", op, **terms)
        assert proposed["approving_body"] == f"account {holder}", op
        assert issued.refused("ma", "approve", proposal=proposed["proposal"]) == (
            "PROPOSAL_OF_OTHERS"
        )
        assert issued.done(approver, "approve", proposal=proposed["proposal"])["approved"] == op
    assert issued.done("he", "project_show", project="WIND-1")["state"] == "deregistered"


def test_the_ministry_ends_with_the_operators_what_has_no_approver(issued):
    """CCER-PER-01."""
    proposed = issued.done("gu", "account_close", account="B", why="dissolved")
    assert proposed["approving_body"] == "authority"
    assert issued.refused("ma", "approve", proposal=proposed["proposal"]) == "PROPOSAL_OF_OTHERS"
    issued.done("zhou", "approve", proposal=proposed["proposal"])
    accounts = issued.done("he", "account_list")["accounts"]
    assert [each["account"] for each in accounts if each["state"] == "closed"] == ["B"]


def test_a_holder_ends_its_own_account_itself(issued):
    """CCER-PER-01."""
    own = {"account": "A", "why": "business ended"}
    assert issued.refused("li", "account_close", **own) == "NOT_YOURS"
    issued.of_two("an", "ao", "account_close", **own)


def test_ccers_move_by_the_ministrys_order_with_the_ministry_only(issued):
    """CCER-PER-01: by succession and enforcement with another operator."""
    for kind, body in (("succession", "ccer"), ("enforcement", "ccer"), ("order", "authority")):
        terms = {**HOLDING, "kind": kind, "to": "A", "tonnes": 5, "document": "order 7"}
        assert issued.done("gu", "transfer_order", **terms)["approving_body"] == body, kind
        last = issued.done("gu", "transfer_order", **terms)
    assert issued.refused("ma", "approve", proposal=last["proposal"]) == "PROPOSAL_OF_OTHERS"
    answer = issued.done("zhou", "approve", proposal=last["proposal"])["answer"]
    assert answer == {"serials": ["1:1-5"]}


def test_a_freeze_is_placed_by_one_and_ended_by_two(issued):
    """CCER-FRZ-01, CCER-FRZ-02: a court's order does not wait."""
    court = {"court": "Wuhan Court"}
    placed = issued.done("gu", "freeze_place", **HOLDING, tonnes=500, order="(2026)1", **court)
    assert placed["in_force"] == 500
    freeze = {"freeze_id": placed["freeze_id"], **court}
    deducted = issued.of_two(
        "gu", "ma", "freeze_deduct", **freeze, tonnes=200, to="B", order="(2026)2"
    )
    assert deducted == {"serials": ["1:1-200"]}
    released = issued.of_two("gu", "ma", "freeze_release", **freeze, order="(2026)3")
    assert released == {"in_force": 0, "released": 300}
    (row,) = issued.done("li", "freeze_list", account="SEAWIND")["freezes"]
    assert (row["ordered"], row["deducted"], row["released"]) == (500, 200, 300)


def test_nobody_does_what_is_anothers_role_or_business(staff):
    """CEA-REG-01, CEA-PER-01: an operator draws up no project, a VVB reports on its own only."""
    staff.project_validated()
    applying = {"project": "WIND-1", "document": HASH}
    assert staff.refused("gu", "project_apply", **applying) == "NOT_PERMITTED"
    assert staff.refused("wang", "project_apply", **applying) == "NOT_PERMITTED"
    assert staff.refused("an", "project_apply", **applying) == "NOT_YOURS"
    assert staff.refused("shen", "project_validate", **applying) == "NOT_YOURS"
    assert staff.refused("an", "holding_list", account="SEAWIND") == "NOT_YOURS"
    assert staff.refused("an", "project_apply", project="NONE", document=HASH) == "NOT_YOURS"
    assert staff.refused("he", "account_restrict", account="A", why="x") == "NOT_PERMITTED"
    assert staff.refused("sun", "holding_list", account="A") == "NOT_YOURS"
    assert staff.done("sun", "holding_list", account="SEAWIND")["lots"] == []


def test_a_holders_act_waits_for_its_own_approver(issued):
    """CCER-PER-01 (two keys of an account): no other account's, and no operator."""
    proposed = issued.done(
        "li", "transfer_make", **HOLDING, to="A", tonnes=5, document="sale"
    )
    assert proposed["approving_body"] == "account SEAWIND"
    for other in ("ao", "ma"):
        assert issued.refused(other, "approve", proposal=proposed["proposal"]) in {
            *("PROPOSAL_OF_OTHERS", "PROPOSAL_UNKNOWN")
        }
    issued.done("wang", "approve", proposal=proposed["proposal"])
    assert issued.done("an", "holding_list", account="A")["lots"] == [
        {
            "instrument": "WIND-1-2022",
            "compartment": "registration",
            "batch_number": 1,
            "serial_first": 1,
            "serial_last": 5,
        }
    ]


def test_rules_of_the_programme_refuse_by_their_codes(issued):
    """CCER-PRJ-03, CCER-VVB-02, CCER-LOT-03, CCER-CAN-02."""
    codes = {
        "CCERS_NOT_HELD": ("transfer_make", {**HOLDING, "to": "A", "tonnes": 10_001}),
        "SERIALS_NOT_HELD": ("transfer_make", {**HOLDING, "to": "A", "serials": "1:9999-10001"}),
        "SERIALS_UNSOUND": ("transfer_make", {**HOLDING, "to": "A", "serials": "9999-10000"}),
        "BATCH_UNKNOWN": ("transfer_make", {**HOLDING, "to": "A", "serials": "2:1-2"}),
        "INSTRUMENT_UNKNOWN": (
            *("transfer_make", {**HOLDING, "to": "A", "tonnes": 1, "instrument": "WIND-1-2030"}),
        ),
        "ACCOUNT_UNKNOWN": ("transfer_make", {**HOLDING, "to": "NOBODY", "tonnes": 1}),
        "TEXT_UNSOUND": ("transfer_make", {**HOLDING, "to": "A", "tonnes": 1, "document": " "}),
    }
    for code, (op, terms) in codes.items():
        assert issued.refused("li", op, **{"document": "sale", **terms}) == code
    both = {**HOLDING, "to": "A", "document": "sale", "tonnes": 1, "serials": "1:1-1"}
    assert issued.refused("li", "transfer_make", **both) == "SERIALS_UNSOUND"
    use = {**HOLDING, "tonnes": 1, "purpose": "national_ets"}
    assert issued.refused("li", "cancellation_apply", **use) == "PURPOSE_INCOMPLETE"
    report = {"project": "WIND-1", "tonnes": {"2023": 5}, "document": HASH}
    report |= {"produced_from": 20230101, "produced_to": 20231231}
    assert issued.refused("li", "batch_publish", **report, verifier="CQC") == "VVB_SAME"
    odd = {**report, "verifier": "CCSC"}
    for changes, code in (
        ({"tonnes": {"20x3": 5}}, "REDUCTIONS_NOT_ELIGIBLE"),
        ({"tonnes": {}}, "REDUCTIONS_NOT_ELIGIBLE"),
        ({"produced_to": 20231301}, "DATE_UNSOUND"),
        ({"tonnes": {"2023": 2**62}}, "REDUCTIONS_NOT_ELIGIBLE"),
        ({"document": ""}, "TEXT_UNSOUND"),
    ):
        assert issued.refused("li", "batch_publish", **(odd | changes)) == code


def test_a_term_beyond_the_calendar_is_over_for_nobody_until_its_days_are_loaded(staff):
    """CEA-DAY-10, CCER-PRJ-04: nothing is refused because nobody knows the days off yet."""
    staff.project_validated()
    staff.clock.day = 20261228
    applied = staff.of_two("li", "wang", "project_apply", project="WIND-1", document=HASH)
    assert applied["due_on"] == 20270118
    staff.clock.day = 20270215
    (duty,) = staff.done("he", "duty_list")["duties"]
    assert (duty["due_on"], duty["is_overdue"]) == (20270118, False)
    days = YEAR_2027.encode()
    loaded = staff.of_two("gu", "ma", "calendar_load", file="2027.toml", content=days)
    assert loaded == {"last_day": 20271231}
    assert staff.done("he", "calendar_show")["last_day"] == 20271231
    (duty,) = staff.done("he", "duty_list")["duties"]
    assert (duty["due_on"], duty["is_overdue"]) == (20270119, True)


def test_what_is_to_be_decided_is_listed_by_its_day(staff):
    """CCER-PRJ-04, CCER-BAT-05."""
    staff.project_validated()
    applied = staff.of_two("li", "wang", "project_apply", project="WIND-1", document=HASH)
    due = {"what": "registration", "project": "WIND-1", "batch_number": 0}
    due |= {"due_on": applied["due_on"], "is_overdue": False}
    assert staff.done("he", "duty_list")["duties"] == [due]
    staff.clock.working_days_on(16)
    assert staff.done("he", "duty_list")["duties"] == [due | {"is_overdue": True}]
    assert staff.of_two("gu", "ma", "project_register", project="WIND-1") == {"is_late": True}
    assert staff.done("he", "duty_list")["duties"] == []


def test_the_first_persons_of_an_account_come_by_two_operators_the_next_by_its_own(staff):
    """CEA-PER-02."""
    terms = {"role": "approver", "account": "B"}
    first = staff.done("gu", "person_add", name="Bo Yi", key="a" * 40, **terms)
    assert first["approving_body"] == "ccer"
    staff.done("ma", "approve", proposal=first["proposal"])
    terms["role"] = "initiator"
    following = staff.done("gu", "person_add", name="Bai Lu", key="b" * 40, **terms)
    assert following["approving_body"] == "account B"
    wrong = {"name": "C", "key": "c" * 40}
    assert staff.refused("gu", "person_add", **wrong, role="approver") == "ROLE_BODY"
    assert staff.refused("gu", "person_add", **wrong, role="trader") == "CHOICE_UNKNOWN"
    province = {**wrong, "role": "province", "province": 11}
    assert staff.done("gu", "person_add", **province)["approving_body"] == "authority"


def test_the_authority_keeps_a_person(staff):
    """CEA-PER-02."""
    keys = {row["name"]: row["key"] for row in staff.done("he", "person_list")["persons"]}
    staff.of_two("gu", "zhou", "person_remove", key=keys["Wu Jing"])
    assert staff.refused("gu", "person_remove", key=keys["Zhou Hua"]) == "LAST_PERSON"


def test_lists_come_in_pages(issued):
    """Each page says from where the next one goes on."""
    for tonnes in (10, 20, 30):
        issued.cancelled(tonnes)
    issued.batch_applied({"2023": 5})
    issued.project_validated("WIND-2")
    issued.of_two("li", "wang", "project_apply", project="WIND-2", document=HASH)
    for op, name, number in (
        ("cancellation_list", "cancellations", "cancellation_id"),
        ("certificate_list", "certificates", "cancellation_id"),
        ("proof_list", "proofs", "proof_seq"),
        ("account_list", "accounts", "account_index"),
        ("licence_list", "licences", "licence_id"),
        ("holding_list", "lots", None),
        ("lot_find", "lots", None),
        ("lot_pedigree", "moves", None),
        ("duty_list", "duties", None),
    ):
        more = {
            "holding_list": {"account": "SEAWIND"},
            "lot_find": {
                **{"project": "WIND-1", "batch_number": 1},
                **{"serial_first": 1, "serial_last": 10_000},
            },
            "lot_pedigree": {"project": "WIND-1", "batch_number": 1, "serial": 5},
        }.get(op, {})
        whole = issued.done("gu", op, **more)
        assert whole["next"] is None
        rows, following = [], whole[name][0].get(number, 0) if number else 0
        first = {} if op == "lot_find" else {"first": following}
        while following is not None:
            page = issued.done("gu", op, **more, **first, count=1)
            rows += page[name]
            following = page["next"]
            first = {"first": following}
        assert rows == whole[name], op
        assert len(rows) > 1 or op == "holding_list", op


def test_every_request_is_somebodys():
    """CEA-REG-01: what no role was given nobody may ask."""
    assert [op for op, roles in CCER_REQUESTS.roles().items() if not roles] == []
    assert all(each.is_look or each.command for each in CCER_REQUESTS.types)
