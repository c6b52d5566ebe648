"""From what was given ahead to what is due: issue, recall, deduct, and carry what is left.

Allowances come in two stages. Each gives what is new less what is to be deducted, which never makes
a stage negative; what could not be deducted is still to adjust. Where the final allocation turns
out smaller than what was deducted ahead, the difference goes back to what is still to adjust:

    pre-allocated 50,000, final 30,000, to deduct 70,000
    ahead   deducted 50,000   issued 0   still to adjust 20,000
    final   returned 20,000   issued 0   still to adjust 40,000
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from cea_exchange.domain.compliance.ruled import Count, Draftable, DraftableDate
from cea_exchange.domain.units import tonnes_check

Cause = Literal["unpaid", "borrowed", "enforcement", "other"]


class Deduction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision that tonnes are taken off an entity's allowances.

    Attributes
    ----------
    cause
        `unpaid` (allowances not surrendered), `borrowed` (from an earlier year), `enforcement`
        (what inspections found) or `other`.
    tonnes
        Still to be taken.
    decided_on
        yyyymmdd.
    """

    cause: Cause
    tonnes: int
    decided_on: int


class Stage(Struct, frozen=True, kw_only=True):
    """What a stage of the distribution does.

    Attributes
    ----------
    change
        Tonnes to issue; negative: to recall.
    deducted
        Tonnes taken for each deduction in this stage, negative where they go back to it.
    remaining
        Tonnes of each deduction that are still to adjust.
    """

    change: int
    deducted: tuple[int, ...]
    remaining: tuple[int, ...]


class Recall(Struct, frozen=True, kw_only=True):
    """What of an excess is taken back now, and what is still to adjust."""

    recalled: int
    remaining: int


class AdjustmentRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deductions may be decided.

    Notes
    -----
    Rules: CEA-ALC-11, CEA-ALC-12.
    """

    no_new_unpaid_from: DraftableDate | None = None
    redetermine_days: Draftable[Count] | None = None

    def refusal(self, deduction: Deduction) -> str | None:
        """Say why a deduction may not be decided on its day; None if it may.

        Notes
        -----
        Rules: CEA-ALC-11.
        """
        end = self.no_new_unpaid_from
        if end is None or deduction.cause != "unpaid" or deduction.decided_on < end.number:
            return None
        return (
            f"deduction for unpaid allowances: expected to be decided before {end.number},"
            f" got on {deduction.decided_on}"
        )


def pre_stage(pre_allocated: int, deductions: Sequence[int]) -> Stage:
    """Return what is issued ahead.

    Parameters
    ----------
    pre_allocated : int
        Tonnes before deductions.
    deductions : sequence of int
        Tonnes to deduct, in the order in which they are taken.

    Notes
    -----
    Rules: CEA-ALC-10.
    """
    tonnes_check(pre_allocated, "pre-allocation")
    taken = _taken(deductions, pre_allocated)
    return Stage(
        change=pre_allocated - sum(taken), deducted=taken, remaining=_less(deductions, taken)
    )


def final_stage(final: int, pre_allocated: int, ahead: Stage, added: Sequence[int] = ()) -> Stage:
    """Return what is issued or recalled once the final allocation is known.

    Parameters
    ----------
    final, pre_allocated : int
        Tonnes of the whole year, and what was given of it ahead, both before deductions.
    ahead : Stage
        What the stage before did.
    added : sequence of int
        Tonnes of deductions decided since; they come after the earlier ones.

    Returns
    -------
    Stage
        Of all deductions, the earlier ones first.

    Notes
    -----
    What goes back is put to the last deductions first, so that the first ones stay done.

    Rules: CEA-ALC-09, CEA-ALC-10.
    """
    difference = tonnes_check(final, "final allocation") - tonnes_check(
        pre_allocated, "pre-allocation"
    )
    outstanding = (*ahead.remaining, *added)
    excess = max(0, sum(ahead.deducted) - final)
    if excess:
        back = reversed(_taken(ahead.deducted[::-1], excess))
        deducted = (*(-tonnes for tonnes in back), *(0 for _ in added))
    else:
        deducted = _taken(outstanding, max(0, difference))
    return Stage(
        change=difference - sum(deducted),
        deducted=deducted,
        remaining=_less(outstanding, deducted),
    )


def later_change(final_before: int, final_after: int) -> int:
    """Return what a changed verification gives (positive) or takes back (negative).

    Notes
    -----
    Rules: CEA-ALC-12.
    """
    return tonnes_check(final_after, "new final allocation") - tonnes_check(
        final_before, "final allocation"
    )


def recall(excess: int, held: int) -> Recall:
    """Take back what there is of an excess; the rest is still to adjust.

    Notes
    -----
    Rules: CEA-ALC-09.
    """
    recalled = min(tonnes_check(excess, "excess"), tonnes_check(held, "held"))
    return Recall(recalled=recalled, remaining=excess - recalled)


def _taken(wanted: Sequence[int], most: int) -> tuple[int, ...]:
    """Return what each gets of `most`, in their order."""
    taken = []
    for tonnes in wanted:
        taken.append(min(tonnes_check(tonnes, "deduction"), most))
        most -= taken[-1]
    return tuple(taken)


def _less(wanted: Sequence[int], taken: Sequence[int]) -> tuple[int, ...]:
    return tuple(tonnes - part for tonnes, part in zip(wanted, taken, strict=True))
