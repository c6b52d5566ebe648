"""An institution without its daemon: what all of them keep, upon one database."""

from contextlib import AbstractContextManager
from typing import Any, Self

from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.act_log import ActLog
from cea_exchange.institution.approvals import Approvals
from cea_exchange.institution.clock import ClockActs
from cea_exchange.institution.persons import Persons

Ended = dict[str, dict[str, Any]]
"""What has ended with a day, for the log: event -> its fields."""


class InstitutionServices:
    """What every institution has; its own services come beside them.

    Parameters
    ----------
    context
        Which all of its services share.
    persons
        Who acts.
    scoped
        Roles that see and touch only what is their own body's.
    overseers
        Bodies whose persons see all proposals.

    Attributes
    ----------
    act_log, approvals, clock_acts
        What was done, what waits for a second person, and what was done about the clock.
    """

    def __init__(
        self,
        context: ActContext,
        persons: Persons,
        *,
        scoped: frozenset[str],
        overseers: frozenset[str],
    ) -> None:
        self.store = context.store
        self.context = context
        self.persons = persons
        self.scoped = scoped
        self.clock_acts = ClockActs(context.store, context.clock)
        self.act_log = ActLog(context, persons)
        self.approvals = Approvals(context, scoped=scoped, overseers=overseers)
        context.store.act_missing = self.act_log.library
        self.now_ns, self.business_date = context.now_ns, context.business_date
        self.acting = context.acting

    def transaction(self) -> AbstractContextManager[None]:
        """Make many acts one: all are committed, or none."""
        return self.context.transaction()

    def day_begin(self) -> Ended:
        """Note that a day has begun, if it was not noted, and end what ended with the one before.

        Returns
        -------
        dict
            What has ended.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        with self.transaction():
            date = self.business_date()
            if not self.store.one("SELECT 1 FROM business_days WHERE business_date = ?", (date,)):
                self.store.insert(
                    "business_days (business_date, began_ns)", [(date, self.now_ns())]
                )
            return self.day_begun(date)

    def day_begun(self, date: int) -> Ended:
        """End what ends with the day before; in the transaction that notes the day."""
        return {}

    def status(self) -> dict[str, Any]:
        """Return how far the institution is, with its counts."""
        return {"acts": self.act_log.next_id() - 1, "links": self.store.link.link_id}

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
