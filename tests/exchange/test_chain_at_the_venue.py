"""The heads that a venue journaled hold against a registry whose chain was made anew, whole."""

import json

import numpy as np
import pytest

from cea_exchange.cli.main import main
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.journal import OsStorage
from cea_exchange.registry.reconciliation.reconcile import Reconciliation
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.durability.profile_shelf import profile_keep
from cea_exchange.venue.registry_link.ledger_books import venue_books
from registry.reconciliation.test_chain import chain_forged
from support.exchange.one_process import PROFILE, OneProcess
from support.ledger_attacks.attacker import appended, rewritten
from support.registry.ledger_by_hand import guards_off, guards_on

pytestmark = pytest.mark.property


@pytest.fixture
def data(tmp_path):
    """Both institutions' folders after a day that was settled."""
    world = OneProcess(tmp_path, 1)
    world.run()
    world.check()
    for name, content in world.outcome().venue_files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    profile_keep(tmp_path, PROFILE, OsStorage())
    return tmp_path


def ended(*arguments):
    """Return the exit status of a command."""
    try:
        main([str(each) for each in arguments])
    except SystemExit as end:
        return end.code or 0
    return 0


def test_a_chain_forged_whole_contradicts_what_the_venue_journaled(data, capsys, monkeypatch):
    """CEA-REG-05: `registry verify --venue` and `verify` both say so."""
    heads = venue_books(data).heads()
    assert len(heads) > 1
    assert ended("registry", "verify", "--data", data, "--venue", data) == 0
    assert ended("verify", data) == 0
    with RegistryStore.open(data) as store:
        store.database.begin()
        guards_off(store)
        store.execute("UPDATE row_changes SET image = image || ' ' WHERE change_id = 3")
        chain_forged(store)
        guards_on(store)
        store.database.commit()
        changed = store.one("SELECT min(link_id) FROM chain WHERE change_last >= 3")
    first = min(link for link, _ in heads if link >= changed)
    # As if whoever did it had made all agree that is the registry's own.
    monkeypatch.setattr("cea_exchange.cli.reports.verify.check_ledger", lambda _: Reconciliation())
    for command in (("registry", "verify", "--data", data, "--venue", data), ("verify", data)):
        capsys.readouterr()
        assert ended(*command) == 1
        shown = capsys.readouterr()
        words = " ".join((shown.out + shown.err).split())
        assert f"link {first} of the chain has the head" in words and "the venue's journal" in words


def test_a_settlement_record_that_the_venue_has_otherwise_is_named(data, capsys):
    """CEA-STL-01: with the field that differs, on both sides."""
    with RegistryStore.open(data) as store:
        first, trade = store.one(
            "SELECT r.first_seq, t.settlement_seq FROM settlement_runs AS r JOIN trades AS t"
            " ON t.settlement_seq BETWEEN r.first_seq AND r.first_seq + r.record_count - 1 LIMIT 1"
        )
        records = np.frombuffer(
            store.one("SELECT records FROM settlement_runs WHERE first_seq = ?", (first,)),
            EVENT_DTYPE,
        ).copy()
        price = int(records[trade - first]["price"])
        records[trade - first]["price"] = price + 1
    forged = records.tobytes().hex()
    rewritten(
        data,
        RegistryStore,
        f"UPDATE settlement_runs SET records = x'{forged}' WHERE first_seq = {first}",
    )
    assert ended("registry", "verify", "--data", data, "--venue", data, "--json") == 1
    differences = json.loads(capsys.readouterr().out)["differences"]
    said = f"settlement record {trade}: price is {price} at the venue, {price + 1} in the ledger"
    assert said in differences


def test_what_no_head_at_the_venue_covers_is_counted(data, capsys):
    """CEA-REG-05: what was done since can be rewritten unseen; so it is told."""
    appended(data, RegistryStore, "INSERT INTO business_days VALUES (20300101, 1)")
    with RegistryStore.open_reader(data) as store:
        behind = store.link.link_id - venue_books(data).heads()[-1][0]
    assert ended("registry", "verify", "--data", data, "--venue", data) == 0
    assert f"registry: {behind} links with " in capsys.readouterr().out
    assert ended("registry", "verify", "--data", data, "--venue", data, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unanchored"]["links"] == behind > 0
