"""Sends again what the registry refused, once its cause was corrected, with the figures of then."""

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.allocation.allocations import Allocations
from cea_exchange.platform.checks import PlatformActError
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.entity_list.listing import Listing
from cea_exchange.platform.obligations.obligations import Obligations
from cea_exchange.platform.obligations.successions import Successions
from cea_exchange.platform.record import Record
from cea_exchange.platform.registry_link.news import RegistryNews
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.protocol.links.platform import (
    AllowancesCut,
    AllowancesGiven,
    AllowancesRecalled,
    EntityListed,
    LinkContent,
    ObligationsSet,
    ObligationSucceeded,
)


class Resending:
    """Tells again what was refused."""

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        listing: Listing,
        allocations: Allocations,
        obligations: Obligations,
        successions: Successions,
        outbox: Outbox,
        news: RegistryNews,
    ) -> None:
        self._record = record
        self._enterprises = enterprises
        self._listing = listing
        self._allocations = allocations
        self._obligations = obligations
        self._successions = successions
        self._outbox = outbox
        self._news = news

    def send_again(self, link_seq: int) -> int:
        """Tell an item again that the registry refused; return its new number.

        What a province gave is sent as it was distributed: other figures are another allocation.
        Lists, obligations and what of them successors owe are sent as they are now.

        Notes
        -----
        Rules: CEA-PLK-03.
        """
        with self._record.transaction():
            self._refused_check(link_seq)
            again_seq = self._tell(link_seq, self._outbox.content(link_seq))
            self._outbox.again_note(link_seq, again_seq)
        return again_seq

    def _pass_on_again(self, link_seq: int, content: ObligationSucceeded) -> int:
        """Tell again what successors owe, and what of it successors of theirs do.

        Where the first of a chain was refused, so were the later ones: none of them had anything to
        pass on at the registry. All are taken back and passed on anew, in their order.
        """
        year = content.compliance_year
        later = self._refused_behind(link_seq, content)
        for _, each in reversed(later):
            self._successions.take_back(each.enterprise, year, _sent(each))
        passed = self._successions.passed_on_now(content.enterprise, year, _sent(content))
        again_seq = self._news.passed_on(passed)
        for later_seq, each in later:
            passed = self._successions.passed_on_now(each.enterprise, year, {})
            self._outbox.again_note(later_seq, self._news.passed_on(passed))
        return again_seq

    def _refused_behind(
        self, link_seq: int, content: ObligationSucceeded
    ) -> list[tuple[int, ObligationSucceeded]]:
        """Return the refused items behind one by which its successors passed on what they owe."""
        heirs = set(_sent(content))
        found: list[tuple[int, ObligationSucceeded]] = []
        for refused in self._outbox.refused():
            each = self._outbox.content(refused["link_seq"])
            if (
                refused["link_seq"] > link_seq
                and not refused["again_seq"]
                and isinstance(each, ObligationSucceeded)
                and each.compliance_year == content.compliance_year
                and each.enterprise in heirs
            ):
                found.append((refused["link_seq"], each))
                heirs.update(_sent(each))
        return found

    def _refused_check(self, link_seq: int) -> None:
        again = self._outbox.again_of(link_seq)
        if again is not None or not self._outbox.is_refused(link_seq):
            got = "one that was not" if again is None else f"one that was sent again as {again}"
            raise PlatformActError(
                PlatformRefusal.ITEM_NOT_REFUSED,
                f"item {link_seq}: expected one that the registry refused, got {got}",
            )

    def _tell(self, link_seq: int, content: LinkContent) -> int:
        match content:
            case EntityListed():
                enterprise = self._enterprises.of(content.enterprise)
                is_listed = self._listing.is_listed(content.list_year, enterprise.enterprise_id)
                return self._news.listed(content.list_year, enterprise, is_listed)
            case AllowancesGiven():
                self._allocations.of_number(content.allocation_id, "distributed")
                return self._news.allocation_tell(content.allocation_id, content)
            case AllowancesRecalled():
                return self._news.allocation_tell(content.allocation_id, content)
            case ObligationsSet():
                return self._outbox.tell(self._owed_now(content))
            case ObligationSucceeded():
                return self._pass_on_again(link_seq, content)
            case AllowancesCut():
                return self._outbox.tell(content)

    def _owed_now(self, content: ObligationsSet) -> ObligationsSet:
        year = content.compliance_year
        found = [
            self._obligations.of(self._enterprises.of(line.enterprise).enterprise_id, year)
            for line in content.lines
        ]
        lines = tuple(self._news.duty_line(each) for each in found if each is not None)
        return ObligationsSet(content.province, year, content.due_on, lines)


def _sent(content: ObligationSucceeded) -> dict[str, int]:
    return {line.enterprise: line.tonnes for line in content.lines}
