"""How allowances and CCERs cover an obligation, by choice or by force."""

from collections.abc import Mapping

from msgspec import Struct

from cea_exchange.domain.compliance.obligations import Obligation
from cea_exchange.domain.compliance.offsets import OffsetRules
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.compliance.vintages import VintageRules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.units import tonnes_check


class ObligationStatus(Struct, frozen=True, kw_only=True):
    """What of an obligation is covered by what.

    Attributes
    ----------
    allowances
        Tonnes surrendered by vintage.
    offset
        Tonnes of cancelled CCERs that count.
    """

    obligation: Obligation
    allowances: dict[int, int]
    offset: int = 0

    @property
    def due(self) -> int:
        """Return the tonnes still owed; 0 is complete."""
        return self.obligation.tonnes - sum(self.allowances.values()) - self.offset


class ForcedSurrender(Struct, frozen=True, kw_only=True):
    """What a forced surrender takes by vintage, gives back, and leaves owed.

    Attributes
    ----------
    released
        What the entity gets once it owes nothing; empty while it does.
    in_time
        After the deadline: what of the taken the province held as it passed. It counts of that day.
    """

    taken: dict[int, int]
    released: dict[int, int]
    due: int
    in_time: dict[int, int] = {}


def uncovered(obligation: Obligation) -> ObligationStatus:
    """Return an obligation of which nothing is covered yet."""
    return ObligationStatus(obligation=obligation, allowances={})


def surrendered(
    status: ObligationStatus, allowances: Mapping[int, int], on: int, vintages: VintageRules
) -> ObligationStatus:
    """Return the status once allowances are surrendered too; all of them, or ComplianceError.

    Parameters
    ----------
    status : ObligationStatus
        What is covered already.
    allowances : mapping of int to int
        Vintage -> tonnes.
    on : int
        The day (yyyymmdd); after the deadline what is paid are arrears.
    vintages : VintageRules
        Which vintages may pay.

    Notes
    -----
    Rules: CEA-SUR-03 to CEA-SUR-05, CEA-SUR-06 (no more than is due).
    """
    obligation = status.obligation
    late = obligation.in_arrears(on)
    covered = dict(status.allowances)
    for vintage, tonnes in sorted(allowances.items()):
        if tonnes_check(tonnes, f"tonnes of vintage {vintage}") == 0:
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"tonnes of vintage {vintage}: expected positive, got 0",
            )
        refusal = vintages.refusal(vintage, obligation.compliance_year, in_arrears=late)
        if refusal is not None:
            raise ComplianceError(RegistryRefusal.VINTAGE_NOT_ELIGIBLE, refusal)
        covered[vintage] = covered.get(vintage, 0) + tonnes
    if sum(allowances.values()) > status.due:
        raise ComplianceError(
            RegistryRefusal.NOT_DUE,
            f"surrender: expected at most the {status.due} t due, got"
            f" {sum(allowances.values())}",
        )
    return ObligationStatus(obligation=obligation, allowances=covered, offset=status.offset)


def offset(status: ObligationStatus, tonnes: int, offsets: OffsetRules) -> ObligationStatus:
    """Return the status once CCERs count too, whose proofs `OffsetRules.counted` has tested.

    Notes
    -----
    Rules: CEA-OFS-01, CEA-SUR-06.
    """
    cap = offsets.cap(status.obligation.tonnes)
    total = status.offset + tonnes_check(tonnes, "CCERs")
    if total > cap:
        raise ComplianceError(
            RegistryRefusal.OFFSET_LIMIT, f"CCERs: expected at most {cap} t, got {total}"
        )
    if tonnes > status.due:
        raise ComplianceError(
            RegistryRefusal.NOT_DUE,
            f"CCERs: expected at most the {status.due} t due, got {tonnes}",
        )
    return ObligationStatus(
        obligation=status.obligation, allowances=dict(status.allowances), offset=total
    )


def forced(
    status: ObligationStatus,
    held: Mapping[int, int],
    on: int,
    vintages: VintageRules,
    held_in_time: Mapping[int, int] | None = None,
) -> ForcedSurrender:
    """Settle an obligation from what the province holds for an entity at risk.

    Oldest vintages go first: they serve the fewest years. What is left is released once nothing is
    due any more; until then vintages that can't pay stay with the province too.

    Parameters
    ----------
    status : ObligationStatus
        What is covered already.
    held : mapping of int to int
        Vintage -> tonnes on the provincial account that are the entity's.
    on : int
        The day (yyyymmdd).
    vintages : VintageRules
        Which vintages may pay.
    held_in_time : mapping of int to int
        After the deadline: what of it was held as that passed. It pays first, as it would have
        paid then.

    Notes
    -----
    Rules: CEA-SUR-07, CEA-SUR-08, CEA-SUR-13.
    """
    year, due = status.obligation.compliance_year, status.due
    late = status.obligation.in_arrears(on)
    left = {v: tonnes_check(t, f"tonnes of vintage {v}") for v, t in sorted(held.items())}
    in_time: dict[int, int] = {}
    if late:
        in_time = _paying(held_in_time or {}, due, year, vintages, in_arrears=False)
        left = {v: tonnes - in_time.get(v, 0) for v, tonnes in left.items()}
        due -= sum(in_time.values())
    today = _paying(left, due, year, vintages, in_arrears=late)
    due -= sum(today.values())
    left = {v: tonnes - today.get(v, 0) for v, tonnes in left.items()}
    return ForcedSurrender(
        taken={
            v: in_time.get(v, 0) + today.get(v, 0) for v in left if v in in_time or v in today
        },
        released={v: tonnes for v, tonnes in left.items() if tonnes} if due == 0 else {},
        due=due,
        in_time=in_time,
    )


def _paying(
    held: Mapping[int, int], due: int, year: int, vintages: VintageRules, *, in_arrears: bool
) -> dict[int, int]:
    """Return vintage -> tonnes, above 0, that pay what is due, the oldest first."""
    paying: dict[int, int] = {}
    for vintage, tonnes in sorted(held.items()):
        pays = vintages.may_pay(vintage, year, in_arrears=in_arrears)
        if pays and (taken := min(tonnes, due)):
            paying[vintage] = taken
            due -= taken
    return paying
