"""Measures of the exchange against accounts: the ladder, and what of it is in force on a day.

0 watched  1 called  2 report due  3 pledge or interview  4 warned  5 named in public
6 restricted: kept from purchases, sales, taking tonnes or cash out, each alone
7 suspended, and reported to the ministry
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from cea_exchange.domain.calendar import is_date_number
from cea_exchange.domain.records import Restriction
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import (
    ActRefusal,
    account_unknown,
    not_next,
    persons_refusal,
    reason_refusal,
    refused,
)

NAMES = (
    *("watched", "called", "report_due", "pledge", "warned", "named", "restricted", "suspended"),
)
"""Of the steps, from 0 on."""
STEP_PUBLIC = 5
STEP_RESTRICTS = 6
STEP_SUSPENDS = 7
STEP_OF_TWO = 6
"""From here on two persons answer for it."""


class Measure(Struct, frozen=True):
    """A measure as it was taken, and how it was lifted.

    Attributes
    ----------
    taken
        What the journal has of it.
    lifted
        The same of its end; None while nobody has ended it.
    """

    taken: control.MeasureTaken
    lifted: control.MeasureLifted | None = None

    def is_in_force(self, trading_date: int) -> bool:
        """Return whether it counts on a trading date; between days the last one goes on.

        Notes
        -----
        Rules: CEA-MSR-01.
        """
        taken = self.taken
        has_begun = taken.starts <= trading_date
        is_over = taken.ends != 0 and trading_date > taken.ends
        return self.lifted is None and has_begun and not is_over


MeasureAct = control.MeasureTaken | control.MeasureLifted | control.MeasuresKept


def refusal(
    measures: Sequence[Measure],
    accounts: Mapping[str, int],
    trading_date: int,
    act: MeasureAct,
) -> ActRefusal:
    """Say why an act about measures may not be journaled; None if it may."""
    match act:
        case control.MeasureTaken():
            return taking_refusal(measures, accounts, trading_date, act)
        case control.MeasureLifted():
            return lifting_refusal(measures, trading_date, act)
        case control.MeasuresKept():
            return keeping_refusal(measures, accounts, act)


def taking_refusal(
    measures: Sequence[Measure],
    accounts: Mapping[str, int],
    trading_date: int,
    act: control.MeasureTaken,
) -> ActRefusal:
    """Say why a measure may not be journaled; None if it may.

    Notes
    -----
    Rules: CEA-MSR-01, CEA-MSR-02, CEA-MSR-03.
    """
    if act.account not in accounts:
        return account_unknown("measure", act.account)
    if act.measure != len(measures) + 1:
        return not_next("measure", len(measures) + 1, act.measure)
    if (missing := reason_refusal("measure", act)) is not None:
        return missing
    if bool(act.barred) != (act.step == STEP_RESTRICTS):
        wanted = "what it restricts" if act.step == STEP_RESTRICTS else "no restrictions"
        where = f"measure of step {act.step}"
        return refused(VenueRefusal.MEASURE_TERMS, where, wanted, list(act.barred))
    for what, date in (("starts", act.starts), ("ends", act.ends)):
        if date and not is_date_number(date):
            where = f"measure: {what}"
            return refused(VenueRefusal.VALUE_UNSOUND, where, "a date, yyyymmdd", date)
    earliest = max(act.starts, trading_date)
    if act.ends and act.ends < earliest:
        code, expected = VenueRefusal.DATE_OUT_OF_RANGE, f"{earliest} or later"
        return refused(code, "measure: ends", expected, act.ends)
    return _persons_refusal(act.step, act)


def lifting_refusal(
    measures: Sequence[Measure], trading_date: int, act: control.MeasureLifted
) -> ActRefusal:
    """Say why a measure can't be lifted; None if it can.

    Notes
    -----
    Rules: CEA-MSR-01, CEA-MSR-03.
    """
    if act.measure > len(measures):
        expected = f"one up to {len(measures)}"
        return refused(VenueRefusal.MEASURE_UNKNOWN, "measure", expected, act.measure)
    measure, got = measures[act.measure - 1], ""
    if measure.lifted is not None:
        got = "one that was lifted"
    elif measure.taken.ends and measure.taken.ends < trading_date:
        got = f"one that ended on {measure.taken.ends}"
    if got:
        where = f"measure {act.measure}"
        return refused(VenueRefusal.MEASURE_ENDED, where, "one in force", got)
    return reason_refusal("measure", act) or _persons_refusal(measure.taken.step, act)


def keeping_refusal(
    measures: Sequence[Measure], accounts: Mapping[str, int], act: control.MeasuresKept
) -> ActRefusal:
    """Say why the measures of a life before can't go on; None if they can.

    Notes
    -----
    Rules: CEA-MSR-06.
    """
    if measures:
        expected, got = "no measure taken before them", str(len(measures))
        return refused(VenueRefusal.NOT_NEXT, "measures of the life before", expected, got)
    if (missing := persons_refusal("measures kept", act)) is not None:
        return missing
    for number, each in enumerate(act.measures, start=1):
        if each.taken.measure != number:
            return not_next("measures kept", number, each.taken.measure)
        if each.taken.account not in accounts:
            return account_unknown(f"measure {number}", each.taken.account)
    return None


def _persons_refusal(step: int, act: control.ActOfTwo) -> ActRefusal:
    return None if step < STEP_OF_TWO else persons_refusal(f"measure of step {step}", act)


def restrictions(measures: Sequence[Measure], account: str, trading_date: int) -> int:
    """Return what an account is kept from on a trading date: bits of `Restriction`.

    Notes
    -----
    Rules: CEA-MSR-02.
    """
    bits = 0
    for measure in _in_force(measures, account, trading_date):
        for name in measure.taken.barred:
            bits |= Restriction[name.upper()]
    return bits


def suspends(measures: Sequence[Measure], account: str, trading_date: int) -> bool:
    """Return whether a measure suspends an account on a trading date.

    Notes
    -----
    Rules: CEA-MSR-04.
    """
    found = _in_force(measures, account, trading_date)
    return any(measure.taken.step == STEP_SUSPENDS for measure in found)


def _in_force(measures: Sequence[Measure], account: str, trading_date: int) -> list[Measure]:
    return [
        measure
        for measure in measures
        if measure.taken.account == account and measure.is_in_force(trading_date)
    ]


def taken_effect(
    core: Any,
    measures: Sequence[Measure],
    indexes: Mapping[str, int],
    suspended: dict[str, bool],
    others: tuple[Mapping[str, bool], ...],
) -> list[np.ndarray]:
    """Restrict and suspend accounts as measures say today, and set free where none does any more.

    Parameters
    ----------
    indexes
        All accounts.
    suspended
        Names of the accounts that a measure suspends: whether an operator has, too. Changes.
    others
        The same of those that are suspended by somebody else than an operator.

    Returns
    -------
    list of ndarray of Event
        What changed.

    Notes
    -----
    Rules: CEA-MSR-02, CEA-MSR-04.
    """
    parts = []
    today = core.trading_date
    for account in sorted({measure.taken.account for measure in measures}):
        index = indexes[account]
        bits = restrictions(measures, account, today)
        if core.account(index)["restricted"] != bits:
            parts.append(core.restrict(index, bits))
        if suspends(measures, account, today):
            if account not in suspended:
                by_operator = bool(core.account(index)["suspended"])
                for other in others:
                    by_operator = other.get(account, by_operator)
                suspended[account] = by_operator
                parts.append(core.suspend(index))
        elif account in suspended:
            stays = suspended.pop(account) or any(account in other for other in others)
            if not stays:
                parts.append(core.restore(index))
    return parts


def shown(measures: Sequence[Measure], trading_date: int) -> list[dict[str, Any]]:
    """Return measures as operators and regulators see them, oldest first."""
    return [
        {
            "measure": measure.taken.measure,
            "case": measure.taken.case,
            "account": measure.taken.account,
            "step": measure.taken.step,
            "name": NAMES[measure.taken.step],
            "barred": list(measure.taken.barred),
            "starts": measure.taken.starts,
            "ends": measure.taken.ends,
            "taken_at_ns": measure.taken.at_ns,
            "by": measure.taken.by,
            "second": measure.taken.second,
            "why": measure.taken.why,
            "is_in_force": measure.is_in_force(trading_date),
            "lifted_at_ns": measure.lifted.at_ns if measure.lifted else 0,
            "lifted_by": measure.lifted.by if measure.lifted else "",
            "lifted_why": measure.lifted.why if measure.lifted else "",
        }
        for measure in measures
    ]


def public_list(measures: Sequence[Measure], trading_date: int) -> list[dict[str, Any]]:
    """Return what the public is shown of measures: those from step 5 on, without the words inside.

    Notes
    -----
    Rules: CEA-MSR-05.
    """
    fields = ("measure", "account", "step", "name", "barred", "starts", "ends", "is_in_force")
    return [
        {name: row[name] for name in fields}
        for row in shown(measures, trading_date)
        if row["step"] >= STEP_PUBLIC
    ]
