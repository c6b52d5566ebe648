"""The bank's files in the registry's folder: batches out, reports and statements in."""

import hashlib
import os
from pathlib import Path

from cea_exchange.domain.naming import is_one_line
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, refused_as
from cea_exchange.protocol.bank.iso_20022 import pain_001, pain_002
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.bank.statements import StatusReport
from cea_exchange.registry.bank.matching import Matching
from cea_exchange.registry.bank.reports import Unapplied
from cea_exchange.registry.bank.service import BankService

EVERY_BATCH = 1 << 40


class BankFiles:
    """Carries the bank's instructions and answers as files."""

    def __init__(self, bank: BankService) -> None:
        self.folder: Path | None = None
        self._bank = bank

    def batches_write(self) -> list[str]:
        """Write the batches the bank has not answered into ``out``; return the files' paths."""
        bank = self._bank
        while bank.instruct():
            pass
        folder = self._place("out")
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for batch in bank.batches(EVERY_BATCH):
            path = folder / f"{batch.batch_id}.xml"
            draft = path.with_suffix(".new")
            draft.write_bytes(pain_001.batch_write(batch))
            os.replace(draft, path)
            paths.append(str(path))
        return paths

    def report_read(self, file: str, sha256: str) -> tuple[StatusReport, list[Unapplied]]:
        """Take a status report (pain.002) from ``in``.

        Returns the report, and what of it could not be applied.

        Raises ActError: file, line and reason; nothing was changed.

        Parameters
        ----------
        sha256
            Of the file's bytes, in hexadecimal digits: another file of that name is refused.
        """
        content, bank = self._content(file, sha256), self._bank
        with refused_as(RegistryRefusal.BANK_FILE_REFUSED, BankFileError):
            batch = bank.batch_sent(pain_002.report_read(content, file).batch_id)
            report = pain_002.report_read(content, file, batch=batch)
        return report, bank.reports.report_take(report, content)

    def statement_read(self, file: str, sha256: str) -> Matching:
        """Read a statement (camt.053) from ``in``, whole or not at all; see `report_read`."""
        with refused_as(RegistryRefusal.BANK_FILE_REFUSED, BankFileError):
            return self._bank.books.statement_read(self._content(file, sha256), file)

    def _place(self, name: str) -> Path:
        if self.folder is None:
            raise ActError(
                RegistryRefusal.BANK_NOT_SET, "bank: expected a folder for its files, got none"
            )
        return self.folder / name

    def _content(self, file: str, sha256: str) -> bytes:
        if Path(file).name != file or not is_one_line(file):
            raise ActError(
                RegistryRefusal.BANK_FILE_UNKNOWN,
                f"file: expected a name in {self._place('in')}, got {file!r}",
            )
        try:
            content = (self._place("in") / file).read_bytes()
        except OSError as error:
            raise ActError(
                RegistryRefusal.BANK_FILE_UNKNOWN,
                f"{self._place('in') / file}: expected a file that can be read, got"
                f" {error.strerror}",
            ) from None
        got = hashlib.sha256(content).hexdigest()
        if got != sha256:
            raise ActError(
                RegistryRefusal.FILE_CHANGED, f"{file}: expected sha256 {sha256}, got {got}"
            )
        return content
