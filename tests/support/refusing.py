"""How a test says why something must be refused: by the code, and the words where they count."""

import re

import pytest

from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.institution.checks import ActError

Kinds = type[Exception] | tuple[type[Exception], ...]


def refuses(pattern: str, kind: Kinds = (ActError, ComplianceError)):
    """Expect a refusal whose ``CODE: words`` has the pattern.

    Parameters
    ----------
    pattern
        A regular expression, such as ``ACCOUNT_UNKNOWN``, or ``ACCOUNT_UNKNOWN: .*'P9'``.
    kind
        What is raised; of one without a `code` only the words.
    """

    def is_so(error: Exception) -> bool:
        shown = f"{error.code.name}: {error}" if hasattr(error, "code") else str(error)
        assert re.search(pattern, shown), f"expected {pattern!r}, got {shown!r}"
        return True

    return pytest.raises(kind, check=is_so)
