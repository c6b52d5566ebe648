"""Answers requests for activity statements: the day's place, the position, the reports.

The venue says where the day is and what the account has, and hands out its numbered reports; adding
them up is for whoever asks (`cea_exchange.protocol.statements`).
"""

from bisect import bisect_left
from typing import Any

import numpy as np

from cea_exchange.domain.calendar import date_number, date_of_number, date_parse
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.framing import HISTORY_COUNT_MAX
from cea_exchange.venue._reports import reports_by_account
from cea_exchange.venue.durability.sequencer import Sequencer


def statement(sequencer: Sequencer, account_index: int, date: str | None) -> dict[str, Any]:
    """Return what the statement of a day begins with.

    Parameters
    ----------
    sequencer : Sequencer
        The venue's.
    account_index : int
        Whose.
    date : str or None
        ISO 8601; None is the open day, between days the last one.

    Raises
    ------
    FrameError
        If there was no such day, or the market keeps no balances.

    Notes
    -----
    Rules: CEA-INF-03.
    """
    machine = sequencer.machine
    core = machine.core
    if not machine.profile.rules.holdings_checked:
        got = machine.profile.name
        raise FrameError(
            VenueRefusal.NO_BALANCES,
            expected="a profile that keeps balances",
            got=got,
            where="statement",
        )
    try:
        wanted = int(core.trading_date) if date is None else date_number(date_parse(date))
    except ValueError as error:
        raise FrameError(
            VenueRefusal.VALUE_UNSOUND, expected="a date", got=str(error), where="date"
        ) from None
    day = sequencer.day_of(wanted)
    if day is None:
        raise FrameError(
            VenueRefusal.DATE_OUT_OF_RANGE,
            expected="a trading day of this venue",
            got=f"{date}",
            where="date",
        )
    base, last = machine.report_base(account_index), int(core.report_seq(account_index))

    def seq_of(number: int) -> int:
        return int(sequencer.index.report_events(account_index, number, 1)[0])

    numbers = range(base + 1, last + 1)
    held = core.account(account_index)
    return {
        "op": "statement",
        "asked": date,
        "account": machine.account_names[account_index],
        "account_index": account_index,
        "products": list(machine.product_names),
        "trading_date": date_of_number(wanted).isoformat(),
        "closed_seq": day.last if day.is_closed else None,
        "first": base + 1 + bisect_left(numbers, day.first, key=seq_of),
        "last": last,
        "cash": int(held["cash"]),
        "cash_locked": int(held["cash_locked"]),
        "holdings": {
            machine.product_names[index]: [int(figure) for figure in figures]
            for index, figures in held["holdings"].items()
        },
    }


def history(sequencer: Sequencer, account_index: int, first: int, count: int) -> dict[str, Any]:
    """Return an account's reports from a number on, at most HISTORY_COUNT_MAX, as bytes."""
    base = sequencer.machine.report_base(account_index)
    if first <= base:
        # They are in the folder that was put aside, and of another log_id.
        expected = f"reports from {base + 1} on, with which this log_id begins"
        raise FrameError(
            VenueRefusal.REPORTS_NOT_HELD, expected=expected, got=str(first), where="history"
        )
    count = min(count, HISTORY_COUNT_MAX)
    seqs = sequencer.index.report_events(account_index, first, count)
    answer = {"op": "history", "from": first, "rows": b""}
    for account, payload in reports_by_account(sequencer.event_rows(np.unique(seqs))):
        if account == account_index:
            reports = np.frombuffer(payload, EVENT_DTYPE)
            own = np.where(
                reports["account_index"] == account_index,
                reports["report_seq"],
                reports["counter_report_seq"],
            )
            answer["rows"] = reports[(own >= first) & (own < first + count)].tobytes()
    return answer
