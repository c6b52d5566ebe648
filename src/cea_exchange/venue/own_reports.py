"""Events as the accounts see them that they are about."""

from collections.abc import Iterator

import numpy as np

from cea_exchange._reports import reports_masked, reports_place


def reports_by_account(events: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give, per account, the reports that the events are for it, in its own numbering."""
    accounts, ends, rows, as_maker = reports_place(events)
    reports, first = reports_masked(events, rows, as_maker), 0
    for account, end in zip(accounts.tolist(), ends.tolist(), strict=True):
        yield account, reports[first:end]
        first = end
