"""What a folder notes of its database: never half of it, and never taken for something else."""

import os

import pytest

from cea_exchange.ledger.database.epoch_file import EpochFile, note_write
from cea_exchange.ledger.database.folder import ADDRESS_FILE, address_of
from cea_exchange.ledger.database.interface import DatabaseError

ADDRESS = "postgresql://db1.internal/registry"


@pytest.mark.parametrize("content", ["", "\n", "db1.internal/registry\n", "sqlite:///x\n"])
def test_a_folder_that_speaks_of_no_database_is_refused(tmp_path, content):
    """An empty address was libpq's for whatever server there is."""
    (tmp_path / ADDRESS_FILE).write_text(content)
    for given in (None, ADDRESS):
        with pytest.raises(DatabaseError, match="database: expected postgresql://..., got '"):
            address_of(tmp_path, given)
    (tmp_path / ADDRESS_FILE).write_bytes(b"\xff")
    with pytest.raises(DatabaseError, match="database can not be read"):
        address_of(tmp_path)


def test_a_note_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, sync = [], os.fsync

    def noted(descriptor):
        assert not (tmp_path / "note").exists()
        synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    note_write(tmp_path / "note", ADDRESS)
    assert synced == [(tmp_path / "note").stat().st_ino]
    assert (tmp_path / "note").read_text() == f"{ADDRESS}\n"


def test_a_note_that_can_not_be_written_leaves_that_of_before(tmp_path, monkeypatch):
    epochs = EpochFile(tmp_path)
    epochs.keep(7)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatabaseError, match="writer_epoch can not be written: No space left"):
        epochs.keep(8)
    assert epochs.known() == 7
