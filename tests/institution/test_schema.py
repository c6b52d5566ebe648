"""An institution brings its own tables: chained and logged, and no other takes its database."""

import shutil

import pytest

from cea_exchange.ledger.chain import chain_breaks
from cea_exchange.ledger.database.interface import ConstraintViolated
from cea_exchange.ledger.database.row_log import logged_tables, unlogged_rows
from cea_exchange.ledger.database.schema import triggers_wrong
from cea_exchange.ledger.record_store import RecordStore, StoreError
from cea_exchange.registry.store import RegistryStore
from support.institution.archive import ARCHIVE_SCHEMA, ArchiveStore

OTHER = "expected a database of the {}, got one of the {}"


def kept(store: RecordStore, title: str) -> None:
    with store.transaction():
        number = store.next_id("documents", "document_id")
        store.insert(
            "documents (document_id, title, content, state)", [(number, title, b"\x00", "kept")]
        )


def differences(store: RecordStore) -> list[object]:
    with store.view():
        found = [*triggers_wrong(store.database, store.schema)]
        found += chain_breaks(store.database, store.schema)
        for table in logged_tables(store.schema):
            found += store.execute(unlogged_rows(table))
    return found


def test_its_own_tables_are_chained_and_logged(tmp_path, database_address):
    with ArchiveStore.open(tmp_path, database_address) as store:
        kept(store, "a treaty")
        kept(store, "a map")
        assert 3 == store.link.link_id
        assert [] == differences(store)
        assert "entries" not in store.database.columns()
    with ArchiveStore.open(tmp_path) as store:
        # It goes on where it was, in the folder that is its own.
        assert 3 == store.link.link_id
        kept(store, "a letter")
    with ArchiveStore.open_reader(tmp_path) as store:
        assert ["a letter", "a map", "a treaty"] == [
            title for (title,) in store.execute("SELECT title FROM documents ORDER BY title")
        ]
        assert not (tmp_path / "registry").exists()


def steps_of_comparing(folder, count: int) -> int:
    """Return hundreds of SQLite's steps that so many rows take to be held against their log."""
    taken = 0

    def step() -> bool:
        nonlocal taken
        taken += 1
        return False

    with ArchiveStore.open(folder) as store:
        with store.transaction():
            for number in range(count):
                kept(store, f"map {number}")
        store.database.connection.set_progress_handler(step, 100)
        assert [] == differences(store)
    return taken


def test_ten_times_the_rows_are_compared_in_about_ten_times_the_steps(tmp_path):
    """A nation's ledger has tens of thousands of rows in a table."""
    few = steps_of_comparing(tmp_path / "few", 60)
    assert 3 * few < steps_of_comparing(tmp_path / "many", 600) < 15 * few


def test_what_fails_is_taken_back_with_its_link(tmp_path, database_address):
    with ArchiveStore.open(tmp_path, database_address) as store:
        kept(store, "a map")
        link = store.link
        with pytest.raises(ConstraintViolated):
            kept(store, "a map")
        assert link == store.link
        kept(store, "a treaty")
        assert [] == differences(store)


def test_its_own_tables_are_append_only_where_it_says_so(tmp_path, database_address):
    with ArchiveStore.open(tmp_path, database_address) as store:
        with store.transaction():
            store.insert("destructions (document_id, why, by_persons)", [(1, "mould", "an and bo")])
        with pytest.raises(ConstraintViolated, match="append-only"), store.transaction():
            store.execute("UPDATE destructions SET why = 'none'")


@pytest.mark.parametrize(
    ("first", "second"), [(ArchiveStore, RegistryStore), (RegistryStore, ArchiveStore)]
)
def test_a_database_of_another_institution_is_refused(tmp_path, database_address, first, second):
    first.open(tmp_path, database_address).close()
    if database_address is None:
        folder = second.folder(tmp_path)
        folder.mkdir()
        source = first.folder(tmp_path) / f"{first.schema.institution}.sqlite"
        shutil.copy(source, folder / f"{second.schema.institution}.sqlite")
    words = OTHER.format(second.schema.institution, first.schema.institution)
    with pytest.raises(StoreError, match=words):
        second.open(tmp_path, database_address)
    with pytest.raises(StoreError, match=words):
        second.open_reader(tmp_path, database_address)
    with first.open(tmp_path) as store:
        assert [] == differences(store)


def test_roles_are_the_institutions_own(tmp_path, database_address):
    into = "persons (public_key, person, role, body, added_at_ns, removed_at_ns)"
    with ArchiveStore.open(tmp_path, database_address) as store:
        with store.transaction():
            store.insert(into, [("k" * 40, "an", "archivist", "archive", 1, 0)])
        with pytest.raises(ConstraintViolated), store.transaction():
            store.insert(into, [("l" * 40, "bo", "operator", "registry", 1, 0)])
    assert ARCHIVE_SCHEMA.tables[:3] == ("meta", "documents", "destructions")
