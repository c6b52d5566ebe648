"""The chain of hashes, the log of rows, causes and receipts: whatever was changed is found."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest

from cea_exchange.cli.main import main
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.maintenance.integrity import heads_differing
from cea_exchange.institution.venue_link.settlement_records import record_at
from cea_exchange.ledger.chain import BEFORE_ALL, Link, LinkBroken, content_hash, head_of
from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.database.row_log import logged_tables
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.double_entry import EntryKind, legs_of
from cea_exchange.ledger.merkle import leaf_hash, path_to, root_of
from cea_exchange.ledger.store import Store, StoreError
from cea_exchange.protocol.control import FeedItem, LedgerHead, control_decode, control_encode
from cea_exchange.registry.reconciliation.integrity import heads_sent, registry_integrity
from cea_exchange.registry.reconciliation.reconcile import check_ledger, check_store
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.receipts import ReceiptDay, day_root, receipt
from cea_exchange.registry.store import REGISTRY_SCHEMA, RegistryStore
from support.patience import patience
from support.places import ROOT
from support.platform.linked import Linked
from support.platform.platform_world import given_2024, verified_2024
from support.refusing import refuses
from support.registry.audit_queries import audit_findings
from support.registry.eventful_registry import eventful
from support.registry.ledger_by_hand import guards_off, guards_on
from support.registry.service_callers import Staff

CHECK_PAGE = ROOT / "examples" / "receipt_check.py"
BYTES = "(SELECT records FROM settlement_runs ORDER BY first_seq LIMIT 1)"

TAMPERS = {
    # What two INSERTs could do, and what was changed with the triggers off.
    "an issue": "INSERT INTO entries SELECT max(entry_id) + 1, 1, max(settlement_seq), 20260718,"
    " -1, 0, 0, 9999999, '', 1 FROM entries;"
    "INSERT INTO postings SELECT 8 * max(entry_id), -1, 0, 0, -9999999 FROM entries;"
    "INSERT INTO postings SELECT 8 * max(entry_id) + 1, 0, 0, 1, 9999999 FROM entries",
    "a pay-in": "INSERT INTO entries SELECT max(entry_id) + 1, 2, max(settlement_seq), 20260718,"
    " -2, 0, 65535, 500, '', 1 FROM entries;"
    "INSERT INTO postings SELECT 8 * max(entry_id), -2, 65535, 0, -500 FROM entries;"
    "INSERT INTO postings SELECT 8 * max(entry_id) + 1, 0, 65535, 1, 500 FROM entries",
    "a merger's entry": "INSERT INTO entries SELECT max(entry_id) + 1, 21, max(settlement_seq),"
    " 20260718, 0, 2, 0, 5, 'merge P1', 1 FROM entries;"
    "INSERT INTO postings SELECT 8 * max(entry_id), 0, 0, 1, -5 FROM entries;"
    "INSERT INTO postings SELECT 8 * max(entry_id) + 1, 2, 0, 1, 5 FROM entries",
    "an act's request": f"UPDATE acts SET request = {BYTES} WHERE op = 'transfer_out'",
    "an act's answer": f"UPDATE acts SET answer = {BYTES} WHERE op = 'transfer_out'",
    "an act's person": "UPDATE acts SET person = 'zhao' WHERE op = 'transfer_out'",
    "an act's second person": "UPDATE acts SET second = 'zhao' WHERE op = 'transfer_out'",
    "an act's amount": "UPDATE acts SET amount = 8 WHERE op = 'transfer_out'",
    "an act's time": "UPDATE acts SET at_ns = at_ns + 1 WHERE op = 'account_suspend'",
    "an act's day": "UPDATE acts SET business_date = 20250101 WHERE op = 'account_suspend'",
    "the last act": "DELETE FROM acts WHERE act_id = (SELECT max(act_id) FROM acts)",
    "a program for a person": "UPDATE acts SET op = 'library' WHERE op = 'account_suspend'",
    "a proposal's request": f"UPDATE proposals SET request = {BYTES}",
    "a proposal's hash": "UPDATE proposals SET request_hash = 'x'",
    "the last proposal": "DELETE FROM proposals WHERE proposal_id ="
    " (SELECT max(proposal_id) FROM proposals)",
    "a decision's person": "UPDATE decisions SET person = 'zhao'",
    "a decision": "DELETE FROM decisions WHERE proposal_id = 1",
    "roles' settings": f"UPDATE role_settings SET content = {BYTES}",
    "roles' settings, the row": "DELETE FROM role_settings",
    "a person's body": "UPDATE persons SET body = 'account P2' WHERE person = 'mo'",
    "a person's role": "UPDATE persons SET role = 'approver' WHERE person = 'li'",
    "a removed person": "UPDATE persons SET removed_at_ns = 1 WHERE person = 'mo'",
    "a certificate's content": "UPDATE certificates SET content = '{}'",
    "a certificate": "DELETE FROM certificates",
    "a certificate's revocation": "UPDATE certificates SET revoked_on = 20260101",
    "an obligation": "UPDATE obligation_entries SET verified_tonnes = verified_tonnes + 1"
    " WHERE account_index = 1",
    "an obligation, removed": "DELETE FROM obligation_entries WHERE account_index = 1",
    "an obligation file": "UPDATE obligation_files SET sha256 = 'x'",
    "the last surrender": "DELETE FROM surrender_lines; DELETE FROM surrenders;"
    "DELETE FROM postings WHERE posting_id / 8 IN"
    " (SELECT entry_id FROM entries WHERE reference = 'surrender 1');"
    "DELETE FROM entries WHERE reference = 'surrender 1'",
    "a surrender's day": "UPDATE surrenders SET applied_on = 20250101",
    "an offset's proof": "UPDATE offset_proofs SET project = 'CCER-2'",
    "an allocation file's bytes": f"UPDATE allocation_previews SET content = {BYTES}",
    "an allocation's plan": f"UPDATE allocation_previews SET plan = {BYTES}",
    "a carryover's limit": "UPDATE carryover_notices SET limit_tonnes = limit_tonnes + 100",
    "a carryover's sales": "UPDATE carryover_notices SET net_sales = net_sales + 1",
    "a credit code": "UPDATE accounts SET credit_code = '91310000MA1FL0001X' WHERE account = 'P1'",
    "a bank account": "UPDATE accounts SET bank_account = 'SUB-RESERVE' WHERE account = 'P1'",
    "a province": "UPDATE accounts SET province = 11 WHERE account = 'P2'",
    "a group": "UPDATE accounts SET account_group = 'G' WHERE account = 'P2'",
    "a freeze's last day": "UPDATE freezes SET until_date = 20261231 + 10000",
    "a freeze's first day": "UPDATE freezes SET from_date = from_date - 1",
    "a freeze's court": "UPDATE freezes SET court = 'Another Court'",
    "a court's act": "UPDATE freeze_acts SET order_number = 'E 2'",
    "a disposition's document": "UPDATE dispositions SET document = 'another fair'",
    "a public notice": "UPDATE public_notices SET content = '{}'",
    "an entry's day": "UPDATE entries SET business_date = business_date - 1 WHERE entry_id = 2",
    "a trade's day": "UPDATE entries SET business_date = business_date - 1 WHERE entry_id ="
    " (SELECT max(entry_id) FROM entries WHERE kind = 7)",
    "a deposit's day": "UPDATE entries SET business_date = business_date - 1 WHERE entry_id ="
    " (SELECT max(entry_id) FROM entries WHERE kind = 4)",
    "an entry's act": "UPDATE entries SET act_id = act_id + 1 WHERE entry_id = 2",
    "an entry's reference": "UPDATE entries SET reference = 'x' WHERE entry_id = 1",
    "a venue's record": "UPDATE settlement_runs SET records ="
    " (SELECT records FROM settlement_runs WHERE record_count = 1 ORDER BY first_seq LIMIT 1)"
    " WHERE first_seq = (SELECT max(first_seq) FROM settlement_runs WHERE record_count = 1)",
    "a record and its hash": "UPDATE settlement_runs SET records_hash = 'x' WHERE first_seq = 1",
    "why a trade failed": "UPDATE trades SET failure = 'no cash' WHERE failure <> ''",
    "who failed": "UPDATE defaults SET why = 'no cash'",
    "a default's deadline": "UPDATE defaults SET deadline = deadline + 1",
    "what was done about it": "UPDATE default_acts SET note = 'x'",
    "an objection": "UPDATE objections SET content = 'all is well'",
    "a statement's range": "UPDATE statement_days SET last_entry = last_entry - 1",
    "an item of the feed": f"UPDATE feed SET item = {BYTES} WHERE transfer_seq = 1",
    "a key's operator": "UPDATE keys SET operator_index = 3",
    "a request's answer": f"UPDATE requests SET answer = {BYTES}",
    "a bank's batch": f"UPDATE bank_batches SET content = {BYTES}",
    "a bank's statement": f"UPDATE bank_statements SET content = {BYTES}",
    "a bank's line": "UPDATE bank_entries SET reference = 'x'",
    "a pay-in's line": "UPDATE bank_pay_ins SET entry_ref = 'S9'",
    "an instruction's day": "UPDATE bank_instructions SET business_date = 20250101",
    "a kept change of an account": "UPDATE account_changes SET why = 'x' WHERE change_id = 1",
    "a bust's reason": "UPDATE busts SET reason = 1",
    "a confirmed day": "UPDATE meta SET confirmed_date = confirmed_date + 1",
    "the log of rows": "UPDATE row_changes SET image = 'x' WHERE change_id = 3",
    "the end of the log": "DELETE FROM row_changes WHERE change_id ="
    " (SELECT max(change_id) FROM row_changes)",
    "a link": "UPDATE chain SET receipt_root = 'x' WHERE link_id = 2",
    "the last link": "DELETE FROM chain WHERE link_id = (SELECT max(link_id) FROM chain)",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which everything has happened, never changed."""
    folder = tmp_path_factory.mktemp("eventful")
    eventful(folder)
    return folder


@pytest.fixture
def data(made, tmp_path):
    shutil.copytree(made / "registry", tmp_path / "registry")
    return tmp_path


@pytest.fixture
def store(data):
    with RegistryStore.open(data) as store:
        yield store


COMMANDS = {"reconcile", "verify", "audit"}
FOUND_BY = {
    # No query by hand computes a hash.
    "an entry's act": COMMANDS - {"audit"},
    "an entry's reference": COMMANDS - {"audit"},
    "a venue's record": COMMANDS - {"audit"},
    "a record and its hash": COMMANDS - {"audit"},
    "a link": COMMANDS - {"audit"},
    "the last link": COMMANDS - {"audit"},
    # The chain has the venue's record of a trade; the two others compare its entry with that.
    "a trade's day": COMMANDS - {"verify"},
}
"""Which of the registry's commands find a tamper; all three find the others."""


def found_by(store: Store, *statements: str) -> set[str]:
    """Return which commands find what statements do with the triggers off; they are taken back."""
    store.database.begin()
    try:
        guards_off(store)
        for statement in statements:
            store.execute(statement)
        found = {
            "reconcile": check_store(store).differences,
            "verify": list(registry_integrity(store)),
            "audit": list(audit_findings(store)),
        }
        return {name for name, said in found.items() if any(map(not_of_triggers, said))}
    finally:
        store.database.rollback()


def not_of_triggers(difference: str) -> bool:
    """Tell whether it is of the ledger, not of the triggers that a test took off."""
    return not difference.startswith("trigger ")


def test_a_registry_that_was_not_changed_is_right(data):
    assert [] == check_ledger(data).differences


@pytest.mark.slow
def test_all_tampers_are_found_and_by_which_command(store):
    """CEA-REG-05, CEA-REG-07."""
    assert len(TAMPERS) >= 40
    found = {name: found_by(store, *sql.split(";")) for name, sql in TAMPERS.items()}
    assert {name: FOUND_BY.get(name, COMMANDS) for name in TAMPERS} == found
    assert [] == check_store(store).differences


@pytest.mark.nightly
def test_on_postgresql_too_all_tampers_are_found(tmp_path, postgres_address):
    """CEA-REG-05, CEA-REG-07."""
    eventful(tmp_path, postgres_address)
    with RegistryStore.open(tmp_path, postgres_address) as store:
        found = {name: found_by(store, *sql.split(";")) for name, sql in TAMPERS.items()}
        assert {name: FOUND_BY.get(name, COMMANDS) for name in TAMPERS} == found
        assert found_by(store, "SELECT 1") == set()


def columns_changed(store, tables, other_bytes=BYTES):
    """Change each column of a row of each table; return those unseen, how many, empty tables."""
    unseen, tried, empty = [], 0, []
    for table in tables:
        where = table.condition()
        if not store.one(f"SELECT count(*) FROM {table.name} WHERE {where}"):
            empty.append(table.name)
            continue
        for column in table.columns:
            name, type_ = column.split()
            changed = {
                "BIGINT": f"coalesce({name}, 0) + 1000000",
                "TEXT": f"coalesce({name}, '') || 'x'",
            }
            statement = f"UPDATE {table.name} SET {name} = {changed.get(type_, other_bytes)}"
            statement += f" WHERE {table.row_key()} = (SELECT max({table.row_key()})"
            store.database.begin()
            guards_off(store)
            store.execute("PRAGMA ignore_check_constraints = 1")
            store.execute(f"{statement} FROM {table.name} WHERE {where})")
            tried += 1
            if not any(map(not_of_triggers, registry_integrity(store))):
                unseen.append(f"{table.name}.{name}")
            store.database.rollback()
    return unseen, tried, empty


@pytest.mark.slow
def test_a_change_of_any_column_of_any_table_is_found(store):
    """CEA-REG-05: nothing that the registry has written can be another."""
    unseen, tried, empty = columns_changed(store, logged_tables(REGISTRY_SCHEMA))
    assert [] == unseen
    assert tried > 250
    # These are filled by what is rare: other tests look at them.
    assert {*empty} <= RARE
    assert REGISTRY_SCHEMA.unlogged == {
        *("entries", "settlement_runs", "row_changes", "chain"),
        *("postings", "snapshots", "snapshot_balances"),
    }


PLATFORMS = (
    *("platform_given", "platform_items", "platform_listings", "platform_stream"),
    "partner_heads",
)
RARE = {
    *("adoptions", "allocation_units", "bank_unapplied", "bank_unexplained", "calendar_files"),
    *("claims", "claims_paid", "ccer_claims", "ccer_items", "ccer_proofs"),
    *("borrowings", "clock_acts", "correction_orders", "correction_refusals", "deliveries"),
    *("issue_reversals", "pay_in_reversals", "deductions_withdrawn", "postponed"),
    # tests/adjustment/test_proceeds.py
    *("adjustment_accounts", "offset_shares", "proceeds"),
    *("reserve_contributions", "reserve_terms"),
    *("unpaid_deductions", "recalls_open", "platform_completions"),
    *PLATFORMS,
}


def test_a_change_of_what_came_from_the_platform_is_found(tmp_path):
    """CEA-REG-05."""
    tables = [each for each in logged_tables(REGISTRY_SCHEMA) if each.name in PLATFORMS]
    with Linked(tmp_path) as linked:
        verified_2024(linked.world)
        linked.opened()
        given_2024(linked.world, "final", is_verified=True)
        linked.talk()
        unseen, tried, empty = columns_changed(linked.registry.store, tables, "x'00'")
    assert ([], []) == (unseen, empty) and tried > 20


def test_who_rewrites_the_log_too_breaks_the_chain_and_the_link_is_named(store, data, capsys):
    store.database.begin()
    guards_off(store)
    store.execute("UPDATE certificates SET content = '{}'")
    change_id, image = store.one(
        "SELECT change_id, image FROM row_changes WHERE table_name = 'certificates'"
    )
    content = store.one("SELECT substr(?, 1)", (image,))
    forged = content[: content.index("{") - 4] + "2:{} 0 0:"
    store.execute("UPDATE row_changes SET image = ? WHERE change_id = ?", (forged, change_id))
    guards_on(store)
    link = store.one("SELECT min(link_id) FROM chain WHERE change_last >= ?", (change_id,))
    (first, *_others) = registry_integrity(store)
    assert first.startswith(f"link {link} of the chain is broken")
    store.database.commit()
    store.close()
    with pytest.raises(SystemExit):
        main(["registry", "verify", "--data", str(data)])
    assert f"link {link} of the chain is broken" in capsys.readouterr().out


def chain_forged(store: Store) -> None:
    """Compute all links anew, as somebody would who has rewritten what they cover."""
    last = BEFORE_ALL
    for row in store.execute("SELECT * FROM chain ORDER BY link_id").fetchall():
        link = Link(*row)
        content = content_hash(store.database, REGISTRY_SCHEMA, last, link[1:4])
        head = head_of(link.link_id, last.head, link[1:4], content, link.receipt_root)
        store.execute(
            "UPDATE chain SET content_hash = ?, head = ? WHERE link_id = ?",
            (content, head, link.link_id),
        )
        last = link._replace(content_hash=content, head=head)


def test_who_rewrites_the_whole_chain_contradicts_what_the_venue_has(store):
    """CEA-REG-05: the venue's journal has the heads."""
    heads = list(heads_sent(store))
    assert len(heads) >= 2
    assert [] == list(heads_differing(store, heads, "the venue's journal"))
    store.database.begin()
    guards_off(store)
    store.execute("UPDATE row_changes SET image = image || ' ' WHERE change_id = 60")
    chain_forged(store)
    guards_on(store)
    assert not [each for each in registry_integrity(store) if "is broken" in each]
    (difference,) = heads_differing(store, heads, "the venue's journal")
    assert "the venue's journal" in difference
    # Who forges the feed's items as well has only the venue against him.
    for transfer_seq, item in store.execute("SELECT * FROM feed").fetchall():
        command = control_decode(item).command
        if isinstance(command, LedgerHead):
            head = store.one("SELECT head FROM chain WHERE link_id = ?", (command.link_id,))
            forged = FeedItem(
                transfer_seq=transfer_seq, command=LedgerHead(link_id=command.link_id, head=head)
            )
            store.execute(
                "UPDATE feed SET item = ? WHERE transfer_seq = ?",
                (control_encode(forged), transfer_seq),
            )
    assert [] == list(heads_differing(store, heads_sent(store), "the feed"))
    assert [] != list(heads_differing(store, heads, "the venue's journal"))
    store.database.rollback()


def test_acts_taken_off_the_end_are_missed(data):
    """CEA-REG-05: with their log and their links, so that what is left is whole."""
    with Registry.open(data, admission="open") as registry:
        before = {path: path.read_bytes() for path in (data / "registry").glob("registry.sqlite*")}
        registry.account_open("P9")
    for path in (data / "registry").glob("registry.sqlite*"):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)
    with pytest.raises(StoreError, match="acts are missing or were rewritten"):
        RegistryStore.open(data)
    (difference,) = check_ledger(data).differences
    assert "has the head None, the registry's folder has" in difference


def test_the_folders_head_may_be_behind_and_must_be_one(data):
    """CEA-REG-05: it is never synced; what is no head says nothing."""
    path = data / "registry" / "chain_head"
    behind = path.read_bytes()
    with Registry.open(data, admission="open") as registry:
        registry.account_open("P9")
    path.write_bytes(behind)
    assert [] == check_ledger(data).differences
    with RegistryStore.open(data):
        pass
    path.write_bytes(b"\xff 12")
    with pytest.raises(StoreError, match="expected a link's number and its head"):
        RegistryStore.open(data)


def test_a_registry_killed_before_its_head_is_kept_goes_on(data):
    """CEA-REG-05: behind the commit, in a process that ends there."""
    program = """
import os, signal, sys
from cea_exchange.registry.registry import Registry
registry = Registry.open(sys.argv[1], admission="open")
os.pwrite = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
registry.account_open("P9")
"""
    behind = (data / "registry" / "chain_head").read_bytes()
    ended = subprocess.run([sys.executable, "-c", program, str(data)], timeout=60 * patience())
    assert -signal.SIGKILL == ended.returncode
    assert behind == (data / "registry" / "chain_head").read_bytes()
    assert [] == check_ledger(data).differences
    with Registry.open(data, admission="open") as registry:
        assert registry.store.one("SELECT 1 FROM accounts WHERE account = 'P9'")
        registry.account_open("P10")
    assert behind < (data / "registry" / "chain_head").read_bytes()
    assert [] == check_ledger(data).differences


@pytest.mark.parametrize("written", [None, 30])
def test_on_a_full_disk_the_head_stays_behind(data, monkeypatch, written):
    """CEA-REG-05: whether nothing of it could be written, or a part of the first one."""
    path = data / "registry" / "chain_head"
    path.write_bytes(b"")

    def full(descriptor, content, offset, write=os.pwrite):
        if not os.readlink(f"/proc/self/fd/{descriptor}").endswith("chain_head"):
            return write(descriptor, content, offset)
        if written is None:
            raise OSError(errno.ENOSPC, "no space left")
        return write(descriptor, content[:written], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with Registry.open(data, admission="open") as registry:
        registry.account_open("P9")
    monkeypatch.undo()
    assert b"" == path.read_bytes()
    assert [] == check_ledger(data).differences
    with Registry.open(data, admission="open") as registry:
        registry.account_open("P10")
    assert path.read_bytes().endswith(f" {registry.store.link.head}\n".encode())
    assert [] == check_ledger(data).differences


def test_a_head_that_cannot_be_kept_is_told_at_the_start(data):
    """CEA-REG-05."""
    path = data / "registry" / "chain_head"
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="chain_head"):
        RegistryStore.open(data)


def test_on_top_of_what_somebody_else_wrote_nothing_is_written(data):
    """CEA-REG-05: the triggers log plain statements, and the next link must not cover them."""
    for statement in (
        "UPDATE accounts SET account_group = 'G' WHERE account = 'P2'",
        "INSERT INTO entries SELECT max(entry_id) + 1, 1, 0, 0, -1, 0, 0, 5, '', 1 FROM entries",
    ):
        with Registry.open(data, admission="open") as registry:
            registry.store.database.begin()
            registry.store.execute(statement)
            registry.store.database.commit()
            for _ in range(2):
                with pytest.raises(LinkBroken, match="somebody else has written to it"):
                    registry.account_open("P9")
            assert check_store(registry.store).differences
            with pytest.raises(LinkBroken), registry.transaction():
                pytest.fail("nothing begins")
            answer = Staff(registry).an("account_suspend", account="P1", why="x")
            assert answer["code"] == RegistryRefusal.LEDGER_BROKEN.name


def test_an_entry_has_its_act_and_a_program_leaves_one(tmp_path):
    """CEA-REG-07."""
    with Registry.open(tmp_path, admission="open") as registry:
        registry.product_declare("CEA24", 9_749)
        registry.account_open("P1")
        registry.issue("P1", "CEA24", 5)
        with registry.transaction():
            registry.issue("P1", "CEA24", 6)
            registry.pay_in("P1", 7)
        acts = registry.store.execute("SELECT act_id, op, person FROM acts").fetchall()
        entries = registry.store.execute("SELECT amount, act_id FROM entries").fetchall()
        assert [(1, "library", ""), (2, "library", "")] == acts
        assert [(5, 1), (6, 2), (7, 2)] == entries
        # One that fails within another leaves neither its act nor its number.
        with registry.transaction():
            with pytest.raises(ActError):
                registry.transfer_in("P1", "CEA24", 99)
            registry.pay_in("P1", 8)
        assert 3 == registry.store.one("SELECT act_id FROM entries WHERE amount = 8")
    assert [] == check_ledger(tmp_path).differences
    with RegistryStore.open(tmp_path) as store, store.transaction(act_id=9):
        legs = legs_of(EntryKind.PAY_IN, -2, 0, 65535, 5)
        store.entry_add(
            EntryKind.PAY_IN, legs, (-2, 0, 65535, 5), settlement_seq=0, business_date=20250101
        )
    assert any("its act is not there" in each for each in check_ledger(tmp_path).differences)


def everything(data: Path) -> dict[str, list]:
    with RegistryStore.open_reader(data) as store:
        tables = store.database.columns()
        return {
            table: store.execute(f"SELECT * FROM {table}").fetchall() for table in sorted(tables)
        }


@pytest.mark.slow
def test_a_bit_that_flips_in_the_file_is_found_or_means_nothing(data):
    """CEA-REG-05: of what the database file has, nothing turns into something else unseen."""
    file = data / "registry" / "registry.sqlite"
    content, before, dice = file.read_bytes(), everything(data), random.Random(11)
    found = 0
    for _ in range(80):
        spoiled = bytearray(content)
        spoiled[dice.randrange(len(spoiled))] ^= 1 << dice.randrange(8)
        file.write_bytes(spoiled)
        try:
            is_seen = not check_ledger(data).agrees
        except StoreError:
            is_seen = True
        found += is_seen
        if not is_seen:
            assert before == everything(data)
    assert found > 10


def test_a_text_that_a_flip_has_made_no_utf_8_is_told_as_the_databases_error():
    """Wherever a flip lands, who reads catches one kind of error."""
    database = Sqlite.in_memory()
    with pytest.raises(DatabaseError, match="a text must be UTF-8, is damaged"):
        database.execute("SELECT CAST(x'a0' AS TEXT)").fetchall()


def test_a_kept_record_is_checked_when_it_is_read(store):
    store.database.begin()
    guards_off(store)
    store.execute(TAMPERS["a venue's record"])
    first = store.one("SELECT max(first_seq) FROM settlement_runs WHERE record_count = 1")
    with pytest.raises(StoreError, match="are not those of their hash"):
        record_at(store, first)
    store.database.rollback()
    assert record_at(store, first) is not None


# -- receipts -----------------------------------------------------------------------------------


def checked(file: Path, head: str) -> subprocess.CompletedProcess:
    """Run the page that checks a receipt, where nothing of ours can be imported."""
    command = [sys.executable, "-I", str(CHECK_PAGE), str(file), head]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_receipts_are_checked_by_a_page_without_the_registry(store, tmp_path):
    """CEA-REG-06: of every account that holds anything, and of every act of a confirmed day."""
    days = store.execute(
        "SELECT business_date, first_act, last_act, link_id FROM statement_days ORDER BY 1"
    ).fetchall()
    assert len(days) >= 2
    assert "cea_exchange" not in CHECK_PAGE.read_text()
    date, _first, last_act, link_id = next(day for day in days if day[1] <= day[2])
    head = store.one("SELECT head FROM chain WHERE link_id = ?", (link_id,))
    file = tmp_path / "receipt.json"
    for subject in ("balance P1", "balance P2", "balance competent authority", f"act {last_act}"):
        found = receipt(store, date, subject)
        file.write_text(json.dumps(found))
        done = checked(file, head)
        assert (0, found["leaf"]) == (done.returncode, done.stdout), done.stderr
        assert 1 == checked(file, "0" * 64).returncode
        for spoil in (
            {"leaf": found["leaf"].upper()},
            {"path": found["path"][1:]},
            {"root": "0" * 64},
            {"link": {**found["link"], "entry_last": 1}},
        ):
            file.write_text(json.dumps(found | spoil))
            assert 1 == checked(file, head).returncode, spoil
    with refuses("RECEIPT_UNKNOWN: subject: expected one of the receipts of 20260715"):
        receipt(store, date, "balance P9")
    with refuses("DAY_NOT_CONFIRMED: business_date: expected a confirmed day"):
        receipt(store, 20200101, "balance P1")


def test_a_receipt_says_what_the_statement_says(store):
    registry = Registry(store)
    (date,) = store.execute("SELECT max(business_date) FROM statement_days").fetchone()
    statement = registry.statements.statement("P1", date)
    found = receipt(store, date, "balance P1")
    assert statement["chain_head"] == found["link"]["head"]
    line = next(each for each in statement["products"] if each["product"] == "CEA24")
    for place in ("registration", "trading", "judicial"):
        amount = line.get({"judicial": "frozen"}.get(place, place))
        assert (f"CEA24 {place} {amount}\n" in found["leaf"]) == bool(amount)


def test_a_day_is_confirmed_without_holding_what_its_acts_said(registry):
    """CEA-REG-06: each request and answer has up to 4 MiB; only their hashes are kept."""
    store, count, size, leaves = registry.store, 40, 1 << 20, []
    with store.transaction():
        for act_id in range(1, count + 1):
            request, answer = bytes([act_id]) * size, bytes([100 + act_id]) * size
            row = (act_id, 5, 20260302, "pay_in", "an", "k", "bo", "l", 0, "P1", "", 7)
            store.insert("acts", [(*row, request, answer)])
            leaves.append(
                f"act {act_id}\ntime_ns 5\ndate 20260302\nop pay_in\nperson an\nkey k\nsecond bo\n"
                "second_key l\naccount P1\nproduct \namount 7\n"
                f"request_sha256 {sha256(request).hexdigest()}\n"
                f"answer_sha256 {sha256(answer).hexdigest()}\n"
            )
    tracemalloc.start()
    try:
        root = day_root(store, ReceiptDay(20260302, 0, 1, count))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert root_of(list(map(leaf_hash, leaves))).hex() == root
    assert peak < 6 * size


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31])
def test_every_leaf_of_every_tree_leads_to_its_root(count):
    hashes = [leaf_hash(f"{number}") for number in range(count)]
    for place, node in enumerate(hashes):
        for side, other in path_to(hashes, place):
            pair = other + node if side == "left" else node + other
            node = sha256(b"\1" + pair).digest()
        assert node == root_of(hashes)


def test_trees_are_those_of_rfc_6962():
    """The test vectors of the RFC's reference implementation: roots of its first leaves."""
    inputs = ["", "00", "10", "2021", "3031", "40414243"]
    hashes = [sha256(b"\0" + bytes.fromhex(each)).digest() for each in inputs]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    }
    assert roots == {count: root_of(hashes[:count]).hex() for count in roots}
