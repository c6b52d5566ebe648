"""The smallest institution: an archive that keeps documents, and destroys some."""

from pathlib import Path

from cea_exchange.ledger.database.tables import FirstRows, Schema
from cea_exchange.ledger.record_store import RecordStore

SCHEMA_VERSION = 1


def first_rows() -> FirstRows:
    """Return the rows of a new archive."""
    yield "meta (id, institution, schema_version)", [(1, "archive", SCHEMA_VERSION)]


ARCHIVE_SCHEMA = Schema(
    institution="archive",
    version=SCHEMA_VERSION,
    own=Path(__file__).with_name("schema"),
    roles=("archivist", "inspector"),
    append_only=("destructions",),
    first_rows=first_rows,
)


class ArchiveStore(RecordStore):
    """An open database of an archive."""

    schema = ARCHIVE_SCHEMA
