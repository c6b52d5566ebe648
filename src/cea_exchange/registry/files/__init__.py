"""Files that come from the authority, the provinces and the CCER registry, and files to them.

    source = SourceFile.load("allocation-2024-final.xlsx")
    table = allocation_read(source, vintages={"CEA24": 2024}, provinces={"P001": 11})
    table.rows, table.sha256

CSV, XLSX (extra ``xlsx``) and Parquet (extra ``arrow``) give the same rows; a file is taken whole
or refused whole. Nothing here knows the database: what is to be looked up is passed in.
`protocol/registry_files.md` says what the files look like.
"""

from cea_exchange.files.cells.source import SourceFile
from cea_exchange.files.findings import FileRefused, Finding
from cea_exchange.files.reading import FileTable
from cea_exchange.files.writing import table_bytes
from cea_exchange.registry.files.layouts.allocation import ALLOCATION, Allocation, allocation_read
from cea_exchange.registry.files.layouts.cancellation_proofs import (
    CANCELLATION_PROOFS,
    CancellationProof,
    cancellation_proofs_read,
)
from cea_exchange.registry.files.layouts.obligations import (
    OBLIGATIONS,
    Obligation,
    obligations_read,
)
from cea_exchange.registry.files.layouts.units import UNITS, UnitFigures, units_read

__all__ = [
    "ALLOCATION",
    "CANCELLATION_PROOFS",
    "OBLIGATIONS",
    "UNITS",
    "Allocation",
    "CancellationProof",
    "FileRefused",
    "FileTable",
    "Finding",
    "Obligation",
    "SourceFile",
    "UnitFigures",
    "allocation_read",
    "cancellation_proofs_read",
    "obligations_read",
    "table_bytes",
    "units_read",
]
