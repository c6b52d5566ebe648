"""All rules of the compliance cycle in one value."""

from functools import cache

from msgspec import Struct

from cea_exchange.domain.compliance.adjustment import AdjustmentRules
from cea_exchange.domain.compliance.allocation import AllocationRules
from cea_exchange.domain.compliance.borrowing import BorrowingRules
from cea_exchange.domain.compliance.carryover import CarryoverRules
from cea_exchange.domain.compliance.obligations import ObligationRules
from cea_exchange.domain.compliance.offsets import OffsetRules
from cea_exchange.domain.compliance.penalties import PenaltyRules
from cea_exchange.domain.compliance.ruled import load_rules
from cea_exchange.domain.compliance.vintages import VintageRules


class ComplianceRules(Struct, frozen=True, kw_only=True):
    """The rules of the compliance cycle by subject; read the packaged ones with `load`."""

    vintages: VintageRules
    obligations: ObligationRules
    offsets: OffsetRules
    allocation: AllocationRules
    adjustment: AdjustmentRules
    penalties: PenaltyRules
    borrowing: BorrowingRules
    carryover: CarryoverRules

    @classmethod
    @cache
    def load(cls, *, drafts: bool = True) -> "ComplianceRules":
        """Read the packaged rules.

        Parameters
        ----------
        drafts : bool
            Whether what only a draft of the text says is in force. False: the years 2025 and 2026
            have no allocation, arrears take no later vintages, old CCERs are void by their date
            alone, and deductions for unpaid allowances go on.
        """
        return cls(
            vintages=load_rules("vintages", VintageRules, drafts=drafts),
            obligations=load_rules("obligations", ObligationRules, drafts=drafts),
            offsets=load_rules("offsets", OffsetRules, drafts=drafts),
            allocation=load_rules("allocation", AllocationRules, drafts=drafts),
            adjustment=load_rules("adjustment", AdjustmentRules, drafts=drafts),
            penalties=load_rules("penalties", PenaltyRules, drafts=drafts),
            borrowing=load_rules("borrowing", BorrowingRules, drafts=drafts),
            carryover=load_rules("carryover", CarryoverRules, drafts=drafts),
        )
