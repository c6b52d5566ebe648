"""Cuts that provinces decided at the platform: each is computed again, then deducted."""

from cea_exchange.domain.compliance.penalties import Correction
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.links.platform import AllowancesCut
from cea_exchange.registry.compliance.corrections import Corrections
from cea_exchange.registry.compliance.deductions import Deductions
from cea_exchange.registry.compliance.lists import Compliance
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.platform_link.listed_entities import ListedEntities
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch, mismatch_of


class CutAllowances:
    """Registers what is to be taken off the next allowances."""

    def __init__(
        self,
        ledger: Ledger,
        listed: ListedEntities,
        corrections: Corrections,
        compliance: Compliance,
        deductions: Deductions,
    ) -> None:
        self._ledger = ledger
        self._listed = listed
        self._corrections = corrections
        self._compliance = compliance
        self._deductions = deductions

    def take(self, cut: AllowancesCut) -> None:
        """Register a cut.

        What was not surrendered is cut by as much as is missing here, behind the order and the
        refusal that the law of the year asks for; other cuts are what the decision says.

        Raises
        ------
        Mismatched
            Something else is missing here, or the law allows no such cut; nothing was registered.

        Notes
        -----
        Rules: CEA-PEN-04, CEA-PEN-05, CEA-LAW-08, CEA-LAW-09, CEA-PLK-02.
        """
        account, _index = self._listed.account_of(cut.enterprise, cut.province)
        try:
            if cut.cause == "enforcement":
                self._deductions.deduct(
                    account, f"case-{cut.case_id}", "enforcement", cut.tonnes, cut.decided_on
                )
                return
            decided = Correction(
                document=cut.order,
                ordered_on=cut.ordered_on,
                until=cut.until,
                refused_on=cut.refused_on,
            )
            self._corrections.take(account, cut.compliance_year, cut.province, decided, cut.refusal)
            deducted = self._compliance.deduct(
                account, cut.compliance_year, cut.province, decided_on=cut.decided_on
            )
        except ActError as error:
            raise Mismatched([mismatch_of(error, cut.enterprise)]) from error
        if deducted.tonnes != cut.tonnes:
            text = f"tonnes: expected {deducted.tonnes}, which are missing, got {cut.tonnes}"
            code = RegistryRefusal.COMPUTED_OTHERWISE
            raise Mismatched([mismatch(cut.enterprise, code, text)])
