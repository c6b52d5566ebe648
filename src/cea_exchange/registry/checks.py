"""How files and figures that break a rule refuse an act of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager

from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.files.findings import FileRefused
from cea_exchange.institution.checks import ActError


@contextmanager
def refusals_raised() -> Iterator[None]:
    """Let a file, or figures that break a rule of the compliance cycle, refuse the act."""
    try:
        yield
    except ComplianceError as error:
        raise ActError(error.code, str(error)) from error
    except FileRefused as error:
        raise ActError(error.code or RegistryRefusal.FILE_REFUSED, str(error)) from error
