"""Findings about a file: each fault with its place, and the refusal that carries them."""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

FINDINGS_MAX = 20
"""At most so many are reported of one file at a time."""


class Finding(NamedTuple):
    """One thing that is wrong."""

    line: int | None
    """The line, sheet row or record a person would look at; None: the file as a whole."""
    column: str | None
    """Name of the column; None: the line as a whole."""
    text: str
    """What was expected, what was got."""
    code: IntEnum | None = None
    """What is wrong where the file is sound, but not what it asks for: of whose file it is."""


class FileRefused(ValueError):
    """A file is not as it must be, and nothing of it was taken.

    Its text has a line for each finding: `FILE:LINE: column: expected ..., got ...`.

    Attributes
    ----------
    file : str
        Its name.
    findings : tuple of Finding
        The first `FINDINGS_MAX`.
    count : int
        All there are, as far as the file could be read.
    code : IntEnum or None
        Of all findings, where they have one in common; None: the file itself is not as it must be.
    """

    def __init__(self, file: str, findings: tuple[Finding, ...], count: int) -> None:
        self.file = file
        self.findings = findings
        self.count = count
        codes = {finding.code for finding in findings}
        self.code = codes.pop() if len(codes) == 1 else None
        lines = [_line(file, finding) for finding in findings]
        if count > len(findings):
            lines.append(f"{file}: and {count - len(findings)} more")
        super().__init__("\n".join(lines))


class Findings:
    """Collects all faults of one file, so that they are reported together.

    Parameters
    ----------
    file : str
        Errors name it.

    Attributes
    ----------
    first : list of Finding
        The first `FINDINGS_MAX`.
    count : int
        All of them.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self.first: list[Finding] = []
        self.count = 0

    def add(
        self,
        line: int | None,
        column: str | None,
        text: str,
        code: IntEnum | None = None,
    ) -> None:
        """Note a finding."""
        if self.count < FINDINGS_MAX:
            self.first.append(Finding(line, column, text, code))
        self.count += 1

    def take(self, first: Sequence[Finding], count: int) -> None:
        """Add what another reader of the same file found: the first findings, and their number."""
        self.first += first[: max(0, FINDINGS_MAX - self.count)]
        self.count += count

    def refusal(self) -> FileRefused:
        """Return the error of what was found."""
        return FileRefused(self._file, tuple(self.first), self.count)

    def refuse(self, line: int | None, text: str) -> FileRefused:
        """Note what keeps the file from being read any further, and return the error to raise."""
        self.add(line, None, text)
        return self.refusal()

    def raise_any(self) -> None:
        """Raise `FileRefused` if anything was found."""
        if self.count:
            raise self.refusal()


def _line(file: str, finding: Finding) -> str:
    place = file if finding.line is None else f"{file}:{finding.line}"
    return ": ".join(part for part in (place, finding.column, finding.text) if part)
