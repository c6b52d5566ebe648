"""What every pattern's function is given, and how it makes its alerts."""

from collections.abc import Iterable

import numpy as np
from msgspec import Struct, field

from cea_exchange.supervision.alerts import Alert, Figure, Grade
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.limits import Limits, Pattern


class Facts(Struct, frozen=True, forbid_unknown_fields=True):
    """What a market does not say of itself, and the registry and the authority know.

    Attributes
    ----------
    links
        Pairs of accounts that one will controls.
    opening_tonnes
        By account and product: what was held before the tape's first event.
    float_tonnes
        By product: issued, less surrendered, frozen, and what all who must surrender need.
    need_tonnes
        By account and product: what it must surrender itself.
    holding_limit_tonnes
        Most that one will may hold beside its own allocation; 0 takes the profile's.
    allocation_tonnes
        By account: what it was given this year, which counts on top of the limit.
    """

    links: tuple[tuple[str, str], ...] = ()
    opening_tonnes: dict[str, dict[str, int]] = field(default_factory=dict)
    float_tonnes: dict[str, int] = field(default_factory=dict)
    need_tonnes: dict[str, dict[str, int]] = field(default_factory=dict)
    holding_limit_tonnes: int = 0
    allocation_tonnes: dict[str, int] = field(default_factory=dict)


NO_FACTS = Facts()


class Context(Struct, frozen=True):
    """The columns of a tape, the limits, and what else is known."""

    columns: Columns
    limits: Limits
    facts: Facts = NO_FACTS

    def alert(
        self,
        pattern: str,
        grade: Grade,
        *,
        day: int,
        product: int | None,
        accounts: Iterable[int],
        rows: np.ndarray | Iterable[int],
        figures: Iterable[Figure],
        sentence: str,
        counterparties: Iterable[int] = (),
    ) -> Alert:
        """Return an alert of a pattern, with names for numbers."""
        columns = self.columns
        limits: Pattern = getattr(self.limits, pattern)
        who = columns.names(set(map(int, accounts)))
        places = [int(row) for row in rows]
        others = set(columns.names(set(map(int, counterparties)))) - set(who)
        return Alert(
            pattern=pattern,
            rule=limits.rule,
            grade=grade,
            trading_date=int(columns.days[day]),
            product="" if product is None else columns.tape.products[product],
            accounts=who,
            counterparties=tuple(sorted(others)),
            first_seq=columns.seq(min(places)),
            last_seq=columns.seq(max(places)),
            figures=tuple(figures),
            sentence=sentence,
        )
