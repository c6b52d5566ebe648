"""Obligations of successors, from the platform's items: of entities that were merged or split."""

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.links.platform import ObligationSucceeded
from cea_exchange.registry.compliance.obligation_status import standing_of
from cea_exchange.registry.compliance.obligations import Obligations
from cea_exchange.registry.files import SourceFile
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.platform_link.completions import Completions
from cea_exchange.registry.platform_link.listed_entities import ListedEntities
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch, mismatch_of


class SucceededObligations:
    """Lets successors owe what is missing of an entity's obligation."""

    def __init__(
        self,
        ledger: Ledger,
        obligations: Obligations,
        listed: ListedEntities,
        completions: Completions,
    ) -> None:
        self._ledger = ledger
        self._obligations = obligations
        self._listed = listed
        self._completions = completions

    def take(self, source: SourceFile, succeeded: ObligationSucceeded) -> None:
        """Let successors owe what is missing, as it is computed here; report how it stands.

        Raises
        ------
        Mismatched
            Something else is missing here, or is applied for; or a successor has no account.

        Notes
        -----
        Rules: CEA-ENT-12, CEA-PLK-02, CEA-PLK-07.
        """
        year = succeeded.compliance_year
        index = self._listed.index_of(succeeded.enterprise, succeeded.province)
        more: dict[int, int] = {}
        for line in succeeded.lines:
            _account, successor = self._listed.account_of(line.enterprise, line.province)
            code: RegistryRefusal | None = None
            text = ""
            if successor == index:
                code, text = RegistryRefusal.SAME_ACCOUNT, "successors: expected others, got itself"
            elif successor in more:
                code = RegistryRefusal.ENTERPRISE_TWICE
                text = "successors: expected each once, got one again"
            elif not line.tonnes:
                code, text = RegistryRefusal.AMOUNT_UNSOUND, "tonnes: expected some, got 0"
            if code is not None:
                raise Mismatched([mismatch(line.enterprise, code, text)])
            more[successor] = line.tonnes
        self._missing_check(succeeded, index, sum(more.values()))
        if not more:  # what was missing once has been surrendered since
            return
        more[index] = -sum(more.values())
        self._obligations.pass_on(source, year, more, f"{source.name}: {succeeded.document}")
        for account_index in more:
            self._completions.note(account_index, year)

    def _missing_check(self, succeeded: ObligationSucceeded, index: int, tonnes: int) -> None:
        whose = succeeded.enterprise
        try:
            standing = standing_of(
                self._ledger.store, self._ledger.rules, index, succeeded.compliance_year
            )
        except ActError as error:
            if not tonnes:  # who owes nothing here has nothing missing
                return
            raise Mismatched([mismatch_of(error, whose)]) from error
        if standing.applied:
            text = "obligation: expected nothing applied for that is not decided, got"
            code = RegistryRefusal.APPLICATIONS_OPEN
            raise Mismatched([mismatch(whose, code, f"{text} {standing.applied} t")])
        if tonnes != standing.payable:
            text = f"tonnes: expected {standing.payable}, which are missing, got {tonnes}"
            raise Mismatched([mismatch(whose, RegistryRefusal.COMPUTED_OTHERWISE, text)])
