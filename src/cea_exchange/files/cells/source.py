"""A file as it was received: its bytes, by which it is known again, and its table of cells."""

import hashlib
from pathlib import Path
from typing import Self

from cea_exchange.files.cells.csv import CODECS, Encoding, csv_cells
from cea_exchange.files.cells.parquet import parquet_cells
from cea_exchange.files.cells.table import CellTable
from cea_exchange.files.cells.travel import cells_taken
from cea_exchange.files.cells.xlsx import xlsx_cells
from cea_exchange.files.findings import Findings
from cea_exchange.files.formats import READ, listed
from cea_exchange.user_files.opening import UserFileError, bytes_read
from cea_exchange.user_files.read_ahead import Reading, ReadLimits, result_of

FILE_BYTES_MAX = 16 << 20
"""A file of all covered entities has some 300 KB."""

READ_LIMITS = ReadLimits(cpu_s=6, memory_bytes=1 << 30, result_bytes=1 << 25)
"""Of the process that takes a workbook apart: the largest takes at most 2.6 s and 90 MiB."""
_WORKER = "cea_exchange.files.cells.worker"
READ_APART = (".xlsx", ".parquet")
"""Formats that unpack: a small file of theirs may hold much. CSV is read within 0.1 s."""


class SourceFile:
    """A file's name and bytes.

    Read once: what is parsed is what was hashed, whatever happens to the file meanwhile.

    Parameters
    ----------
    name : str
        Errors name it, and its end says which format it has: `.csv`, `.xlsx` or `.parquet`.
    data : bytes
        All of it.
    encoding : {"utf-8", "gb18030", "gbk", "gb2312"}
        Of a CSV file. It is never guessed: most bytes of one read as something in the other.

    Attributes
    ----------
    sha256 : str
        Hash of the bytes: two files with the same are the same file.
    """

    def __init__(self, name: str, data: bytes, encoding: Encoding = "utf-8") -> None:
        if encoding not in CODECS:
            raise ValueError(f"encoding: expected one of {', '.join(CODECS)}, got {encoding!r}")
        self.name = name
        self.data = data
        self.encoding = encoding
        self.sha256 = hashlib.sha256(data).hexdigest()

    @classmethod
    def load(cls, path: str | Path, encoding: Encoding = "utf-8") -> Self:
        """Read a file.

        Raises
        ------
        FileRefused
            If it can't be read. Of one that is too large no more is read than shows it.
        """
        try:
            data = bytes_read(path, "a file", FILE_BYTES_MAX)
        except UserFileError as error:
            why = str(error).removeprefix(f"{path}: ")
            raise Findings(str(path)).refuse(None, why) from None
        return cls(str(path), data, encoding)

    @property
    def form(self) -> str:
        """Return the end of its name, in lower case."""
        return Path(self.name).suffix.lower()

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Return what a process of its own should read before the act that takes the file."""
        if self.form not in READ_APART or len(self.data) > FILE_BYTES_MAX:
            return ()
        return (Reading(_WORKER, (self.form,), self.data, READ_LIMITS),)

    def cells(self, findings: Findings) -> CellTable:
        """Take the file apart into cells.

        Raises
        ------
        FileRefused
            If it is not of its format, or too large.
        ModuleNotFoundError
            Without the package that reads the format; the message says which extra brings it.
        """
        if len(self.data) > FILE_BYTES_MAX:
            raise findings.refuse(None, f"expected at most {FILE_BYTES_MAX} bytes, got more")
        for reading in self.readings:
            if (result := result_of(reading)) is not None:
                if result.failure:
                    raise findings.refuse(None, result.failure)
                return cells_taken(result.written, findings)
        match self.form:
            case ".csv":
                return csv_cells(self.data, self.encoding, findings)
            case ".xlsx":
                return xlsx_cells(self.data, findings)
            case ".parquet":
                return parquet_cells(self.data, findings)
            case other:
                text = f"expected a name that ends in {listed(READ)}, got {other!r}"
                raise findings.refuse(None, text)
