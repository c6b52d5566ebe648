"""Rows are written and read by the names of their columns, the same in every database."""

import pytest

from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.registry.store import RegistryStore

NOTICES = "public_notices (notice_number, notice_date, kind, content)"


@pytest.fixture
def store(tmp_path, database_address):
    with RegistryStore.open(tmp_path, database_address) as store, store.transaction():
        store.add(NOTICES, 20260701, "merger", "a")
        store.add(NOTICES, 20260702, "rename", "b")
        yield store


def test_rows_that_are_added_are_numbered_one_after_the_other(store):
    assert 3 == store.add(NOTICES, 20260703, "rename", "c")
    numbers = "SELECT notice_number FROM public_notices ORDER BY notice_number"
    assert [1, 2, 3] == store.column(numbers)


def test_a_row_that_lacks_a_column_is_refused(store):
    with pytest.raises(DatabaseError), store.transaction():
        store.add(NOTICES, 20260703, "rename")


def test_a_row_is_found_by_values_of_its_columns(store):
    found = store.find("public_notices", "notice_number, content", notice_date=20260702)
    assert (2, "b") == found
    assert "a" == store.find("public_notices", "content", kind="merger", notice_date=20260701)
    assert store.find("public_notices", "content", kind="merger", notice_date=20260702) is None
    assert store.has("public_notices", kind="rename")
    assert not store.has("public_notices", kind="seizure")


def test_only_the_rows_that_are_meant_are_changed(store):
    for creditor in ("a", "b"):
        store.add(
            "pay_outs (pay_out_id, account_index, cash, creditor, state)",
            *(-1, 100, creditor, "begun"),
        )
    store.change("pay_outs", {"pay_out_id": 3}, state="paid")
    store.change("pay_outs", {"pay_out_id": 2}, state="returned", cash=99)
    assert (100, "begun") == store.find("pay_outs", "cash, state", pay_out_id=1)
    assert (99, "returned") == store.find("pay_outs", "cash, state", pay_out_id=2)


def test_records_have_the_names_that_the_query_gives(store):
    sql = "SELECT notice_number AS number, kind FROM public_notices WHERE kind = ?"
    assert [{"number": 2, "kind": "rename"}] == store.records(sql, ("rename",))
    assert [] == store.records(sql, ("seizure",))
    assert [(2, "rename")] == store.all(sql, ("rename",))
