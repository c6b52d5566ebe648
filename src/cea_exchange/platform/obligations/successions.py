"""Mergers and splits: successors have the units, and owe what was still owed.

    merged: E1 --> E2                 all of it
    split:  E1 --> E2, E3, ...        each its share, the first what rounding leaves

An entity's obligation is lowered by what successors owe in its place, theirs are raised by it; all
versions stay.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cea_exchange.domain.compliance.listing.succession import Succession, succeed
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, rule_refusals_raised
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises, Successor
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.obligations.obligation_status import ObligationStatus
from cea_exchange.platform.obligations.obligations import Obligation, Obligations
from cea_exchange.platform.record import Record


class Part(NamedTuple):
    """What one successor of a split has: a share of what was owed, and units.

    Attributes
    ----------
    share_bp
        In hundredths of a percent.
    """

    successor: str
    share_bp: int
    units: tuple[str, ...]


class PassedOn(NamedTuple):
    """Who owes what of a year in an entity's place.

    Attributes
    ----------
    shares
        Successor -> tonnes.
    """

    enterprise: Enterprise
    compliance_year: int
    decided_on: int
    document: str
    shares: dict[str, int]


class Successions:
    """Lets successors have what an enterprise had, and owe what it owed.

    Attributes
    ----------
    after_passing : list of callable
        Each is called with what was passed on, in the same transaction.
    """

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        units: Units,
        obligations: Obligations,
        status: ObligationStatus,
    ) -> None:
        self._record = record
        self._enterprises = enterprises
        self._units = units
        self._obligations = obligations
        self._status = status
        self.after_passing: list[Callable[[PassedOn], object]] = []

    def merge(self, enterprise: str, successor: str, *, decided_on: int, document: str) -> None:
        """Merge an enterprise into another one, which has its units and owes what it owes.

        Raises
        ------
        PlatformActError
            It owes something, and the registry has not said how much of it is missing.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        with self._record.transaction():
            old = self._enterprises.acting(enterprise)
            had = tuple(self._units.of(old.enterprise_id, decided_on))
            self._follow(old, Part(successor, 10_000, had), "merged", decided_on, document)
            self._pass_on(old)

    def split(
        self, enterprise: str, parts: Sequence[Part], *, decided_on: int, document: str
    ) -> None:
        """Split an enterprise: each of its units is one successor's, and so is a share of its debt.

        Raises
        ------
        PlatformActError
            A unit is nobody's or two successors', shares are not 10,000 bp together, or the
            registry has not said how much of what it owes is missing.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        with self._record.transaction():
            old = self._enterprises.acting(enterprise)
            self._parts_check(old, parts, decided_on)
            for part in parts:
                self._follow(old, part, "split", decided_on, document)
            self._pass_on(old)

    def follow(self, province: int, year: int, made: list[Obligation]) -> None:
        """Pass on what was set of entities that had ended by then."""
        for obligation in made:
            name = self._enterprises.name_of(obligation.enterprise_id)
            old = self._enterprises.of(name)
            if old.ended_on:
                self._pass_on(old, year)

    def hold(self, enterprise: Enterprise, year: int, own: int) -> str:
        """Return why what an ended entity owes can't be passed on, and so not be set; else nothing.

        The registry has not told what it covered, or it covered more; or so it is of a successor
        that has ended as well.

        Parameters
        ----------
        own
            What it would owe itself.

        Notes
        -----
        Rules: CEA-ENT-12.
        """
        if not enterprise.ended_on or not own:
            return ""
        try:
            covered = self._status.covered_now(enterprise.enterprise_id, year)
        except PlatformActError as error:
            return f"{enterprise.enterprise} has ended: {error}"
        if covered > own:
            return (
                f"{enterprise.enterprise} has ended: expected {covered} t or more beside what its"
                f" successors owe, which it has surrendered, got {own} t (CEA-ENT-12)"
            )
        for successor in self._enterprises.successors(enterprise.enterprise_id):
            owed = self._obligations.of(successor.enterprise_id, year)
            heir = self._enterprises.of(successor.enterprise)
            why = self.hold(heir, year, own + (owed.due_tonnes if owed else 0))
            if why:
                return why
        return ""

    def passed_on_now(self, enterprise: str, year: int, refused: Mapping[str, int]) -> PassedOn:
        """Return who owes what in an entity's place by what is missing now, and let it be so.

        Nobody does where it has surrendered as much as it owes, or more.

        Parameters
        ----------
        refused
            Successor -> tonnes, as they were sent, and refused.

        Raises
        ------
        PlatformActError
            A successor would owe less, and has ended: it has passed that on.
        """
        old = self._enterprises.of(enterprise)
        missing = sum(refused.values()) + self._status.owed_now(old.enterprise_id, year)
        passed = self._passed(old, year, max(0, missing))
        more = {
            name: passed.shares.get(name, 0) - refused.get(name, 0)
            for name in dict.fromkeys((*refused, *passed.shares))
        }
        for name, tonnes in more.items():
            self._kept_check(name, year, tonnes)
        if any(more.values()):
            self._move(passed, {name: tonnes for name, tonnes in more.items() if tonnes})
        return passed

    def take_back(self, enterprise: str, year: int, sent: Mapping[str, int]) -> None:
        """Let an entity owe itself again what its successors were to owe, and the registry refused.

        Parameters
        ----------
        sent
            Successor -> tonnes, as they were sent.
        """
        for name, tonnes in sent.items():
            self._kept_check(name, year, -tonnes)
        if sent:
            passed = self._passed(self._enterprises.of(enterprise), year, 0)
            self._move(passed, {name: -tonnes for name, tonnes in sent.items()})

    def _kept_check(self, successor: str, year: int, tonnes: int) -> None:
        heir = self._enterprises.of(successor)
        owed = self._obligations.of(heir.enterprise_id, year)
        due = owed.due_tonnes if owed else 0
        if due + tonnes < 0:
            raise PlatformActError(
                PlatformRefusal.NOTHING_SHORT,
                f"obligation of {year}: expected {successor} to owe {-tonnes} t or more, which it"
                f" would owe less now, got {due} t, as it has passed on the rest (CEA-ENT-12)",
            )

    # -- parts --------------------------------------------------------------------------------

    def _parts_check(self, old: Enterprise, parts: Sequence[Part], decided_on: int) -> None:
        with rule_refusals_raised(PlatformRefusal.AMOUNT_UNSOUND):
            succeed(
                Succession(
                    kind="split",
                    before=(old.enterprise,),
                    after=tuple(part.successor for part in parts),
                    parts_bp=tuple(part.share_bp for part in parts),
                ),
                {},
            )
        had = sorted(self._units.of(old.enterprise_id, decided_on))
        named = sorted(unit for part in parts for unit in part.units)
        if named != had:
            raise PlatformActError(
                PlatformRefusal.UNITS_DIFFER,
                f"units: expected {', '.join(had) or 'none'}, each in one part, got"
                f" {', '.join(named) or 'none'} (CEA-ENT-12)",
            )

    def _follow(
        self, old: Enterprise, part: Part, kind: str, decided_on: int, document: str
    ) -> None:
        self._enterprises.succeed(
            old.enterprise,
            part.successor,
            kind=kind,
            share_bp=part.share_bp,
            decided_on=decided_on,
            document=document,
        )
        self._units.hand_over(
            old.enterprise_id,
            self._enterprises.of(part.successor).enterprise_id,
            valid_from=decided_on,
            document=document,
            only=frozenset(part.units),
        )

    # -- what is owed -------------------------------------------------------------------------

    def _pass_on(self, old: Enterprise, only_year: int | None = None) -> None:
        """Let successors owe what an entity that has ended still owes, of a year or of all."""
        for obligation in self._obligations.of_enterprise(old.enterprise_id):
            year = obligation.compliance_year
            if not obligation.due_tonnes or only_year not in (None, year):
                continue
            missing = self._status.owed_now(old.enterprise_id, year)
            if missing <= 0:  # who surrendered more than it owes by now has nothing to pass on
                continue
            passed = self._passed(old, year, missing)
            self._move(passed, passed.shares)
            for tell in self.after_passing:
                tell(passed)
            for name in passed.shares:
                successor = self._enterprises.of(name)
                if successor.ended_on:
                    self._pass_on(successor, year)

    def _passed(self, old: Enterprise, year: int, missing: int) -> PassedOn:
        successors = self._enterprises.successors(old.enterprise_id)
        owed = succeed(_succession(old, successors), {old.enterprise: missing})
        shares = {name: tonnes for name, tonnes in owed.items() if tonnes}
        first = successors[0]
        return PassedOn(old, year, first.decided_on, first.document, shares)

    def _move(self, passed: PassedOn, shares: Mapping[str, int]) -> None:
        obligation = self._obligations.of(passed.enterprise.enterprise_id, passed.compliance_year)
        if obligation is None:  # nothing is passed on of what was never set
            raise PlatformActError(
                PlatformRefusal.NOTHING_SHORT,
                f"obligation of {passed.compliance_year}: expected one that was set, got none",
            )
        ids = {name: self._enterprises.of(name).enterprise_id for name in shares}
        self._obligations.pass_on(
            obligation,
            {ids[name]: tonnes for name, tonnes in shares.items()},
            f"succession of {passed.enterprise.enterprise}: {passed.document}",
        )


def _succession(old: Enterprise, successors: Sequence[Successor]) -> Succession:
    after = tuple(each.enterprise for each in successors)
    if successors[0].kind == "merged":
        return Succession(kind="merger", before=(old.enterprise, *after), after=after)
    return Succession(
        kind="split",
        before=(old.enterprise,),
        after=after,
        parts_bp=tuple(each.share_bp for each in successors),
    )
