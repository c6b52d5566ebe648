"""Unified social credit codes (统一社会信用代码), by which entities are identified: GB 32100-2015.

18 characters: who registered it, what it is, six digits of where, nine of the subject, and a check
character over the others.
"""

import re

LENGTH = 18
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_FORM = re.compile(f"[{_ALPHABET}]{{2}}[0-9]{{6}}[{_ALPHABET}]{{10}}")
_WEIGHTS = tuple(pow(3, place, 31) for place in range(LENGTH - 1))


def credit_code_check(code: str) -> str:
    """Return a code if it is a sound one.

    Raises
    ------
    ValueError
        It is not of the form, or its check character is another.

    Notes
    -----
    Rules: CEA-ACC-02.
    """
    if not isinstance(code, str) or _FORM.fullmatch(code) is None:
        raise ValueError(
            f"credit_code: expected {LENGTH} digits and capitals (no I, O, S, V, Z) with digits"
            f" at 3 to 8, got {code!r}"
        )
    expected = check_character(code)
    if code[-1] != expected:
        raise ValueError(f"credit_code: expected {expected} at its end, got {code!r}")
    return code


def check_character(code: str) -> str:
    """Return the last character that the first 17 of a code call for."""
    total = sum(
        weight * _ALPHABET.index(character)
        for weight, character in zip(_WEIGHTS, code, strict=False)
    )
    return _ALPHABET[-total % 31]
