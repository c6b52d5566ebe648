"""`platform reconcile --registry`: both books of the link, and the heads that each keeps."""

import json

import pytest

from cea_exchange.cli.main import main
from cea_exchange.ledger.anchoring import kept_last
from support.ledger_attacks.attacker import rewrite
from support.platform.linked import Linked
from support.platform.platform_world import given_2024, verified_2024


@pytest.fixture
def linked(tmp_path):
    with Linked(tmp_path) as linked:
        verified_2024(linked.world)
        linked.opened()
        given_2024(linked.world, "final", is_verified=True)
        linked.talk()
        yield linked


def reconciled(data, capsys, *more):
    """Return the exit status of the command, and what it printed."""
    status = 0
    try:
        main(["platform", "reconcile", "--data", str(data), "--registry", str(data), *more])
    except SystemExit as end:
        status = int(end.code or 0)
    return status, capsys.readouterr().out


def test_books_that_agree_and_what_no_head_covers_are_told(linked, tmp_path, capsys):
    """CEA-PLK-01, CEA-PLK-02, CEA-REG-05: as JSON too."""
    linked.registry.pay_in("P001", 1)
    status, out = reconciled(tmp_path, capsys)
    assert 0 == status
    assert "platform and registry agree on " in out
    assert "registry: " in out and " with 1 acts, since 2026-01-10T" in out
    status, out = reconciled(tmp_path, capsys, "--json")
    shown = json.loads(out)
    assert 0 == status and shown["agrees"]
    assert shown["link"]["items"] > 0 and [] == shown["link"]["differences"]
    assert 1 == shown["heads"]["unanchored"]["registry"]["acts"]
    assert 0 == shown["heads"]["unanchored"]["platform"]["acts"]


@pytest.mark.parametrize(
    ("whose", "statement", "words"),
    [
        ("platform", "UPDATE allocation_lines SET tonnes = tonnes + 1", "the registry keeps"),
        ("platform", "UPDATE enterprises SET province = 44", "the registry keeps"),
        ("registry", "UPDATE accounts SET province = 44 WHERE account = 'P001'", "platform keeps"),
        ("registry", "UPDATE platform_given SET tonnes = tonnes + 1", "the platform keeps"),
        ("registry", "UPDATE platform_items SET mark = 'draft'", "has the verdict posted"),
        ("platform", "UPDATE link_verdicts SET is_posted = 0", "has the verdict refused"),
        ("platform", "UPDATE link_items SET item = CAST(item || '0' AS BLOB)", "taken another one"),
    ],
)
def test_what_somebody_rewrote_in_one_database_is_named(
    linked, tmp_path, capsys, whose, statement, words
):
    """CEA-REG-05: rows, log and chain agree with themselves."""
    store = linked.world.store if whose == "platform" else linked.registry.store
    rewrite(store, statement)
    status, out = reconciled(tmp_path, capsys)
    assert 1 == status
    assert words in out


def test_what_was_rewritten_behind_the_last_head_is_counted_as_not_covered(
    linked, tmp_path, capsys
):
    """CEA-REG-05: no partner can know of it yet."""
    registry = linked.registry
    registry.pay_in("P001", 1)
    anchored = kept_last(linked.world.store, "registry").link_id
    act = registry.store.one("SELECT max(act_id) FROM acts")
    rewrite(registry.store, f"UPDATE acts SET person = 'forged' WHERE act_id = {act}")
    _status, out = reconciled(tmp_path, capsys, "--json")
    heads = json.loads(out)["heads"]
    assert [] == heads["differences"]
    assert registry.store.link.link_id - anchored == heads["unanchored"]["registry"]["links"]
    assert 1 == heads["unanchored"]["registry"]["acts"]
