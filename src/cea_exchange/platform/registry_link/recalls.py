"""Recalls: a province withdraws what it had distributed, and the registry takes it back.

    distributed --recall--> recalled: what the allocation before gave of the year holds again

What the registry refused of it was never posted, and is not sent again.
"""

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.allocation.allocations import AllocationRow, Allocations
from cea_exchange.platform.checks import PlatformActError, words_checked
from cea_exchange.platform.record import Acting, Record
from cea_exchange.platform.registry_link.news import RegistryNews
from cea_exchange.platform.registry_link.outbox import Outbox
from cea_exchange.protocol.links.platform import AllowancesGiven, RecalledLine


class AllocationRecalls:
    """Recalls what was distributed."""

    def __init__(
        self, record: Record, allocations: Allocations, outbox: Outbox, news: RegistryNews
    ) -> None:
        self._record = record
        self._store = record.store
        self._allocations = allocations
        self._outbox = outbox
        self._news = news

    def recall(self, person: Acting, number: int, reason: str) -> None:
        """Recall the last allocation that a province distributed of a year.

        Parameters
        ----------
        reason
            It is kept.

        Raises
        ------
        PlatformActError
            It is not the last one, or the registry has not said what became of it.

        Notes
        -----
        Rules: CEA-PLK-04.
        """
        words_checked(reason, "reason")
        with self._record.transaction():
            row = self._allocations.of_number(number, "distributed")
            self._last_check(row)
            posted = self._posted(row)
            before = self._allocations.tonnes_before(row)
            self._store.execute(
                "UPDATE allocations SET state = 'recalled' WHERE allocation_id = ?", (number,)
            )
            self._store.insert(
                "allocation_recalls (allocation_id, reason, recalled_by, recalled_on)",
                [(number, reason, person.name, self._record.business_date())],
            )
            lines = [RecalledLine(name, before.get(name, 0)) for name in posted]
            self._news.recalled(row, lines)

    def _last_check(self, row: AllocationRow) -> None:
        last = self._allocations.last_distributed(row.province, row.compliance_year)
        if last != row.allocation_id:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_STATE,
                f"allocation {row.allocation_id}: expected the last that {row.province} distributed"
                f" of {row.compliance_year}, which is {last}, got an earlier one",
            )

    def _posted(self, row: AllocationRow) -> list[str]:
        """Return the enterprises to whom the registry has posted what they were given."""
        found: list[str] = []
        for link_seq, is_posted in self._outbox.of_allocation(row.allocation_id):
            if is_posted is None:
                raise PlatformActError(
                    PlatformRefusal.REGISTRY_AWAITED,
                    f"allocation {row.allocation_id}: expected the registry's verdict on item"
                    f" {link_seq}, got none yet",
                )
            content = self._outbox.content(link_seq)
            if is_posted and isinstance(content, AllowancesGiven):
                found += [line.enterprise for line in content.lines]
        return sorted(found)
