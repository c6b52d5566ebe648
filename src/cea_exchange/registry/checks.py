"""How days, files and figures that break a rule refuse an act of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager

from cea_exchange.domain.bank_identifiers import date_check
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import FileRefused
from cea_exchange.institution.checks import ActError, refused_as


def day_checked(day: int, what: str, *, first: int = 0, after: int = 0, last: int = 0) -> None:
    """Raise `ActError` unless a day is a date, yyyymmdd, and one of those that it may be."""
    with refused_as(RegistryRefusal.DATE_UNSOUND):
        date_check(day, what)
    if day < first:
        expected = f"{first} or later"
    elif day <= after:
        expected = f"after {after}"
    elif last and day > last:
        expected = f"{last} at most"
    else:
        return
    raise ActError(RegistryRefusal.DATE_OUT_OF_RANGE, f"{what}: expected {expected}, got {day}")


@contextmanager
def refusals_raised() -> Iterator[None]:
    """Let a file, or figures that break a rule of the compliance cycle, refuse the act."""
    try:
        yield
    except ComplianceError as error:
        raise ActError(error.code, str(error)) from error
    except FileRefused as error:
        raise ActError(error.code or RegistryRefusal.FILE_REFUSED, str(error)) from error
