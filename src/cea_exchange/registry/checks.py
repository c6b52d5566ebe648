"""How files and figures that break a rule refuse an act of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager

from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.institution.checks import ActError
from cea_exchange.registry.files.findings import FileRefused


@contextmanager
def refusals_told() -> Iterator[None]:
    """Let a file, or figures that break a rule of the compliance cycle, refuse the act."""
    try:
        yield
    except (ComplianceError, FileRefused) as error:
        raise ActError(error.code, str(error)) from error
