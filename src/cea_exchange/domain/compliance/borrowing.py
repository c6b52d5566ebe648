"""How much of a later allocation an entity may borrow for a year it is short of (预支)."""

from msgspec import Struct

from cea_exchange.domain.compliance.ruled import ComplianceError, Draftable, Year
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import BasisPoints
from cea_exchange.domain.units import tonnes_check


class BorrowingRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For which years, from which allocation, and how much.

    Notes
    -----
    Rules: CEA-BOR-01, CEA-BOR-02.
    """

    first_year: Draftable[Year]
    last_year: Draftable[Year]
    gap_bp_min: Draftable[BasisPoints]
    share_bp: Draftable[BasisPoints]
    from_year: Draftable[Year]

    def most(self, compliance_year: int, verified: int, allocated: int) -> int:
        """Return the most tonnes that may be borrowed for a year, rounded down.

        Parameters
        ----------
        verified, allocated : int
            What was verified, and what was allocated in the end.

        Raises
        ------
        ComplianceError
            If nobody borrows for that year, or too little is short.

        Notes
        -----
        The gap is compared exactly: one of 9.99% is below 10%.

        Rules: CEA-BOR-01.
        """
        first, last = self.first_year.value, self.last_year.value
        if not first <= compliance_year <= last:
            raise ComplianceError(
                RegistryRefusal.YEAR_OUT_OF_RANGE,
                f"year: expected {first} to {last} to be borrowed for, got {compliance_year}"
                " (CEA-BOR-01)",
            )
        gap = tonnes_check(verified, "verified") - tonnes_check(allocated, "allocated")
        least = self.gap_bp_min.value
        if gap <= 0 or gap * 10_000 < least * verified:
            raise ComplianceError(
                RegistryRefusal.BORROWING_NOT_SHORT,
                f"allocation: expected {least // 100}% short of the {verified} t verified or"
                f" more, got {allocated} t (CEA-BOR-01)",
            )
        return gap * self.share_bp.value // 10_000
