"""What persons ask of the platform: who may, about whom, whose second agrees."""

from hashlib import sha256

import msgspec
import pytest

from cea_exchange.platform.control.service import PlatformService
from support.platform.platform_world import LI, PROOF, PROVINCE, WANG, coal_month, given_2024

pytestmark = pytest.mark.postgres_at_night

PERSONS = {
    "Li Na": ("preparer", "enterprise E1"),
    "Wang Wei": ("reviewer", "enterprise E1"),
    "Mo Fan": ("preparer", "enterprise E9"),
    "Chen Jie": ("city", "city 3301"),
    "Sun Yu": ("province", "province 33"),
    "Qian Lan": ("province", "province 33"),
    "Zhou Hua": ("authority", "authority"),
    "Gu Bo": ("operator", "platform"),
    "Ma Li": ("operator", "platform"),
}


class Staff:
    def __init__(self, world):
        self.world = world
        self.keys = {name: chr(65 + place) * 40 for place, name in enumerate(PERSONS)}
        for name, (role, body) in PERSONS.items():
            world.platform.persons.enter(name, self.keys[name], role, body)
        self.service = PlatformService(world.platform, proposal_s=100)

    def ask(self, who, op, **terms):
        payload = msgspec.msgpack.encode({"op": op, **terms})
        return self.service.reply(self.keys[who], payload).answer.by_ok()

    def refused(self, who, op, **terms):
        answer = self.ask(who, op, **terms)
        assert not answer["ok"], answer
        return answer["code"]


@pytest.fixture
def staff(world):
    return Staff(world)


def month_enter(staff, who="Li Na"):
    content = staff.world.month_file(*coal_month()).data
    return staff.ask(who, "month_enter", enterprise="E1", file="july.csv", content=content)


def test_a_month_goes_from_preparer_to_reviewer_city_and_province(staff):
    """CEA-ENT-14, CEA-MRV-08."""
    (entered,) = month_enter(staff)["entered"]
    assert (entered["emission"], entered["entered_by"]) == ("246477.00", "Li Na")
    assert staff.ask("Wang Wei", "month_file", enterprise="E1", period=202507)["ok"]
    passing = {"enterprise": "E1", "kind": "month", "period": 202507}
    waiting = staff.ask("Chen Jie", "filing_waiting", province=33, kind="month", period=202507)
    assert waiting["waiting"] == [{"enterprise": "E1", "unit": "E1-1", "passed": []}]
    assert staff.ask("Chen Jie", "filing_pass", **passing)["states"] == {"filed": 1}
    assert staff.ask("Sun Yu", "filing_pass", **passing)["states"] == {"accepted": 1}
    shown = staff.ask("Sun Yu", "month_show", enterprise="E1", unit="E1-1", month=202507)
    assert shown["state"] == "accepted"
    assert [step["level"] for step in shown["versions"][0]["steps"]] == [
        *("enterprise", "city", "province", "province")
    ]


def test_nobody_does_what_is_anothers_role_or_business(staff):
    """CEA-REG-01."""
    month_enter(staff)
    assert staff.refused("Li Na", "month_file", enterprise="E1", period=202507) == "NOT_PERMITTED"
    look = {"enterprise": "E1", "unit": "E1-1", "month": 202507}
    assert staff.refused("Mo Fan", "month_show", **look) == "NOT_YOURS"
    assert staff.refused("Sun Yu", "list_publish", list_year=2025, province=32) == "NOT_YOURS"


def test_what_a_province_publishes_two_of_its_persons_publish(staff):
    """CEA-REG-02, CEA-ENT-02."""
    staff.world.listed(2025)
    proposed = staff.ask("Sun Yu", "list_publish", list_year=2025, province=33)
    assert staff.refused("Sun Yu", "approve", proposal=proposed["proposal"]) == "SAME_PERSON"
    assert staff.ask("Qian Lan", "approve", proposal=proposed["proposal"])["ok"]
    assert b"E1" in staff.world.platform.listing.published(2025, 33)


def test_an_enterprises_first_person_is_approved_by_who_is_above_it(staff):
    """CEA-PER-02."""
    staff.world.enterprise("E2", number=2)
    terms = {"name": "He Yi", "key": "z" * 40, "role": "preparer", "enterprise": "E2"}
    proposed = staff.ask("Sun Yu", "person_add", **terms)
    assert proposed["approving_body"] == "province 33"
    assert staff.ask("Qian Lan", "approve", proposal=proposed["proposal"])["ok"]
    assert staff.world.platform.persons.of_key("z" * 40).body == "enterprise E2"


def test_a_role_goes_with_its_body_alone(staff):
    terms = {"name": "He Yi", "key": "z" * 40, "role": "verifier", "enterprise": "E1"}
    assert staff.refused("Gu Bo", "person_add", **terms) == "ROLE_BODY"
    terms = {"name": "He Yi", "key": "z" * 40, "role": "province", "province": 10}
    assert staff.refused("Gu Bo", "person_add", **terms) == "PROVINCE_UNKNOWN"


def test_the_authority_keeps_a_person(staff):
    """CEA-PER-02."""
    key = staff.keys["Zhou Hua"]
    assert staff.refused("Gu Bo", "person_remove", key=key) == "LAST_PERSON"


@pytest.mark.parametrize("month", [0, 20, 2017, 202513, 999_999, 2**62])
def test_a_month_that_is_none_is_refused(staff, month):
    assert staff.refused("Wang Wei", "month_file", enterprise="E1", period=month) == "DATE_UNSOUND"


def test_who_may_note_an_inspection_and_who_sees_it(staff):
    """CEA-VER-09."""
    terms = {
        "enterprise": "E1",
        "day": 20260109,
        "officers": "Lu Yi:33010021,He Qi:33010022",
        "looked_at": "scale 1",
        "found": "nothing",
        "document": "record 5",
    }
    assert staff.refused("Li Na", "inspection_note", **terms) == "NOT_PERMITTED"
    assert staff.ask("Chen Jie", "inspection_note", **terms)["inspection"] == 1
    alone = terms | {"officers": "Lu Yi:33010021"}
    assert staff.refused("Chen Jie", "inspection_note", **alone) == "OFFICERS_TOO_FEW"
    (shown,) = staff.ask("Li Na", "inspection_list", enterprise="E1")["inspections"]
    assert shown["officers"] == "Lu Yi (33010021), He Qi (33010022)"
    assert staff.refused("Mo Fan", "inspection_list", enterprise="E1") == "NOT_YOURS"


def test_a_part_of_an_account_is_activated_by_two_of_the_province(staff):
    """CEA-ENT-13."""
    staff.world.listed(2025)
    form = sha256(PROOF).hexdigest()
    terms = {"enterprise": "E1", "part": "registry", "form": form}
    assert staff.refused("Li Na", "account_activate", **terms) == "NOT_PERMITTED"
    proposed = staff.ask("Sun Yu", "account_activate", **terms)
    assert staff.ask("Qian Lan", "approve", proposal=proposed["proposal"])["ok"]
    (line,) = staff.ask("Sun Yu", "account_list", list_year=2025, province=33)["accounts"]
    assert (line["registry"], line["voluntary"]) == (20260110, 0)


def test_what_a_verifier_reports_is_for_the_province_and_not_for_the_firm(staff):
    """CEA-VER-14."""
    assert staff.refused("Li Na", "irregularity_list", province=33) == "NOT_PERMITTED"
    assert staff.refused("Sun Yu", "irregularity_list", province=32) == "NOT_YOURS"
    assert staff.ask("Sun Yu", "irregularity_list", province=33)["irregularities"] == []
    report = {"verification": 1, "kind": "faulty_sampling", "words": "none of June"}
    assert staff.refused("Sun Yu", "irregularity_report", **report) == "NOT_PERMITTED"


def test_what_was_filed_is_changed_in_bulk_by_two_of_the_authority_alone(staff):
    """CEA-MRV-13."""
    terms = {"sector": "power", "year": 2025, "notice": "notice of 2026-06-23"}
    assert staff.refused("Sun Yu", "filing_retrofit", **terms) == "NOT_PERMITTED"
    assert staff.refused("Zhou Hua", "filing_retrofit", **terms) == "NO_SECOND_PERSON"


def test_a_province_sees_its_cases_with_the_steps_that_may_be_taken(staff):
    opening = {"province": 33, "offence": "no_report", "committed_on": 20250131}
    opening |= {"document": "case 1", "enterprise": "E1", "year": 2024}
    staff.world.day = 20250210
    opened = staff.ask("Sun Yu", "case_open", **opening)
    assert (opened["decide_by"], opened["is_provisional"]) == (20250512, False)
    (case,) = staff.ask("Qian Lan", "case_list", province=33)["cases"]
    assert (case["case_id"], case["enterprise"], case["firm"]) == (opened["case"], "E1", "")
    assert "notice" in staff.ask("Sun Yu", "case_show", case=1)["may"]
    assert "decide" not in staff.ask("Sun Yu", "case_show", case=1)["may"]
    assert staff.ask("Zhou Hua", "case_list", province=11)["cases"] == []
    assert staff.refused("Sun Yu", "case_list", province=11) == "NOT_YOURS"
    assert staff.refused("Li Na", "case_list", province=33) == "NOT_PERMITTED"


def test_a_province_sees_its_verifications_and_allocations_as_they_go(staff):
    given_2024(staff.world)
    (task,) = staff.ask("Sun Yu", "verification_list", province=33, year=2024)["verifications"]
    assert (task["enterprise"], task["firm"], task["state"]) == ("E1", "V1", "confirmed")
    assert (task["tonnes"], task["findings_open"]) == (2_957_724, 0)
    (given,) = staff.ask("Sun Yu", "allocation_list", province=33)["allocations"]
    assert (given["state"], given["tonnes"]) == ("distributed", 2_847_600)
    assert "computed_key" not in given
    none = staff.ask("Sun Yu", "allocation_list", province=33, year=2023)
    assert none["allocations"] == []
    assert staff.refused("Sun Yu", "allocation_list", province=11) == "NOT_YOURS"


def test_everybody_is_told_for_whom_their_key_stands(staff):
    for name, (role, body) in PERSONS.items():
        answer = staff.ask(name, "seat")
        assert answer["you"] == {"name": name, "role": role, "body": body}
        assert answer["time"].endswith("+08:00")


def test_where_filings_stand_is_told_with_the_hash_that_is_signed(staff):
    (entered,) = month_enter(staff)["entered"]
    (row,) = staff.ask("Li Na", "filing_list", enterprise="E1")["filings"]
    assert row["sha256"] == entered["sha256"]


def test_a_case_goes_by_two_of_its_province_from_decision_to_instalments_and_ruling(staff):
    """CEA-LAW-12, CEA-LAW-24, CEA-LAW-25."""
    world = staff.world
    world.day = 20250602

    def two(op, **terms):
        proposed = staff.ask("Sun Yu", op, case=1, document=f"{op} 1", **terms)
        if not proposed["ok"]:
            return proposed
        return staff.ask("Qian Lan", "approve", proposal=proposed["proposal"])["answer"]

    def step(name, **terms):
        answer = staff.ask("Sun Yu", "case_step", case=1, step=name, document="d", **terms)
        assert answer["ok"], answer

    opening = {"province": 33, "offence": "fraud", "committed_on": 20250401}
    staff.ask("Sun Yu", "case_open", enterprise="E1", document="case 1", **opening)
    step("notice")
    world.day = 20250610
    step("legal_review")
    step("joint_decision")
    terms = {"fine": 100_000_000, "words": "the facts"}
    assert two("case_decide", persons="Lu Yi:50000", **terms)["code"] == "AMOUNT_UNSOUND"
    assert two("case_decide", persons="Lu Yi:50000.00:year", **terms)["code"] == "CHOICE_UNKNOWN"
    assert two("case_decide", persons="Lu Yi:50000.00", **terms)["fine"] == 100_000_000
    step("serve")
    assert two("case_instalments", parts="2025-07-31 1.00")["code"] == "AMOUNT_UNSOUND"
    parts = "2025-07-31:400000.00,2025-08-31:600000.00"
    assert two("case_instalments", parts=parts)["parts"] == 2
    assert two("case_pay", paid=5_000_000, payer="Lu Yi")["owed"] == 0
    step("ask_review")
    assert two("case_ruling", outcome="changed", fine=60_000_000)["fine"] == 60_000_000
    assert staff.ask("Sun Yu", "case_show", case=1)["owed_fen"] == 60_000_000
    assert staff.ask("Zhou Hua", "ban_list")["bans"] == []


def test_no_official_alone_stops_production_or_drops_a_case(staff):
    """CEA-REG-02, CEA-LAW-01: each waits for a second one of the province."""
    staff.world.day = 20250602
    opening = {"province": 33, "offence": "no_report", "committed_on": 20250401}
    staff.ask("Sun Yu", "case_open", enterprise="E1", document="case 1", **opening)
    case = {"case": 1, "document": "d"}
    for step, terms in {"order": {"due_on": 20250610}, "notice_stop": {}}.items():
        assert staff.ask("Sun Yu", "case_step", step=step, **case, **terms)["ok"]
    staff.world.day = 20250620
    for step in ("refuse", "legal_review", "joint_decision"):
        assert staff.ask("Sun Yu", "case_step", step=step, **case)["ok"]
    for step, words in {"stop_production": "", "drop": "it is not proved"}.items():
        assert staff.refused("Sun Yu", "case_step", step=step, **case) == "CHOICE_UNKNOWN"
        proposed = staff.ask("Sun Yu", f"case_{step}", **case, words=words)["proposal"]
        assert staff.refused("Sun Yu", "approve", proposal=proposed) == "SAME_PERSON"
        taken = [each["step"] for each in staff.ask("Sun Yu", "case_show", case=1)["steps"]]
        assert step not in taken
        assert staff.ask("Qian Lan", "approve", proposal=proposed)["ok"]
    shown = staff.ask("Sun Yu", "case_show", case=1)
    assert (shown["state"], shown["steps"][-2]["step"]) == ("dropped", "stop_production")
    assert staff.refused("Sun Yu", "case_drop", **case, words="") == "TEXT_UNSOUND"


def test_the_next_years_days_are_loaded_by_two_operators_from_a_file(staff):
    """CEA-DAY-10: no known day changes, and a term that was provisional is certain then."""
    staff.world.day = 20261228
    opening = {"province": 33, "offence": "no_report", "committed_on": 20261120}
    opened = staff.ask("Sun Yu", "case_open", enterprise="E1", document="case 1", **opening)
    assert (opened["decide_by"], opened["is_provisional"]) == (20270329, True)
    content = b'name = "2027"\nfirst = 2027-01-01\nlast = 2027-12-31\n'
    content += b'closed_weekdays = ["saturday", "sunday"]\n[closures]\n'
    content += b'2027-03-29 = "a day of this test"\n'

    def loaded(content):
        proposed = staff.ask("Gu Bo", "calendar_load", file="2027.toml", content=content)
        if not proposed["ok"]:
            return proposed
        return staff.ask("Ma Li", "approve", proposal=proposed["proposal"])["answer"]

    assert staff.refused("Sun Yu", "calendar_load", file="f", content=b"") == "NOT_PERMITTED"
    assert loaded(b"no calendar")["code"] == "CALENDAR_UNSOUND"
    assert loaded(content.replace(b"first = 2027-01-01", b"first = 2026-12-31"))["code"]
    assert loaded(content)["last_day"] == 20271231
    assert staff.ask("Li Na", "calendar_show")["last_day"] == 20271231
    shown = staff.ask("Sun Yu", "case_show", case=1)
    assert (shown["decide_by"], shown["is_provisional"]) == (20270330, False)
    again = loaded(content)
    assert again["code"] == "CALENDAR_UNSOUND"
    assert "expected 2028-01-01" in again["error"]


def test_a_split_takes_two_persons_of_the_province_and_all_of_its_parts(staff):
    """CEA-ENT-12, CEA-REG-02."""
    world = staff.world
    world.unit("E1-2")
    for number in (2, 3):
        world.enterprise(f"E{number}", number=number)
    terms = {"enterprise": "E1", "decided_on": 20260105, "document": "decision-9"}
    parts = "E2:6000:E1-1,E3:4000:E1-2"
    for wrong in ("E2:6000,E3:4000:E1-2", "E2::E1-1", "E2:60 %:E1-1", "E2:999999:E1-1"):
        code = staff.refused("Sun Yu", "enterprise_split", parts=wrong, **terms)
        assert code == "AMOUNT_UNSOUND"
    proposed = staff.ask("Sun Yu", "enterprise_split", parts=parts, **terms)
    assert world.platform.enterprises.of("E1").ended_on == 0
    assert staff.refused("Sun Yu", "approve", proposal=proposed["proposal"]) == "SAME_PERSON"
    assert staff.ask("Qian Lan", "approve", proposal=proposed["proposal"])["ok"]
    assert world.platform.enterprises.of("E1").ended_on == 20260105
    assert set(world.platform.units.of(3, 20260105)) == {"E1-2"}


def test_a_province_lets_no_other_provinces_enterprise_succeed(staff):
    """CEA-ENT-12: the platform's operator may."""
    staff.world.enterprise("E2", number=2, province=32)
    terms = {"enterprise": "E1", "successor": "E2", "decided_on": 20260105, "document": "d-9"}
    assert staff.refused("Sun Yu", "enterprise_merge", **terms) == "PROVINCE_OTHER"
    proposed = staff.ask("Gu Bo", "enterprise_merge", **terms)
    assert staff.ask("Ma Li", "approve", proposal=proposed["proposal"])["ok"]
    assert staff.world.platform.enterprises.of("E1").ended_on == 20260105


def test_a_proposer_sees_its_own_proposals_that_another_body_decides(staff):
    """CEA-REG-02: colleagues of the proposer's body do not see them; the deciding body does."""
    approvals = staff.world.platform.approvals
    proposal = approvals.propose(LI, "case_open", b"{}", PROVINCE.body, 10**9)

    def listed(person):
        found = approvals.listed(person, waiting_only=True, first=1, count=10)
        return [each.proposal_id for each in found]

    assert listed(LI) == listed(PROVINCE) == [proposal.proposal_id]
    assert listed(WANG) == []
