"""Statements from what a venue says: its answers to `statement` and `history`, put together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.documents.statement import (
    Holding,
    Position,
    Statement,
    statement_of_reports,
)
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.protocol.framing import HISTORY_COUNT_MAX


def pages(place: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield which reports are to be asked for, after the answer to `statement`: from, count."""
    for first in range(place["first"], place["last"] + 1, HISTORY_COUNT_MAX):
        yield first, min(HISTORY_COUNT_MAX, place["last"] + 1 - first)


def statement_of_answers(
    place: Mapping[str, Any], histories: Sequence[Mapping[str, Any]]
) -> Statement:
    """Return the statement of a day.

    Parameters
    ----------
    place : mapping
        The answer to `statement`.
    histories : sequence of mapping
        The answers to `history` for all `pages`, in order.

    Raises
    ------
    StatementError
        If what the account has now does not follow from these reports.
    ValueError
        If a report is missing.

    Notes
    -----
    Rules: CEA-INF-03.
    """
    rows = np.frombuffer(b"".join(each["rows"] for each in histories), EVENT_DTYPE)
    expected = place["last"] + 1 - place["first"]
    if len(rows) != expected:
        raise ValueError(f"reports: expected {expected} from {place['first']} on, got {len(rows)}")
    holdings = {name: Holding(*figures) for name, figures in place["holdings"].items()}
    return statement_of_reports(
        place["account"],
        place["account_index"],
        place["products"],
        rows,
        trading_date=date_number(date_parse(place["trading_date"])),
        last_seq=place["closed_seq"],
        position=Position(place["cash"], place["cash_locked"], holdings),
    )
