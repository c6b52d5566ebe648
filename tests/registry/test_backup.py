"""A copy made while a writer works agrees; restored to either database it goes on."""

import json
import subprocess
import threading

import pytest

from cea_exchange.cli.main import run
from cea_exchange.ledger.store import StoreError
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.copies import backup, restore
from support.registry.ledger_by_hand import changed_at_rest
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def data(tmp_path, database_address):
    """A registry with a day's trades, a snapshot among them, on each database."""
    folder = tmp_path / "data"
    registry_prepare(folder, database_address)
    with RegistryStore.open(folder) as store:
        venue = venue_with_deposits()
        for number in range(60):
            venue.trade(1 + number % 5, buy_fee=number % 3)
        venue.checkpoint()
        settlement = Settlement(store)
        settlement.apply(LOG_ID, venue.records[:40])
        with store.transaction():
            store.snapshot()
        settlement.apply(LOG_ID, venue.records)
        # Bytes, text of another script, nothing: each has to come back as it was.
        with store.transaction():
            store.insert("requests", [("申请-1", b"\x00\xff\\x", b"")])
    return folder


def tables_of(store):
    names = ("meta", "accounts", "entries", "postings", "snapshots", "snapshot_balances", "trades")
    more = ("settlement_runs", "feed", "transfers", "requests", "checkpoints", "products")
    more += ("row_changes", "chain")
    return {
        name: store.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
        for name in (*names, *more)
    }


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_what_is_restored_is_what_was_copied(data, tmp_path, target, request):
    with RegistryStore.open_reader(data) as store:
        before = tables_of(store)
    copy = tmp_path / "copy"
    assert backup(data, copy) == ("seq", 63)
    address = None if target == "sqlite" else request.getfixturevalue("postgres_address_emptied")
    restored = tmp_path / "restored"
    found = restore(copy, restored, address() if address else None)
    assert (60, 63) == (found.trades, found.checkpoint_seq)
    with Registry.open(restored) as registry:
        assert before == tables_of(registry.store)
        registry.pay_in("alice", 5)
    assert check_ledger(restored).agrees


def test_a_copy_made_while_a_writer_works_agrees(data, tmp_path):
    """Whatever is committed meanwhile is in it whole, or not at all."""
    done = threading.Event()

    def work():
        with Registry.open(data) as registry:
            while not done.is_set():
                with registry.transaction():
                    for _ in range(5):
                        registry.pay_in("bob", 3)

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for number in range(3):
            backup(data, tmp_path / f"copy{number}")
    finally:
        done.set()
        writer.join()
    entries = []
    for number in range(3):
        folder = tmp_path / f"restored{number}"
        restore(tmp_path / f"copy{number}", folder)
        with RegistryStore.open_reader(folder) as store:
            entries.append(store.entry_last)
            assert (store.entry_last - 66) % 5 == 0
    assert entries == sorted(entries) and entries[-1] > 66


def test_what_was_copied_and_restored_is_told_as_json(data, tmp_path, capsys):
    copy, restored = str(tmp_path / "copy"), str(tmp_path / "restored")
    assert 0 == run(("registry", "backup", "--out", copy, "--data", str(data), "--json"))
    assert {"file": copy, "last_seq": 63} == json.loads(capsys.readouterr().out)
    assert 0 == run(("registry", "restore", copy, "--data", restored, "--json"))
    shown = json.loads(capsys.readouterr().out)
    assert (63, 60, []) == (shown["last_seq"], shown["trades"], shown["differences"])


def test_a_copy_that_can_not_be_written_is_named(data, tmp_path):
    with pytest.raises(StoreError, match="none/copy: no copy was made, "):
        backup(data, tmp_path / "none" / "copy")


def test_a_drill_finds_what_a_copy_brought_along(data, tmp_path):
    changed_at_rest(data, "UPDATE trades SET tonnes = tonnes + 1 WHERE trade_id = 7")
    backup(data, tmp_path / "copy")
    with pytest.raises(StoreError, match="registry differs at"):
        restore(tmp_path / "copy", tmp_path / "restored")
    assert [] == [file.name for file in (tmp_path / "restored/registry").iterdir()
                  if file.name != "lock"]  # fmt: skip


sqlite = pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)


@sqlite
def test_a_ledger_that_differs_is_not_restored_to_postgresql_either(
    data, tmp_path, postgres_address
):
    changed_at_rest(data, "UPDATE trades SET tonnes = tonnes + 1 WHERE trade_id = 7")
    backup(data, tmp_path / "copy")
    with pytest.raises(StoreError, match="registry differs at"):
        restore(tmp_path / "copy", tmp_path / "restored", postgres_address)
    # The database is empty as it was, and the folder free.
    with Registry.open(tmp_path / "restored", postgres_address) as registry:
        assert registry.store.entry_last == 0


@sqlite
def test_a_copy_with_a_changed_byte_or_without_its_sum_is_refused(data, tmp_path):
    copy = tmp_path / "copy"
    backup(data, copy)
    shown = subprocess.run(
        ["sha256sum", "--check", "copy.sha256"], cwd=tmp_path, capture_output=True, text=True
    )
    assert shown.stdout == "copy: OK\n"
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(StoreError, match="SHA-256: expected"):
        restore(copy, tmp_path / "restored")
    (tmp_path / "copy.sha256").unlink()
    with pytest.raises(StoreError, match="expected a copy and its .sha256"):
        restore(copy, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_nothing_that_is_there_is_written_over(data, tmp_path, database_address, capsys):
    copy = tmp_path / "copy"
    assert run(["registry", "backup", "--data", str(data), "--out", str(copy)]) == 0
    assert f"{copy}: the registry up to seq 63\n" == capsys.readouterr().out
    assert run(["registry", "backup", "--data", str(data), "--out", str(copy)]) == 2
    assert "expected a new file" in capsys.readouterr().err
    assert run(["registry", "restore", str(copy), "--data", str(data)]) == 2
    assert "expected no registry" in capsys.readouterr().err
    if database_address is not None:
        command = ["registry", "restore", str(copy), "--data", str(tmp_path / "other")]
        assert run([*command, "--database", database_address]) == 2
        assert "expected an empty database" in capsys.readouterr().err
    assert run(["registry", "restore", str(copy), "--data", str(tmp_path / "restored")]) == 0
    assert "reconciled at seq 63" in capsys.readouterr().out
    assert run(["registry", "backup", "--data", str(tmp_path), "--out", str(copy) + "2"]) == 2
