"""The province of an official, and the one that a page is about."""

from collections.abc import Callable

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.screens.access import Rights
from cea_exchange.screens.institution.proposals import province_name
from cea_exchange.screens.visit import Visit

NATIONAL = ("authority", "regulator")
OFFICIALS = ("province", "city", *NATIONAL)


def own_province(rights: Rights, system: str) -> int:
    """Return the province that somebody is an official of, also as a city's; 0 if of none."""
    seat = rights.seat(system)
    kind, _, code = seat.body.partition(" ") if seat else ("", "", "")
    if kind not in ("province", "city") or not code.isdigit():
        return 0
    return int(code) // 100 if kind == "city" else int(code)


def province_seen(visit: Visit, system: str) -> int:
    """Return the province that a page is about: the reader's, or the one the address asks for."""
    own = own_province(visit.rights, system)
    asked = visit.asked("province")
    if own:
        return own
    found = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 2 else 0
    return found if found in PROVINCES else next(iter(PROVINCES))


def provinces_offered(visit: Visit, system: str) -> list[tuple[int, str]]:
    """Return the provinces that the reader may choose among; none where there is no choice."""
    if own_province(visit.rights, system):
        return []
    return [(code, province_name(visit.language, code)) for code in PROVINCES]


def official_at(system: str, *roles: str) -> Callable[[Rights], bool]:
    """Return what admits officials of a system: of some roles, or of all."""
    admitted = roles or OFFICIALS
    return lambda rights: rights.role(system) in admitted
