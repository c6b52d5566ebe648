"""What an item of the platform says and the registry does not find: nothing of it is posted."""

from collections.abc import Iterable, Sequence
from enum import IntEnum

from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import FileRefused
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.links.platform import Mismatch

WORDS_LENGTH_MAX = 500


class Mismatched(Exception):
    """An item is refused, line by line.

    Attributes
    ----------
    mismatches : tuple of Mismatch
        What was expected of which line, and what came.
    """

    def __init__(self, mismatches: Iterable[Mismatch]) -> None:
        self.mismatches = tuple(mismatches)
        super().__init__("; ".join(f"{each.enterprise}: {each.words}" for each in self.mismatches))


def mismatch(enterprise: str, code: IntEnum, words: str) -> Mismatch:
    """Return the mismatch of a line; '' is the item as a whole."""
    return Mismatch(enterprise, code.name, words[:WORDS_LENGTH_MAX])


def mismatch_of(
    error: Exception, enterprise: str, code: IntEnum = RegistryRefusal.ITEM_NOT_ALLOWED
) -> Mismatch:
    """Return the mismatch of a line that an error refuses: by its own code, if it has one."""
    if isinstance(error, ActError | ComplianceError):
        code = error.code
    return mismatch(enterprise, code, str(error))


def mismatched(refused: FileRefused, enterprises: Sequence[str]) -> Mismatched:
    """Return the refusal of an item for what a table of its lines was refused for."""
    return Mismatched(
        mismatch(
            "" if finding.line is None else enterprises[finding.line],
            finding.code or RegistryRefusal.ITEM_NOT_ALLOWED,
            finding.text if finding.column is None else f"{finding.column}: {finding.text}",
        )
        for finding in refused.findings
    )
