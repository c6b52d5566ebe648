"""Names that were given: none is given that a reader takes for another."""

from collections.abc import Iterable
from typing import NoReturn

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.checks import ActError


def look_alike_check(kind: str, name: str, given: Iterable[str]) -> None:
    """Raise `ActError` if a name looks like another one that was given.

    Parameters
    ----------
    kind
        What bears the name, as ``account``.
    given
        Names of that kind, of what has ended too; the same again is no other one.

    Notes
    -----
    Rules: CEA-PER-04.
    """
    if any(each != name and look_alike(each, name) for each in given):
        look_alike_refuse(kind, name)


def look_alike_refuse(kind: str, name: str) -> NoReturn:
    """Say no; like which one it looks, whoever asks may have no business to know."""
    raise ActError(
        InstitutionRefusal.NAME_LOOKS_ALIKE,
        f"{kind}: expected one that looks like no other, got {name!r} (CEA-PER-04)",
    )
