"""From the platform's acts to the registry's books, whatever is lost, repeated or wrong between."""

import re

import msgspec
import pytest

from cea_exchange.domain.compliance.plans import GeneratingUnit
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.protocol.links.platform import (
    AllowancesCut,
    AllowancesGiven,
    AllowancesRecalled,
    DutyLine,
    EntityListed,
    GivenLine,
    LinkAnswer,
    LinkItem,
    LinkQuestion,
    Mismatch,
    ObligationsSet,
    RecalledLine,
    item_decode,
)
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch_of
from cea_exchange.registry.platform_link.recomputation import computed
from cea_exchange.registry.reconciliation.platform_link import platform_differences
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from support.platform.linked import Linked
from support.platform.platform_world import (
    NATION,
    PROVINCE,
    SECOND,
    ZHEJIANG,
    credit_code,
    given_2024,
    verified_2024,
)
from support.refusing import refuses
from support.registry.audit_queries import audit_findings
from support.registry.ledger_by_hand import changed

pytestmark = pytest.mark.postgres_at_night

GIVEN, OWED = 2_936_246, 2_957_724
"""Of 2024: 3,600,000 MWh of a unit of 600 MW, and 12 times 246,477.00 t."""


@pytest.fixture
def linked(tmp_path, two_addresses):
    with Linked(tmp_path, two_addresses) as found:
        yield found


def given(linked, stage="final", **how):
    row = given_2024(linked.world, stage, **how)
    linked.talk()
    return row


def listed_and_given(linked, stage="final"):
    verified_2024(linked.world)
    linked.opened()
    return given(linked, stage, is_verified=True)


def refuse_all_by_hand(linked):
    registry = linked.registry
    yield lambda: registry.distribution.issue("CEA24", 5)
    yield lambda: registry.distribution.distribute(1)
    yield lambda: registry.obligations.take(None)


def reconciled(linked):
    store = linked.registry.store
    return [*platform_differences(store), *audit_findings(store).items()]


def test_what_a_province_gives_is_computed_again_and_posted_once(linked):
    """CEA-PLK-01, CEA-PLK-02."""
    row = listed_and_given(linked)
    assert linked.held() == row.tonnes
    linked.talk()
    assert linked.held() == row.tonnes
    assert linked.platform.outbox.judged_seq == linked.platform.outbox.last_seq
    assert linked.refused() == []
    assert reconciled(linked) == []


def test_who_looks_again_sees_what_came_since(linked, tmp_path, two_addresses):
    store = RegistryStore.open_reader(tmp_path, two_addresses[1])
    with Registry(store, linked.world.now_ns) as reader:
        with store.view():
            assert reader.platform_stream.standing().last_seq == 0
        listed_and_given(linked)
        with store.view():
            assert reader.platform_stream.standing().last_seq == linked.stream.last_seq() > 0


def test_the_registry_computes_a_smaller_share_and_marks_again_and_says_so(linked):
    """CEA-PLK-02, CEA-PLN-30, CEA-ALC-08: its recomputation report has the marks."""
    verified_2024(linked.world)
    linked.opened(product="CEA25")
    linked.registry.product_declare("CEA24", 9_000)
    allocations = linked.platform.allocations
    row = allocations.compute(PROVINCE, ZHEJIANG, 2025, "pre", 4_000)
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2025, "pre", 10**10)
    allocations.distribute(row.allocation_id)
    linked.talk()
    assert linked.refused() == []
    assert linked.held(product="CEA25") == row.tonnes == OWED * 4 // 10
    (report,) = linked.platform.outbox.recomputed(row.allocation_id)
    assert (report["is_posted"], report["mark"], report["mismatches"]) == (True, "draft", [])
    assert linked.registry.store.one("SELECT mark FROM platform_given") == "draft"
    assert reconciled(linked) == []


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ({"mark": ""}, "COMPUTED_OTHERWISE", "mark: expected 'draft' by its plan, got ''"),
        ({"share_bp": 3_000}, "COMPUTED_OTHERWISE", "tonnes: expected 887317 by its units, got"),
        ({"share_bp": 6_000}, "AMOUNT_UNSOUND", "share of 2025: expected within 0..5000 bp, got 6"),
        ({"cap_factor": "1/2"}, "PLAN_REFUSES", "cap_factor: expected none, got 1/2"),
        ({"cap_factor": "1/0"}, "PLAN_REFUSES", "Fraction(1, 0)"),
    ],
)
def test_a_line_without_its_marks_or_by_other_terms_is_refused(linked, wrong, code, said):
    """CEA-PLK-02, CEA-PLN-30, CEA-PLN-32."""
    verified_2024(linked.world)
    platform = linked.platform
    row = platform.allocations.compute(PROVINCE, ZHEJIANG, 2025, "pre")
    (line,) = platform.allocations.lines(row.allocation_id)
    (unit,) = msgspec.json.decode(line.units, type=list[GeneratingUnit])
    terms = {name: value for name, value in wrong.items() if name != "mark"}
    mark = wrong.get("mark", "draft")
    line = GivenLine("E1", line.emissions, line.tonnes, generating=(unit,), mark=mark)
    given = AllowancesGiven(1, ZHEJIANG, 2025, "pre", {}, (line,), **terms)
    with pytest.raises(Mismatched, match=re.escape(said)) as refused:
        computed(given)
    assert [each.code for each in refused.value.mismatches] == [code]


def test_obligations_are_those_of_the_verified_units(linked):
    """CEA-PLK-02, CEA-SUR-01."""
    listed_and_given(linked)
    linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)
    linked.talk()
    standing = linked.registry.obligations.standing("P001", 2024)
    assert (standing.verified, standing.tonnes) == (OWED, OWED)


def test_a_final_allocation_gives_the_difference_to_what_was_given_ahead(linked):
    """CEA-DIS-03."""
    verified_2024(linked.world)
    linked.opened(product="CEA25")
    linked.registry.product_declare("CEA24", 9_000)
    linked.world.listed(2025)
    ahead = linked.platform.allocations.compute(PROVINCE, ZHEJIANG, 2025, "pre")
    linked.platform.allocations.approve(SECOND, ahead.allocation_id)
    linked.platform.allocations.total_set(NATION, 2025, "pre", 10**10)
    linked.platform.allocations.distribute(ahead.allocation_id)
    linked.talk()
    assert linked.refused() == []
    assert linked.held(product="CEA25") == ahead.tonnes > 0
    linked.platform.recalls.recall(PROVINCE, ahead.allocation_id, "too early")
    linked.talk()
    assert linked.held(product="CEA25") == 0
    assert reconciled(linked) == []


def test_a_mismatch_goes_back_with_its_line_and_nothing_is_posted(linked):
    """CEA-PLK-02."""
    verified_2024(linked.world)
    linked.talk()
    given(linked, is_verified=True)
    ((enterprise, code, words),) = linked.refused()
    assert (enterprise, code) == ("E1", "ACCOUNT_UNKNOWN")
    assert words.startswith(f"account: expected an open one of {credit_code(1)} in 33, got none")
    assert linked.registry.store.one("SELECT count(*) FROM entries") == 0
    assert linked.stream.standing().refused == 1


def test_what_was_refused_is_told_again_once_mended(linked):
    """CEA-PLK-03."""
    verified_2024(linked.world)
    linked.talk()
    row = given(linked, is_verified=True)
    linked.opened()
    (refused,) = linked.platform.outbox.refused()
    again = linked.platform.resending.send_again(refused["link_seq"])
    linked.talk()
    assert linked.held() == row.tonnes
    assert linked.platform.outbox.again_of(refused["link_seq"]) == again
    with refuses("ITEM_NOT_REFUSED"):
        linked.platform.resending.send_again(refused["link_seq"])
    with refuses("ITEM_NOT_REFUSED"):
        linked.platform.resending.send_again(again)


def test_a_recall_takes_back_what_was_given_and_another_may_follow(linked):
    """CEA-PLK-04."""
    row = listed_and_given(linked)
    linked.platform.recalls.recall(PROVINCE, row.allocation_id, "wrong figures")
    linked.talk()
    assert (linked.held(), linked.refused()) == (0, [])
    again = given(linked, is_verified=True)
    assert linked.held() == again.tonnes
    assert reconciled(linked) == []


def test_a_recall_waits_for_the_registrys_word(linked):
    """CEA-PLK-04."""
    verified_2024(linked.world)
    linked.opened()
    row = given_2024(linked.world, is_verified=True)
    with refuses("REGISTRY_AWAITED"):
        linked.platform.recalls.recall(PROVINCE, row.allocation_id, "wrong figures")


def test_what_the_registry_refused_is_recalled_without_it(linked):
    """CEA-PLK-04."""
    verified_2024(linked.world)
    linked.talk()
    row = given(linked, is_verified=True)
    linked.platform.recalls.recall(PROVINCE, row.allocation_id, "no account")
    linked.talk()
    assert linked.stream.standing().refused == 1
    assert linked.platform.allocations.last_distributed(ZHEJIANG, 2024) == 0


def test_accounts_open_for_listed_entities_only(linked):
    """CEA-ADM-01, CEA-PLK-06."""
    account = {"credit_code": credit_code(1), "province": ZHEJIANG, "sector": "power"}
    with refuses("ADMISSION_NOT_MET"):
        linked.registry.account_open("P001", **account)
    linked.world.listed(2024)
    linked.talk()
    with refuses("ADMISSION_NOT_MET"):
        linked.registry.account_open("P001", **{**account, "sector": "steel"})
    linked.registry.account_open("P001", **account)
    linked.platform.listing.leave(
        2024, "E1", cause="other_sector", decided_on=20251220, document="list 2"
    )
    linked.talk()
    with refuses("ADMISSION_NOT_MET"):
        linked.registry.account_open("P002", **{**account, "credit_code": credit_code(2)})


def test_by_hand_nothing_is_given_or_owed(linked):
    """CEA-PLK-06."""
    for act in refuse_all_by_hand(linked):
        with refuses("BY_PLATFORM"):
            act()
    linked.registry.platform_follow(acts_by_hand=True)
    linked.registry.product_declare("CEA24", 9_000)
    assert linked.registry.distribution.issue("CEA24", 5) == 1


def test_what_was_surrendered_comes_back_to_the_platform(linked):
    """CEA-PLK-07."""
    listed_and_given(linked)
    linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)
    linked.talk()
    number = linked.registry.surrender.apply("P001", 2024, {"CEA24": 1_000})
    linked.registry.surrender.accept(number, ZHEJIANG)
    linked.talk()
    rows = linked.platform.store.execute(
        "SELECT completion_seq, owed, surrendered, applied, completed_on, covered FROM completions"
    ).fetchall()
    assert [tuple(row) for row in rows] == [
        (1, OWED, 0, 1_000, 0, "[]"),
        (2, OWED, 1_000, 0, 0, "[[20260110,1000]]"),
    ]


def tampered(answer, change):
    """Return an answer whose last item is another one."""
    item = item_decode(answer.items[-1])
    forged = change(item)
    return msgspec.structs.replace(
        answer, items=(*answer.items[:-1], msgspec.msgpack.encode(forged))
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda item: LinkItem(item.link_seq + 1, item.at_ns, item.before, item.content),
        lambda item: LinkItem(item.link_seq, item.at_ns, "1" * 64, item.content),
    ],
    ids=["a number left out", "another item before"],
)
def test_a_broken_chain_stops_the_link_and_posts_nothing(linked, change):
    """CEA-PLK-01."""
    linked.world.listed(2024, 2025)
    answer = linked.platform.outbox.answer(msgspec.msgpack.encode(linked.stream.question(None)))
    question = msgspec.structs.replace(linked.stream.question(answer), count=10)
    answer = linked.platform.outbox.answer(msgspec.msgpack.encode(question))
    with pytest.raises(LinkStopped):
        linked.stream.take(tampered(answer, change))
    assert linked.stream.last_seq() == 1


def test_another_platform_and_one_that_forgot_are_not_heard(linked):
    """CEA-PLK-01."""
    linked.world.listed(2024)
    linked.talk()
    for answer in (LinkAnswer("other", 1, 1), LinkAnswer(linked.stream.log_id(), 0, 0)):
        with pytest.raises(LinkStopped):
            linked.stream.take(answer)


def test_an_obligation_of_an_impossible_year_is_refused_and_the_next_item_posted(linked):
    """CEA-PLK-02: what no rule is for goes back with the words of the rules."""
    linked.world.listed(2024)
    line = DutyLine("E1", 1_000, 1_000)
    for year in (2018, 9_999):
        linked.platform.outbox.tell(ObligationsSet(ZHEJIANG, year, 20251231, (line,)))
    linked.world.listed(2025)
    linked.talk()
    assert linked.refused() == [
        ("", "YEAR_OUT_OF_RANGE", "year: expected 2019 or later, got 2018"),
        ("", "YEAR_OUT_OF_RANGE", "year: expected before 9999, got 9999"),
    ]
    assert linked.stream.last_seq() == 4


def test_a_number_that_no_database_holds_stops_the_link(linked):
    """CEA-PLK-01."""
    linked.world.listed(2024)
    linked.talk()
    seq, head = linked.stream._last()
    owed = ObligationsSet(ZHEJIANG, 2024, 20251231, (DutyLine("E1", 2**63, 1),))
    for content in (owed, cut(tonnes=2**63), cut(compliance_year=-1), cut(decided_on=2**40)):
        item = msgspec.msgpack.encode(LinkItem(seq + 1, 1, head, content))
        with pytest.raises(LinkStopped, match="Expected `int`"):
            linked.stream.take(LinkAnswer(linked.stream.log_id(), seq + 1, seq, items=(item,)))


def cut(**how):
    figures = {"case_id": 1, "province": ZHEJIANG, "compliance_year": 2024, "tonnes": 1}
    days = dict.fromkeys(("decided_on", "ordered_on", "until", "refused_on"), 20260101)
    words = dict.fromkeys(("document", "order", "refusal"), "D1")
    named = {"enterprise": "E1", "cause": "unpaid"}
    return AllowancesCut(**{**figures, **days, **words, **named, **how})


def test_what_no_column_holds_is_refused_and_the_next_item_posted(linked):
    """CEA-PLK-02: a text that PostgreSQL does not take, figures that no day or law is for."""
    linked.world.listed(2024)
    (listed,) = linked.platform.outbox.answer(
        msgspec.msgpack.encode(LinkQuestion(1, 10))
    ).items
    entity = item_decode(listed).content
    odd = (
        msgspec.structs.replace(entity, enterprise="E\0", title="\0"),
        msgspec.structs.replace(entity, list_year=2**62, province=2**62),
        *(cut(), cut(compliance_year=2**62), cut(decided_on=0, until=99991231)),
        *(cut(cause="enforcement", tonnes=2**62), cut(cause="enforcement", decided_on=99990231)),
        ObligationsSet(2**62, 2024, 99990231, (DutyLine("E1", 2**62, 2**62),)),
        AllowancesGiven(1, 2**62, 2024, "final", {}, (GivenLine("E1", 2**62, 2**62),)),
        AllowancesRecalled(2**62, ZHEJIANG, 2024, "pre", (RecalledLine("E1", 2**62),)),
    )
    for content in odd:
        linked.platform.outbox.tell(content)
    linked.world.listed(2025)
    linked.talk()
    assert linked.stream.last_seq() == linked.platform.outbox.last_seq == len(odd) + 2
    assert linked.platform.outbox.judged_seq == len(odd) + 2
    assert len(linked.refused()) >= len(odd) - 2
    assert linked.stream.listed is not None and reconciled(linked) == []


def test_each_cause_for_which_an_item_is_refused_has_its_code(linked):
    """CEA-PLK-02."""
    verified_2024(linked.world)
    linked.opened()
    row = given(linked, is_verified=True)
    answer = linked.platform.outbox.answer(msgspec.msgpack.encode(LinkQuestion(1, 100)))
    contents = [item_decode(item).content for item in answer.items]
    listed = next(each for each in contents if isinstance(each, EntityListed))
    allocated = next(each for each in contents if isinstance(each, AllowancesGiven))
    (line,) = allocated.lines
    (unit,) = line.generating
    other = msgspec.structs.replace(line, generating=(msgspec.structs.replace(unit, entity="E9"),))
    unknown = DutyLine("E9", 1, 1)
    for code, content in (
        ("CREDIT_CODE_OTHER", msgspec.structs.replace(listed, credit_code=credit_code(9))),
        ("ENTERPRISE_TWICE", msgspec.structs.replace(allocated, lines=(line, line))),
        ("UNIT_OF_OTHERS", msgspec.structs.replace(allocated, lines=(other,))),
        ("PLAN_REFUSES", msgspec.structs.replace(allocated, cap_factor="1/2")),
        ("ENTERPRISE_NOT_LISTED", ObligationsSet(ZHEJIANG, 2024, 20251231, (unknown,))),
        (
            "ALLOCATION_NOT_LAST",
            AllowancesRecalled(
                row.allocation_id + 1, ZHEJIANG, 2024, "final", (RecalledLine("E1", 0),)
            ),
        ),
    ):
        linked.platform.outbox.tell(content)
        linked.talk()
        assert code in {refused for _, refused, _ in linked.refused()}, content
        assert code in RegistryRefusal.__members__


def test_what_no_rule_foresees_has_a_code_too():
    found = mismatch_of(OverflowError("Python int too large"), "E1")
    assert found == Mismatch("E1", "ITEM_NOT_ALLOWED", "Python int too large")


def test_figures_that_were_changed_are_found_line_by_line(linked):
    """CEA-PLK-02."""
    verified_2024(linked.world)
    linked.opened()
    tell = Outbox.tell

    def spoiled(outbox, content):
        if isinstance(content, AllowancesGiven):
            (line,) = content.lines
            line = msgspec.structs.replace(line, tonnes=line.tonnes + 1)
            content = msgspec.structs.replace(content, lines=(line,))
        return tell(outbox, content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "tell", spoiled)
        row = given(linked, is_verified=True)
    ((enterprise, code, words),) = linked.refused()
    assert (enterprise, code) == ("E1", "COMPUTED_OTHERWISE")
    assert words == f"tonnes: expected {row.tonnes} by its units, got {row.tonnes + 1}"
    assert linked.held() == 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE platform_items SET head = '1' WHERE link_seq = 1", "does not follow the one"),
        ("UPDATE platform_given SET tonnes = tonnes + 1", "E1 comes to"),
        ("UPDATE platform_given SET duty = duty + 1", "E1 comes to"),
        ("UPDATE distribution_lines SET tonnes = tonnes + 1", "are distributed"),
        ("UPDATE platform_items SET is_posted = 0 WHERE link_seq = 2", "nothing of it may be"),
        ("UPDATE obligation_entries SET due_tonnes = due_tonnes - 1", "are owed by it"),
        ("DELETE FROM platform_items WHERE link_seq = 1", "platform item 1 is missing"),
    ],
)
def test_reconciling_finds_what_was_posted_otherwise(tmp_path, sql, said):
    """CEA-PLK-01, CEA-PLK-02."""
    with Linked(tmp_path) as linked:
        listed_and_given(linked)
        linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)
        linked.talk()
        store = linked.registry.store
        assert list(platform_differences(store)) == []
        changed(store, sql)
        assert any(said in sentence for sentence in platform_differences(store))
