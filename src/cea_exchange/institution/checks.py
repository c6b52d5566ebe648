"""What every act checks first, and how it says no."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import SupportsIndex

from cea_exchange.domain.naming import is_one_line, name_check, plain_name_check
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.units import whole_number

INT64_MAX = 2**63 - 1
WHY_LENGTH_MAX = 200
"""Characters of a reason."""


class ActError(ValueError):
    """The act is refused, and nothing was changed.

    Parameters
    ----------
    code
        Why, of the institution's closed enum; programs branch on it.
    words
        For a person: what was expected, what was got.
    """

    def __init__(self, code: IntEnum, words: str) -> None:
        super().__init__(words)
        self.code = code


@contextmanager
def refused_as(
    code: IntEnum,
    errors: type[Exception] | tuple[type[Exception], ...] = (TypeError, ValueError),
    *,
    says: str = "",
) -> Iterator[None]:
    """Let an error within refuse the act: by default what says that a value is unsound.

    Parameters
    ----------
    says
        What stands before the error's own words.
    """
    try:
        yield
    except errors as error:
        raise ActError(code, says + str(error)) from None


def name_checked(name: str, what: str) -> None:
    """Raise `ActError` unless a name of an account or product is a sound one."""
    with refused_as(InstitutionRefusal.NAME_UNSOUND):
        plain_name_check(name_check(name, what), what)


def amount_checked(amount: SupportsIndex, what: str) -> int:
    """Return tonnes or fen; `ActError` unless they are a positive whole number of 63 bits."""
    try:
        number = whole_number(amount, what)
    except TypeError:
        got = type(amount).__name__
        raise ActError(
            InstitutionRefusal.AMOUNT_UNSOUND, f"{what}: expected a whole number, got {got}"
        ) from None
    if not 0 < number <= INT64_MAX:
        raise ActError(
            InstitutionRefusal.AMOUNT_UNSOUND,
            f"{what}: expected positive and below 2^63, got {number}",
        )
    return number


def name_words_checked(name: str, what: str, length_max: int, *, required: bool = True) -> None:
    """Raise `ActError` unless a person's, entity's or group's name is a sound one.

    Rules: CEA-PER-04.
    """
    words_checked(name, what, length_max, required=required)
    with refused_as(InstitutionRefusal.NAME_UNSOUND):
        plain_name_check(name, what)


def words_checked(words: str, what: str, length_max: int, *, required: bool = True) -> None:
    """Raise `ActError` unless a person's words are of one line, and not too many."""
    if not isinstance(words, str):
        raise ActError(
            InstitutionRefusal.TEXT_UNSOUND, f"{what}: expected text, got {type(words).__name__}"
        )
    if len(words) > length_max or words != words.strip() or not is_one_line(words):
        raise ActError(
            InstitutionRefusal.TEXT_UNSOUND,
            f"{what}: expected one line of at most {length_max} characters, got {words!r}",
        )
    if required and not words:
        raise ActError(InstitutionRefusal.TEXT_UNSOUND, f"{what}: expected some words, got ''")
