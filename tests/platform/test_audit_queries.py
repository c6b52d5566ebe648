"""What an auditor finds in a platform that somebody changed by hand, whatever the hashes say."""

import re
from shutil import copytree

import msgspec
import pytest

from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.ledger.audit import findings
from cea_exchange.platform.audit import checks
from cea_exchange.platform.audit.contents import content_differences
from cea_exchange.platform.enforcement.cases import Breach
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.links.platform import AllowancesGiven, head_after, item_decode
from support.ledger_attacks.attacker import rewritten
from support.places import ROOT
from support.platform.enforcement import decided, taken
from support.platform.platform_world import PROVINCE, World, given_2024

CHECKS = checks()
CHANGES = [
    ("allocation_lines", "UPDATE allocation_lines SET tonnes = tonnes + 1"),
    ("allocation_lines", "UPDATE allocations SET tonnes = tonnes - 1"),
    ("allocation_lines", "UPDATE allocation_lines SET emissions = emissions - 1"),
    ("allocation_lines", "UPDATE verified_results SET tonnes = tonnes + 1"),
    ("allocation_lines", "UPDATE allocations SET compliance_year = 2023"),
    ("allocation_states", "UPDATE allocations SET approved_by = computed_by"),
    ("allocation_states", "UPDATE allocations SET approved_by = ''"),
    ("allocation_states", "UPDATE allocations SET state = 'approved'"),
    ("allocation_states", "UPDATE allocations SET distributed_on = computed_on - 1"),
    ("allocation_states", "UPDATE allocations SET state = 'recalled'"),
    (
        "allocation_states",
        "INSERT INTO allocation_recalls VALUES (1, 'a mistake', 'Sun Yu', 20260110)",
    ),
    (
        "allocation_states",
        "INSERT INTO allocations SELECT 2, province, compliance_year, stage, state, share_bp,"
        " plan_mark, 0, sha256, computed_by, computed_key, computed_on, approved_by,"
        " distributed_on FROM allocations",
    ),
    ("allocation_totals", "UPDATE allocation_totals SET tonnes = 1"),
    ("allocation_totals", "DELETE FROM allocation_totals"),
    ("allocations_told", "DELETE FROM link_allocations"),
    ("allocations_told", "UPDATE allocations SET state = 'withdrawn', distributed_on = 0"),
    ("case_states", "UPDATE cases SET state = 'closed' WHERE case_id = 1"),
    ("case_states", "UPDATE cases SET state = 'opened' WHERE case_id = 1"),
    ("case_states", "UPDATE cases SET state = 'served' WHERE case_id = 2"),
    ("case_states", "UPDATE case_steps SET step = 'publish' WHERE step = 'serve'"),
    ("cases_stepped", "UPDATE case_decisions SET fine_fen = fine_fen - 1 WHERE decision_id = 1"),
    ("cases_stepped", "UPDATE case_decisions SET decided_on = decided_on - 1"),
    ("cases_stepped", "DELETE FROM case_payments"),
    ("cases_stepped", "UPDATE case_payments SET fen = fen + 1"),
    ("cases_stepped", "UPDATE case_rulings SET fine_fen = 1 WHERE outcome = 'changed'"),
    ("cases_stepped", "DELETE FROM case_rulings WHERE outcome = 'revoked'"),
    ("cases_stepped", "UPDATE case_parts SET fen = fen - 1 WHERE due_on = 20261020"),
    ("cases_stepped", "UPDATE cases SET shortfall = 7"),
    ("cases_stepped", "UPDATE cases SET opened_on = opened_on - 1"),
    ("cases_stepped", "UPDATE case_steps SET fen = fen - 1 WHERE step = 'pay'"),
    ("cases_stepped", "DELETE FROM case_steps WHERE step = 'decide'"),
    ("cases_summed", "UPDATE cases SET fine_fen = fine_fen - 1 WHERE case_id = 1"),
    ("cases_summed", "UPDATE cases SET paid_fen = fine_fen WHERE case_id = 1"),
    ("cases_summed", "UPDATE case_payments SET payer = 'Ma Jun'"),
    ("cases_summed", "UPDATE case_rulings SET fine_fen = 5 WHERE outcome = 'revoked'"),
    ("cases_summed", "UPDATE case_rulings SET fine_fen = 10000000000 WHERE outcome = 'changed'"),
    ("documents_stand", "UPDATE filings SET version = 2 WHERE filing_id = 1"),
    ("documents_stand", "UPDATE documents SET state = 'draft' WHERE filing_id = 1"),
    ("documents_stand", "UPDATE documents SET filing_id = 2 WHERE filing_id = 1"),
    ("documents_stand", "DELETE FROM filing_steps WHERE step = 'passed' AND level = 'city'"),
    ("link_in_order", "UPDATE link_items SET link_seq = 9 WHERE link_seq = 1"),
    ("obligations_rest", "UPDATE obligations SET version = 2"),
    ("obligations_rest", "UPDATE obligations SET verified_tonnes = verified_tonnes - 1"),
    ("obligations_rest", "UPDATE obligations SET due_tonnes = due_tonnes - 1"),
    (
        "obligations_rest",
        "UPDATE obligations SET due_tonnes = due_tonnes - 5, succeeded_tonnes = -5",
    ),
    ("obligations_rest", "UPDATE obligations SET result_id = 0"),
    ("results_concluded", "UPDATE verified_results SET tonnes = tonnes - 1"),
    ("results_concluded", "UPDATE verified_results SET unit_emissions = '{}'"),
    ("results_concluded", "UPDATE verified_results SET version = 2"),
    ("results_concluded", "UPDATE verifications SET state = 'open'"),
    (
        "acts_of_two",
        "INSERT INTO acts VALUES (1, 1, 20260110, 'total_set', 'An', 'k', 'An', 'k', 1, '', '', 0,"
        " x'80', x'80')",
    ),
]
CONTENTS = [
    ("its content is not the one of its hash", "UPDATE filings SET emission = '', content = '{}'"),
    ("its lines are not those of its hash", "UPDATE allocation_lines SET mark = 'draft'"),
    ("its lines are not those of its hash", "UPDATE allocation_lines SET duty = duty - 1"),
    (
        "the registry was not told of E1",
        "DELETE FROM link_allocations; DELETE FROM link_items WHERE link_seq = 2",
    ),
    ("obligation of E1 of 2024", "UPDATE obligations SET due_tonnes = due_tonnes - 1"),
    ("obligation of E1 of 2024", "DELETE FROM obligations"),
    ("its line has None", "UPDATE allocations SET state = 'computed'"),
    ("kept is (33, 2023, 'final'", "UPDATE allocations SET compliance_year = 2023"),
    ("can not be read", "UPDATE link_items SET item = x'00' WHERE link_seq = 2"),
    ("is not that of its bytes", "UPDATE link_items SET head = 'f' WHERE link_seq = 2"),
    ("a cut of 9 t", "UPDATE case_steps SET step = 'cut', tonnes = 9 WHERE step = 'publish'"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of a platform with every kind of row that is compared, closed; to be copied."""
    folder = tmp_path_factory.mktemp("eventful")
    with World(folder) as world:
        eventful(world.founded())
    return folder


def eventful(world):
    """Let a year be verified, given and owed; let one case be paid, and one be revoked."""
    given_2024(world)
    world.platform.obligations.set_all(PROVINCE, 33, 2024)
    world.day = 20260901
    number = decided(world, 100_000_000, Breach("fraud", 20260701, 2024))
    taken(world, number, "serve", day=20260920)
    cases = world.platform.cases
    cases.payments.pay(PROVINCE, number, 10_000_000, "slip 1")
    world.day = 20260922
    parts = [(20261020, 50_000_000), (20261120, 40_000_000)]
    cases.payments.instalments(PROVINCE, number, parts, "plea 1")
    taken(world, number, "ask_review")
    cases.appeals.rule(PROVINCE, number, "changed", 60_000_000, "ruling 1", "")
    taken(world, number, "publish")
    other = decided(world, 100_000_000, Breach("fraud", 20260801, 2024, apart="another month"))
    taken(world, other, "serve")
    taken(world, other, "ask_review")
    cases.appeals.rule(PROVINCE, other, "revoked", 0, "ruling 2", "")


@pytest.mark.parametrize(("name", "statement"), CHANGES)
def test_what_was_changed_by_hand_is_found(data, tmp_path, name, statement):
    """CEA-PLN-26, CEA-SUR-01, CEA-LAW-24, CEA-VER-10: though log and chain agree with it."""
    copied = copytree(data, tmp_path / "copied")
    rewritten(copied, PlatformStore, statement)
    with PlatformStore.open_reader(copied) as store, store.view():
        found = [*findings(store, [CHECKS[name]])]
        assert found and {*found} <= {*store_check(store, CHECKS).differences}


@pytest.mark.parametrize(("words", "statement"), CONTENTS)
def test_what_the_registry_heard_otherwise_is_found(data, tmp_path, words, statement):
    """CEA-PLK-01, CEA-MRV-08: contents are read, and compared with the tables."""
    copied = copytree(data, tmp_path / "copied")
    rewritten(copied, PlatformStore, *statement.split("; "))
    with PlatformStore.open_reader(copied) as store, store.view():
        assert any(words in each for each in content_differences(store))


def test_an_item_whose_tonnes_were_raised_is_found(data, tmp_path):
    """CEA-PLK-01: though its head, and those behind it, were computed anew."""
    copied = copytree(data, tmp_path / "copied")
    with PlatformStore.open_reader(copied) as store:
        items = dict(store.all("SELECT link_seq, item FROM link_items ORDER BY link_seq"))
    statements, before = [], "0" * 64
    for link_seq, encoded in items.items():
        item = msgspec.structs.replace(item_decode(encoded), before=before)
        if isinstance(item.content, AllowancesGiven):
            (line,) = item.content.lines
            more = (msgspec.structs.replace(line, tonnes=line.tonnes + 1),)
            content = msgspec.structs.replace(item.content, lines=more)
            item = msgspec.structs.replace(item, content=content)
        encoded = msgspec.msgpack.encode(item)
        before = head_after(before, encoded)
        statements.append(
            f"UPDATE link_items SET item = x'{encoded.hex()}', head = '{before}'"
            f" WHERE link_seq = {link_seq}"
        )
    rewritten(copied, PlatformStore, *statements)
    with PlatformStore.open_reader(copied) as store, store.view():
        assert any("E1 was told" in each for each in content_differences(store))


def test_every_query_finds_something():
    """All but the two that every institution's tests try."""
    tried = {name for name, _statement in CHANGES}
    assert tried == CHECKS.keys() - {"references_held", "rows_as_logged"}


def test_every_query_is_on_the_page_and_names_its_rules():
    page = (ROOT / "protocol" / "platform.md").read_text(encoding="utf-8")
    text = (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
    rules = {*re.findall(r"^\| (CEA-\w+-\d+) \|", text, re.MULTILINE)}
    for name, check in CHECKS.items():
        assert f"| `{name}` |" in page
        assert check.rules and {*check.rules} <= rules, name
