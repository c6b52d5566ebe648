"""How a test says why something must be refused: by the code, and the words where they count."""

import re

import pytest

from cea_exchange.registry.checks import ActError


def refuses(pattern: str, kind: type[Exception] = ActError):
    """Expect a refusal whose ``CODE: words`` has the pattern.

    Parameters
    ----------
    pattern
        A regular expression, such as ``ACCOUNT_UNKNOWN``, or ``ACCOUNT_UNKNOWN: .*'P9'``.
    kind
        What is raised; it has a `code`.
    """

    def is_so(error: Exception) -> bool:
        told = f"{error.code.name}: {error}"
        assert re.search(pattern, told), f"expected {pattern!r}, got {told!r}"
        return True

    return pytest.raises(kind, check=is_so)
