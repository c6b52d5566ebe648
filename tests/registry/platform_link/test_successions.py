"""Mergers and splits: what was owed goes to who succeeds, at platform and registry alike."""

import re
from decimal import Decimal

import pytest

from cea_exchange.platform.obligations.successions import Part
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from cea_exchange.registry.reconciliation.platform_link import platform_differences
from support.platform.industries import verified_works
from support.platform.linked import Linked
from support.platform.platform_world import (
    PROVINCE,
    VERIFIER,
    ZHEJIANG,
    credit_code,
    given_2024,
    verified_2024,
)
from support.refusing import refuses
from support.registry.audit_queries import audit_findings
from support.registry.ledger_by_hand import changed

OWED = 2_957_724
DECIDED = {"decided_on": 20260105, "document": "decision-9"}


@pytest.fixture
def linked(tmp_path):
    with Linked(tmp_path) as found:
        yield owing(given(found))


@pytest.fixture
def on_both(tmp_path, two_addresses):
    """Return it on each kind of database."""
    with Linked(tmp_path, two_addresses) as found:
        yield owing(given(found))


def owing(linked):
    """Let `E1` owe 2,957,724 t of 2024."""
    linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)
    linked.talk()
    assert linked.refused() == []
    return linked


def given(linked):
    """Let `E1` have its final allowances of 2024, and `E2` and `E3` be listed, with accounts."""
    world = linked.world
    world.unit("E1-2", valid_from=20260102)
    verified_2024(world)
    for number in (2, 3):
        world.enterprise(f"E{number}", number=number)
        world.listed(2025, enterprise=f"E{number}")
    linked.opened()
    for number in (2, 3):
        linked.registry.account_open(
            f"P00{number}", credit_code=credit_code(number), province=ZHEJIANG, sector="power"
        )
    given_2024(world, is_verified=True)
    linked.talk()
    return linked


def pay(linked, tonnes, account="P001"):
    number = linked.registry.surrender.apply(account, 2024, {"CEA24": tonnes})
    linked.registry.surrender.accept(number, ZHEJIANG)
    linked.registry.surrender.retire(number)
    linked.talk()


def owed(linked):
    """Return what `E1`, `E2` and `E3` owe of 2024 at the platform, and at the registry."""
    platform, registry = linked.platform, linked.registry
    at_platform = [platform.obligations.of(number, 2024) for number in (1, 2, 3)]
    ours = [None if each is None else each.due_tonnes for each in at_platform]
    rows = registry.store.all(
        "SELECT account, due_tonnes FROM obligations JOIN accounts"
        " ON accounts.account_index = obligations.account_index WHERE compliance_year = 2024"
    )
    theirs = dict(rows)
    return ours, [theirs.get(f"P00{number}") for number in (1, 2, 3)]


def reconciled(linked):
    store = linked.registry.store
    return [
        *platform_differences(store),
        *obligation_differences(store),
        *audit_findings(store).items(),
    ]


def split(linked, **terms):
    parts = [Part("E2", 6_666, ("E1-1",)), Part("E3", 3_334, ("E1-2",))]
    linked.platform.successions.split("E1", parts, **{**DECIDED, **terms})


def test_who_an_enterprise_is_merged_into_owes_what_is_missing_at_both(on_both):
    """CEA-ENT-12, CEA-PLK-07: of what was surrendered a certificate stays with who did it."""
    linked = on_both
    pay(linked, 1_000_000)
    linked.platform.successions.merge("E1", "E2", **DECIDED)
    linked.talk()
    assert linked.refused() == []
    assert owed(linked) == ([1_000_000, OWED - 1_000_000, None],) * 2
    registry = linked.registry
    assert registry.obligations.standing("P001", 2024).figures()["succeeded"] == 1_000_000 - OWED
    notice = registry.obligations.notice("P002", 2024)
    assert (notice.verified_tonnes, notice.succeeded_tonnes) == (0, OWED - 1_000_000)
    assert "in others' place   1957724 t" in notice.text()
    assert registry.store.all("SELECT account_index FROM certificates WHERE revoked_on = 0") == [
        (registry.account("P001"),)
    ]
    assert reconciled(linked) == []
    rows = linked.platform.store.execute(
        "SELECT enterprise_id, owed FROM completions ORDER BY completion_seq DESC LIMIT 2"
    )
    assert sorted(map(tuple, rows.fetchall())) == [(1, 1_000_000), (2, OWED - 1_000_000)]
    message = linked.platform.messages.of("enterprise E2", 1, 100)[-1]
    assert message["words"] == "Owed of 2024 in place of E1: 1957724 t, by decision-9 (CEA-ENT-12)"


def test_of_a_split_each_owes_its_share_and_the_first_what_rounding_leaves(linked):
    """CEA-ENT-12, CEA-SUR-12."""
    split(linked)
    linked.talk()
    first, second = OWED - OWED * 3_334 // 10_000, OWED * 3_334 // 10_000
    assert owed(linked) == ([0, first, second],) * 2
    rows = linked.registry.compliance.public_list(2024)
    assert [(row.account, row.obligation_tonnes) for row in rows] == [
        ("P002", first),
        ("P003", second),
    ]
    dues = linked.platform.due.missing("E3", 20261231)
    assert ("surrender", 2024) in [(due.kind, due.period) for due in dues]
    assert "surrender" not in [due.kind for due in linked.platform.due.missing("E1", 20261231)]
    assert linked.registry.store.all("SELECT 1 FROM certificates") == []
    assert reconciled(linked) == []


def test_what_the_registry_computes_otherwise_goes_back_and_is_sent_as_it_is_then(on_both):
    """CEA-ENT-12, CEA-PLK-02, CEA-PLK-03."""
    linked = on_both
    split(linked)
    number = linked.registry.surrender.apply("P001", 2024, {"CEA24": 724})
    linked.registry.surrender.accept(number, ZHEJIANG)
    linked.talk()
    ((enterprise, code, words),) = linked.refused()
    assert (enterprise, code) == ("E1", "COMPUTED_OTHERWISE")
    assert words == f"tonnes: expected {OWED - 724}, which are missing, got {OWED}"
    assert owed(linked)[1] == [OWED, None, None]
    (refused,) = linked.platform.outbox.refused()
    linked.platform.resending.send_again(refused["link_seq"])
    linked.talk()
    second = (OWED - 724) * 3_334 // 10_000
    assert owed(linked) == ([724, OWED - 724 - second, second],) * 2
    assert linked.registry.obligations.standing("P002", 2024).own == 0
    assert reconciled(linked) == []


def lowered(linked):
    """Let `E1` owe 2,800,000 t, less than it has."""
    verified_to(linked, Decimal(2_800_000))
    linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024, "objection 1")
    linked.talk()
    linked.registry.account_open(
        "P004", credit_code=credit_code(4), province=ZHEJIANG, sector="power"
    )
    for item in linked.platform.outbox.refused():  # for want of that account
        linked.platform.resending.send_again(item["link_seq"])
    linked.talk()


def test_who_surrendered_all_meanwhile_passes_nothing_on(on_both):
    """CEA-ENT-12, CEA-PLK-03: what was refused goes again, and names nobody."""
    linked, tonnes = on_both, 2_800_000
    lowered(linked)
    split(linked)
    linked.registry.surrender.accept(
        linked.registry.surrender.apply("P001", 2024, {"CEA24": tonnes}), ZHEJIANG
    )
    linked.talk()
    refused = linked.platform.outbox.refused()
    linked.platform.resending.send_again(refused[-1]["link_seq"])
    linked.talk()
    assert len(linked.platform.outbox.refused()) == len(refused)
    assert owed(linked) == ([tonnes, 0, 0], [tonnes, None, None])
    assert reconciled(linked) == []


@pytest.mark.parametrize("paid", [724, 2_847_600])
def test_a_chain_that_was_refused_at_its_first_is_passed_on_anew_at_once(on_both, paid):
    """CEA-ENT-12, CEA-PLK-03: each in its place is sent again, by what is missing then."""
    linked = on_both
    split(linked)
    linked.platform.successions.merge("E2", "E3", **DECIDED)
    linked.world.enterprise("E4", number=4)
    linked.world.listed(2025, enterprise="E4")
    linked.platform.successions.merge("E3", "E4", **DECIDED)
    number = linked.registry.surrender.apply("P001", 2024, {"CEA24": paid})
    linked.registry.surrender.accept(number, ZHEJIANG)
    linked.talk()
    linked.registry.account_open(
        "P004", credit_code=credit_code(4), province=ZHEJIANG, sector="power"
    )
    refused = [each["link_seq"] for each in linked.platform.outbox.refused()]
    assert len(refused) == 3
    again = linked.platform.resending.send_again(refused[0])
    shown = linked.platform.outbox.refused()
    assert [each["again_seq"] for each in shown] == [again, again + 1, again + 2]
    with refuses("ITEM_NOT_REFUSED"):
        linked.platform.resending.send_again(refused[1])
    linked.talk()
    assert len(linked.platform.outbox.refused()) == 3
    last = linked.platform.obligations.of(4, 2024)
    assert (owed(linked)[0], last.due_tonnes) == ([paid, 0, 0], OWED - paid)
    standing = linked.registry.obligations.standing("P004", 2024)
    assert (standing.due, standing.own) == (OWED - paid, 0)
    assert reconciled(linked) == []


def test_who_surrendered_all_passes_nothing_on_along_a_chain(linked):
    """CEA-ENT-12, CEA-PLK-03: who owes nothing at the registry may have nothing to pass on."""
    lowered(linked)
    split(linked)
    linked.platform.successions.merge("E2", "E3", **DECIDED)
    pay(linked, 2_800_000)
    refused = linked.platform.outbox.refused()
    linked.platform.resending.send_again(refused[-2]["link_seq"])
    linked.talk()
    assert len(linked.platform.outbox.refused()) == len(refused)
    assert owed(linked) == ([2_800_000, 0, 0], [2_800_000, None, None])
    assert reconciled(linked) == []


def test_while_the_registry_has_not_judged_a_chains_second_its_first_is_not_sent_again(linked):
    """CEA-ENT-12: what a successor has passed on is not taken back from it."""
    split(linked)
    linked.registry.surrender.accept(
        linked.registry.surrender.apply("P001", 2024, {"CEA24": 724}), ZHEJIANG
    )
    linked.talk()
    linked.platform.successions.merge("E2", "E3", **DECIDED)
    (first,) = linked.platform.outbox.refused()
    with refuses("NOTHING_SHORT: .*expected E2 to owe 482 t or more, .* got 0 t"):
        linked.platform.resending.send_again(first["link_seq"])
    linked.talk()
    linked.platform.resending.send_again(first["link_seq"])
    linked.talk()
    assert owed(linked)[1] == [724, 0, OWED - 724]


def test_what_a_split_left_on_the_old_account_the_registry_divides_by_its_documents(linked):
    """CEA-ENT-12, CEA-ENF-07: the successors then surrender of it."""
    split(linked)
    linked.talk()
    dispositions, second = linked.registry.dispositions, OWED * 3_334 // 10_000
    for account, tonnes in (("P002", 1_900_000), ("P003", 947_600)):
        number = dispositions.transfer_apply(
            "succession", "P001", account, "CEA24", tonnes, document="decision-9"
        )
        dispositions.approve(number)
    pay(linked, 947_600, "P003")
    assert linked.registry.obligations.standing("P003", 2024).payable == second - 947_600
    assert reconciled(linked) == []


def test_what_was_deducted_is_not_owed_by_who_succeeds(on_both):
    """CEA-ENT-12, CEA-PEN-04: it is taken off allowances, once."""
    linked = on_both
    pay(linked, 1_000_000)
    registry = linked.registry
    registry.corrections.order("P001", 2024, ZHEJIANG, "HB 1", 20260120)
    linked.world.day = 20260202
    registry.corrections.refuse("P001", 2024, ZHEJIANG, "HB 2")
    registry.compliance.deduct("P001", 2024, ZHEJIANG)
    linked.talk()
    linked.platform.successions.merge("E1", "E2", **DECIDED)
    linked.talk()
    assert linked.refused() == []
    assert owed(linked) == ([OWED, None, None],) * 2
    assert reconciled(linked) == []


def test_a_successor_without_an_account_is_named(linked):
    """CEA-ENT-12, CEA-PLK-02."""
    linked.world.enterprise("E4", number=4)
    linked.platform.successions.merge("E1", "E4", **DECIDED)
    linked.talk()
    ((enterprise, code, words),) = linked.refused()
    assert (enterprise, code) == ("E4", "ENTERPRISE_NOT_LISTED")
    assert words.startswith("enterprise: expected a listed one of 33, got")
    assert owed(linked)[1] == [OWED, None, None]


def test_while_the_registry_has_not_decided_nobody_succeeds(linked):
    """CEA-ENT-12."""
    linked.registry.surrender.apply("P001", 2024, {"CEA24": 1_000})
    linked.talk()
    with refuses("REGISTRY_AWAITED: .*what became of all applications, got 1000 t"):
        linked.platform.successions.merge("E1", "E2", **DECIDED)
    assert linked.platform.enterprises.of("E1").ended_on == 0


def test_what_is_set_later_of_an_entity_that_has_ended_its_successors_owe(tmp_path):
    """CEA-ENT-12, CEA-SUR-01: and those of one that has ended since."""
    with Linked(tmp_path) as linked:
        platform = given(linked).platform
        split(linked)
        platform.successions.merge("E3", "E2", **DECIDED)
        owing(linked)
        assert owed(linked) == ([0, OWED, 0],) * 2
        assert reconciled(linked) == []
        with refuses("OBLIGATIONS_UNCHANGED"):
            platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)


def verified_to(linked, tonnes):
    """Let `E1` be verified anew, another works of 2024 too, and the province adjust its year."""
    world, verifications = linked.world, linked.platform.verifications
    verified_works(world, "W4", "power", 2024, 4)
    verifications.withdraw(1)
    task = verifications.give("E1", 2024, "V1", due_on=20260630)
    verifications.conclude(VERIFIER, task, {"E1-1": tonnes})
    verifications.confirm(PROVINCE, task, reason="objection 1")
    given_2024(world, stage="adjustment", is_verified=True)


@pytest.mark.parametrize(
    ("paid", "applied", "words"),
    [
        (1_000_000, 0, "expected 1000000 t or more beside what .* surrendered, got 942276 t"),
        (0, 0, f"expected {OWED} t or more, which its successors owe already, got 2900000 t"),
        (1_000_000, 7, "what became of all applications, got 7 t"),
    ],
)
def test_an_entity_that_ended_and_owes_less_holds_up_no_other(linked, paid, applied, words):
    """CEA-ENT-12, CEA-SUR-01: its obligation stays, and both it and its province learn why."""
    if paid:
        pay(linked, paid)
    linked.platform.successions.merge("E1", "E2", **DECIDED)
    stays = owed(linked)[0]
    if applied:  # before the registry hears of the merger
        linked.registry.surrender.apply("P001", 2024, {"CEA24": applied})
    linked.talk()
    verified_to(linked, Decimal(2_990_000 if applied else 2_900_000))
    obligations = linked.platform.obligations
    (made,) = obligations.set_all(PROVINCE, ZHEJIANG, 2024, "objection 1")
    assert linked.platform.enterprises.name_of(made.enterprise_id) == "W4"
    assert owed(linked)[0] == stays
    (held,) = obligations.held(ZHEJIANG, 2024)
    assert held.enterprise == "E1"
    assert re.search(words, held.words)
    for body in ("enterprise E1", "province 33"):
        shown = linked.platform.messages.of(body, 1, 100)[-1]["words"]
        assert shown == f"Owed of 2024: that of E1 stays as it is: {held.words}"
    with refuses("OBLIGATIONS_UNCHANGED: .*owed already; E1: "):
        obligations.set_all(PROVINCE, ZHEJIANG, 2024, "objection 1")


def test_who_surrendered_more_than_it_owes_may_be_merged(linked):
    """CEA-ENT-12: there is nothing left that its successor would owe."""
    pay(linked, 2_847_600)
    verified_to(linked, Decimal(2_800_000))
    linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024, "objection 1")
    linked.platform.successions.merge("E1", "E2", **DECIDED)
    assert owed(linked)[0] == [2_800_000, None, None]


UNFIT = (
    (
        [Part("E2", 6_000, ("E1-1",)), Part("E3", 4_000, ())],
        "UNITS_DIFFER: units: expected E1-1, E1-2, each in one part, got E1-1",
    ),
    (
        [Part("E2", 6_000, ("E1-1", "E1-2")), Part("E3", 4_000, ("E1-1",))],
        "UNITS_DIFFER: .*got E1-1, E1-1, E1-2",
    ),
    (
        [Part("E2", 6_000, ("E1-1",)), Part("E3", 3_000, ("E1-2",))],
        r"AMOUNT_UNSOUND: parts of a split: .*10000 bp together, got \[6000, 3000\]",
    ),
    ([Part("E2", 10_000, ("E1-1", "E1-2"))], "AMOUNT_UNSOUND: split: expected names that fit"),
    (
        [Part("E1", 5_000, ("E1-1",)), Part("E3", 5_000, ("E1-2",))],
        "ENTERPRISE_UNKNOWN: successor: expected another enterprise, got E1",
    ),
)


def test_a_split_whose_parts_do_not_fit_is_refused_whole(tmp_path):
    """CEA-ENT-12."""
    with Linked(tmp_path) as linked:
        linked.world.unit("E1-2", valid_from=20260102)
        for number in (2, 3):
            linked.world.enterprise(f"E{number}", number=number)
        platform = linked.platform
        for parts, said in UNFIT:
            with refuses(said):
                platform.successions.split("E1", parts, **DECIDED)
            assert platform.enterprises.of("E1").ended_on == 0
            assert set(platform.units.of(1, 20260105)) == {"E1-1", "E1-2"}


def test_reconciling_finds_a_succession_that_was_noted_otherwise(tmp_path):
    """CEA-ENT-12."""
    with Linked(tmp_path) as linked:
        split(owing(given(linked)))
        linked.talk()
        assert reconciled(linked) == []
        store = linked.registry.store
        changed(
            store,
            "UPDATE obligation_entries SET succeeded_tonnes = succeeded_tonnes + 1"
            " WHERE succeeded_tonnes > 0",
        )
        assert any("owe more in another's place" in each for each in platform_differences(store))
        changed(store, "UPDATE obligation_entries SET verified_tonnes = verified_tonnes + 1")
        assert any("what is owed: expected all" in each for each in obligation_differences(store))
