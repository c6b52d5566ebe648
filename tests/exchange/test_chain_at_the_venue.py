"""The heads that a venue journaled hold against a registry whose chain was made anew, whole."""

import pytest

from cea_exchange.cli.main import main
from cea_exchange.journal import OsStorage
from cea_exchange.registry.reconciliation.reconcile import Reconciliation
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.durability.profile_shelf import profile_keep
from cea_exchange.venue.registry_link.registry_heads import registry_heads
from registry.reconciliation.test_chain import chain_forged
from support.exchange.one_process import PROFILE, OneProcess
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
    heads = list(registry_heads(data))
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
