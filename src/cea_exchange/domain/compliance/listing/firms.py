"""Which service firm may verify whom, and the number of its report."""

from datetime import date

from msgspec import Struct

from cea_exchange.domain.compliance.enforcement.clocks import months_after

MANAGER_YEARS = 3


class ServiceRecord(Struct, frozen=True, kw_only=True):
    """What a firm has to do with a province and its entities.

    Attributes
    ----------
    prepared_in
        Provinces in which it prepares reports.
    advises, trades
        Whether it advises on allowances, or trades them.
    interests
        Entities in which it holds an interest.
    managers
        Entity -> when a manager of both last was with it.
    banned_until
        Until when it may not serve at all.
    """

    name: str
    prepared_in: frozenset[str] = frozenset()
    advises: bool = False
    trades: bool = False
    interests: frozenset[str] = frozenset()
    managers: dict[str, date] = {}
    banned_until: date | None = None


def conflict(firm: ServiceRecord, entity: str, province: str, on: date) -> str | None:
    """Say why a firm may not verify an entity's report; None if it may.

    Notes
    -----
    Rules: CEA-ENT-15.
    """
    if firm.banned_until is not None and on <= firm.banned_until:
        return f"{firm.name} is banned until {firm.banned_until} (CEA-LAW-11)"
    if province in firm.prepared_in:
        return f"{firm.name} prepares reports in {province} (CEA-ENT-15)"
    if firm.advises or firm.trades:
        what = "advises on allowances" if firm.advises else "trades allowances"
        return f"{firm.name} {what} (CEA-ENT-15)"
    if entity in firm.interests:
        return f"{firm.name} holds an interest in {entity} (CEA-ENT-15)"
    last = firm.managers.get(entity)
    if last is not None and on < months_after(last, 12 * MANAGER_YEARS):
        return f"{firm.name} shared a manager with {entity} until {last} (CEA-ENT-15)"
    return None


def report_number(province: str, firm: str, credit_code: str, year: int, version: int) -> str:
    """Return the number of a verification report.

    Notes
    -----
    Rules: CEA-VER-11.
    """
    if version < 1 or len(credit_code) < 6:
        raise ValueError(
            f"report: expected a version from 1 on and a credit code, got {version} and"
            f" {credit_code!r}"
        )
    return f"{province}-{firm}-{credit_code[-6:]}-{year}-{version}"
