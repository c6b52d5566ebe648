"""The compliance cycle as persons ask for it: each act by whose it is, by two where it must be."""

import pytest

from support.registry.compliance_world import (
    BEIJING,
    SHANGHAI,
    World,
    obligation_file,
    proof,
    proof_file,
)
from support.registry.service_callers import Staff, acts_differences, by_two


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as world:
        world.products("CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA24=1_000)
        world.entity("P2", SHANGHAI, CEA24=1_000)
        yield world


@pytest.fixture
def staff(world):
    staff = Staff(world.registry)
    staff.person("li", "initiator", account="P1")
    staff.person("mo", "approver", account="P1")
    staff.person("pa", "initiator", account="P2")
    staff.person("qi", "approver", account="P2")
    staff.person("bei", "province", province=BEIJING)
    staff.person("jing", "province", province=BEIJING)
    staff.person("hai", "province", province=SHANGHAI)
    staff.person("mee", "authority")
    staff.person("mee-2", "authority")
    staff._service.settings_keep()
    yield staff
    # An auditor finds that those approved it whose right it was.
    assert acts_differences(staff) == []


def handed_in(world, *entries):
    source = obligation_file(world.registry, 2024, *entries)
    return {"file": source.name, "content": source.data}


def test_an_obligation_is_met_by_all_who_have_to_do_with_it(world, staff):
    """Of its proof the authority decides, not two operators (CEA-OFS-07, RB3 32.8)."""
    file = handed_in(world, ("P1", 1_000))
    taken = by_two(staff.bei, staff.jing, "obligation_take", province=BEIJING, **file)
    assert {"file_id": 1} == taken["answer"]
    assert (
        50
        == staff.li("obligation_notice", account="P1", compliance_year=2024)["notice"]["offset_max"]
    )
    proofs = proof_file(proof("N1", "P1", 40))
    by_two(staff.an, staff.bo, "offset_take", file=proofs.name, content=proofs.data)
    fields = {"account": "P1", "compliance_year": 2024, "tonnes": {"CEA24": 960}}
    by_two(staff.li, staff.mo, "surrender_apply", **fields)
    (waiting,) = staff.bei("surrender_list", state="applied", province=BEIJING)["surrenders"]
    number = waiting["surrender_id"]
    accepted = {"surrender_id": number, "province": BEIJING}
    by_two(staff.bei, staff.jing, "surrender_accept", **accepted)
    retired = by_two(staff.mee, staff.caller("mee-2"), "surrender_retire", surrender_id=number)
    assert {"certificate": "2024-000001"} == retired["answer"]
    shown = staff.li("surrender_certificate", account="P1", compliance_year=2024)
    assert (40, {"CEA24": 960}) == (
        shown["certificate"]["offset"],
        shown["certificate"]["surrendered"],
    )
    assert "Certificate of compliance 2024-000001" in shown["text"]
    (row,) = staff.pa("compliance_list", compliance_year=2024)["entities"]
    assert ("P1", "in time") == (row["account"], row["state"])
    revoked = staff.an("offset_revoke", proof="N1", why="no such cancellation")
    assert revoked["approving_body"] == "authority"
    assert "person of authority" in staff.bo.error("approve", proposal=revoked["proposal"])
    staff.mee("approve", proposal=revoked["proposal"])
    world.clock.day = 20260105
    (short,) = staff.rex("shortfall_list", compliance_year=2024)["shortfalls"]
    assert ("P1", 40, None) == (short["account"], short["shortfall"], short["fine"])
    fields = {"account": "P1", "compliance_year": 2024, "province": BEIJING}
    order = fields | {"document": "HB 1", "until": 20260205}
    assert 1 == by_two(staff.bei, staff.jing, "correction_order", **order)["answer"]["order_id"]
    assert "expected the business of province 31" in staff.hai.error("correction_order", **order)
    assert "expected one of" in staff.li.error("correction_order", **order)
    world.clock.day = 20260206
    by_two(staff.bei, staff.jing, "correction_refused", **fields, document="HB 2")
    (row,) = staff.rex("correction_list", compliance_year=2024)["orders"]
    assert ("P1", "HB 1", 40, "HB 2", 20260206) == (
        *(row["account"], row["document"], row["tonnes"]),
        *(row["refusal"], row["refused_on"]),
    )
    done = by_two(staff.bei, staff.jing, "unpaid_deduct", **fields)
    assert 40 == done["answer"]["decision"]["tonnes"]


def test_nobody_does_what_is_another_s(world, staff):
    """CEA-REG-01, CEA-SUR-09."""
    file = handed_in(world, ("P1", 1_000))
    assert "expected the business of province 11" in staff.bei.error(
        "obligation_take", province=SHANGHAI, **file
    )
    assert "expected the business of province 11" in staff.bei.error("obligation_take", **file)
    assert "expected one of" in staff.li.error("obligation_take", **file)
    by_two(staff.mee, staff.caller("mee-2"), "obligation_take", **file)
    fields = {"account": "P1", "compliance_year": 2024, "tonnes": {"CEA24": 5}}
    assert "expected the business of account P2" in staff.pa.error("surrender_apply", **fields)
    # For another, from what is one's own.
    assert "expected the business of account P1" in staff.li.error(
        "surrender_apply", **fields, giver="P2", why="blocked"
    )
    assert staff.pa("surrender_apply", **fields, giver="P2", why="blocked")["ok"]
    by_two(staff.li, staff.mo, "surrender_apply", **fields)
    accept = {"surrender_id": 1, "province": BEIJING}
    assert "expected the business of province 31" in staff.hai.error("surrender_accept", **accept)
    assert "PROVINCE_OTHER: surrender: expected one for an entity of" in staff.hai.error(
        "surrender_accept", **(accept | {"province": SHANGHAI})
    )
    assert "expected one of province" in staff.an.error("surrender_accept", **accept)
    by_two(staff.bei, staff.jing, "surrender_accept", **accept)
    retire = staff.bei.error("surrender_retire", surrender_id=1)
    assert "expected one of authority" in retire
    assert "expected the business of province 11" in staff.bei.error(
        "surrender_list", state="applied"
    )


def test_the_carryover_is_noticed_applied_for_and_run(world, staff):
    world.clock.day = 20260120
    by_two(staff.an, staff.bo, "carryover_give_notice")
    notice = staff.li("carryover_notice", account="P1")["notice"]
    assert 1_000 == notice["limit_tonnes"]
    by_two(staff.li, staff.mo, "carryover_apply", account="P1", tonnes={"CEA24": 400})
    assert "expected the business of account P2" in staff.pa.error(
        "carryover_withdraw", carryover_id=1, account="P1"
    )
    by_two(staff.li, staff.mo, "carryover_withdraw", carryover_id=1, account="P1")
    by_two(staff.li, staff.mo, "carryover_apply", account="P1", tonnes={"CEA24": 300})
    world.clock.day = 20260321
    by_two(staff.mee, getattr(staff, "mee-2"), "carryover_run", number=1)
    assert (300, 700) == (world.held("P1", "CEA25"), world.held("P1", "CEA24"))


def test_a_forced_surrender_takes_two_of_the_province(world, staff):
    """CEA-SUR-07."""
    file = handed_in(world, ("P2", 100))
    by_two(staff.mee, staff.caller("mee-2"), "obligation_take", **file)
    world.keep("P2", SHANGHAI, "CEA24", 130)
    staff.person("shang", "province", province=SHANGHAI)
    fields = {"account": "P2", "compliance_year": 2024, "province": SHANGHAI}
    by_two(staff.hai, staff.shang, "surrender_force", **fields)
    assert 0 == world.registry.obligations.standing("P2", 2024).due
    assert 1_030 == world.held("P2", "CEA24")


def test_what_a_merged_entity_owes_is_forced_by_its_own_province(world, staff):
    """CEA-ACC-08, CEA-SUR-07: an operator proposes, the province of the obligation approves."""
    file = handed_in(world, ("P2", 100))
    by_two(staff.mee, staff.caller("mee-2"), "obligation_take", **file)
    world.registry.accounts.merge("P2", "P1", "merged in law")
    world.keep("P1", BEIJING, "CEA24", 130)
    fields = {"account": "P2", "compliance_year": 2024, "province": SHANGHAI}
    error = staff.an.error("surrender_force", **fields)
    assert "expected all with province 31" in error
    body = world.registry.accounts.province_body("P2")
    assert body == "province 31"


def test_a_surrender_of_others_is_as_one_that_is_not_there(world, staff):
    """Who asks about what is another's learns neither its state nor whose it is."""
    file = handed_in(world, ("P1", 1_000))
    by_two(staff.mee, staff.caller("mee-2"), "obligation_take", **file)
    fields = {"account": "P1", "compliance_year": 2024, "tonnes": {"CEA24": 5}}
    by_two(staff.li, staff.mo, "surrender_apply", **fields)

    def refused(person, op, **which):
        """Return what is said of surrender 1, which is another's, and of none at all."""
        answers = [person.error(op, surrender_id=number, **which) for number in (1, 99)]
        assert answers[0].replace("got 1", "got 99") == answers[1]
        return answers[0]

    said = refused(staff.pa, "surrender_withdraw", giver="P2")
    assert said == "SURRENDER_UNKNOWN: surrender: expected one that P2 gives, got 1"
    for op, more in (("surrender_accept", {}), ("surrender_reject", {"why": "no"})):
        said = refused(staff.hai, op, province=SHANGHAI, **more)
        assert said == (
            "PROVINCE_OTHER: surrender: expected one for an entity of province 31, got 1"
        )
    # Nor what is under way of another's obligation, to which one may give.
    giving = fields | {"tonnes": {"CEA24": 996}, "giver": "P2", "why": "blocked"}
    error = staff.pa.error("surrender_apply", **giving)
    assert error == "NOT_DUE: surrender: expected at most what is due and not under way, got 996"


def test_a_refusal_tells_no_representative_of_another_account(world, staff):
    """Of an account there is, and one there is not, the same is said; of a proposal too."""
    for op, more in (
        ("account_show", {}),
        ("balance", {}),
        ("freezes", {}),
        ("transfers", {}),
        ("entries", {}),
        ("statement", {"business_date": 20250101}),
        ("carryover_notice", {}),
        ("obligation_notice", {"compliance_year": 2024}),
        ("surrender_certificate", {"compliance_year": 2024}),
        ("allocation_remaining", {}),
        ("account_merge", {"into": "P1", "why": "merged in law"}),
        ("person_add", {"name": "x", "key": 40 * "x", "role": "approver"}),
    ):
        errors = {staff.li.error(op, account=account, **more) for account in ("P2", "P99")}
        assert errors == {f"NOT_YOURS: {op}: expected the business of account P1, got another's"}
    world.registry.accounts.bank_set("P2", "Bank A", "62-2", "contract")
    bank = {"account": "P1", "bank": "Bank A", "bank_account": "62-2", "why": "ours"}
    rename = {"account": "P1", "entity": "P2", "why": "decision 3"}
    for op, fields in (("account_bank", bank), ("account_rename", rename)):
        assert "_TAKEN: " in staff.li.error(op, **fields)
    for key in ("pa", "eve"):
        error = staff.li.error("person_remove", key=staff.caller(key).key)
        expected = "expected the business of account P1, got another's"
        assert error == f"NOT_YOURS: person_remove: {expected}"


def test_an_account_sees_what_became_of_its_applications_and_how_it_stands(world, staff):
    by_two(staff.mee, staff.caller("mee-2"), "obligation_take", **handed_in(world, ("P1", 1_000)))
    fields = {"account": "P1", "compliance_year": 2024}
    for tonnes in (100, 200, 300):
        by_two(staff.li, staff.mo, "surrender_apply", **fields, tonnes={"CEA24": tonnes})
    decided = {"province": BEIJING}
    by_two(staff.bei, staff.jing, "surrender_reject", surrender_id=1, why="disputed", **decided)
    by_two(staff.bei, staff.jing, "surrender_accept", surrender_id=2, **decided)
    rows = staff.li("surrender_history", **fields)["surrenders"]
    assert [(row["surrender_id"], row["state"], row["rejection"]) for row in rows] == [
        (1, "rejected", "disputed"),
        (2, "accepted", ""),
        (3, "applied", ""),
    ]
    assert rows[2]["tonnes"] == {"CEA24": 300}
    page = staff.li("surrender_history", **fields, count=2)
    assert (len(page["surrenders"]), page["next"]) == (2, 3)
    assert staff.li("obligation_notice", **fields)["standing"] == {
        "surrendered": 200,
        "offset": 0,
        "applied": 300,
        "unretired": 200,
        "deducted": 0,
        "payable": 500,
        "succeeded": 0,
        "completed_on": None,
    }
    assert "expected the business of account P2" in staff.pa.error("surrender_history", **fields)


def test_everybody_is_told_for_whom_their_key_stands(staff):
    assert staff.li("seat")["you"] == {"name": "li", "role": "initiator", "body": "account P1"}
    assert staff.bei("seat")["you"]["body"] == "province 11"
