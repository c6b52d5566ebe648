"""The answer that refuses a request: a code for programs, words for a person."""

from enum import IntEnum
from typing import Any, TypeVar

Code = TypeVar("Code", bound=IntEnum)


def refused(code: IntEnum, words: str) -> dict[str, Any]:
    """Return the answer of a registry or bank that refuses a request.

    Parameters
    ----------
    code
        A member of the daemon's closed enum.
    words
        What was expected, what was got.
    """
    return {"ok": False, "code": code.name, "error": words}


def code_of(answer: dict[str, Any], codes: type[Code]) -> Code | None:
    """Return the code of an answer; None where it has none, or one that came after this version."""
    name = answer.get("code")
    return codes.__members__.get(name) if isinstance(name, str) else None
