"""Applications for biddings: filed days ahead, reviewed, and announced on their day.

    applied -> approved -> announced, on the session's day
       |           |
       |           +-> lapsed: the allowances are not in place, or the market refuses it
       +-> refused, with a reason; or lapsed: nobody reviewed it in time

What operators do is journaled as they do it; what follows from the calendar are the daemon's acts.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from cea_exchange.domain.calendar import CalendarError, TradingCalendar, date_number, date_of_number
from cea_exchange.domain.naming import id_check
from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import BiddingState
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.timetable import bidding_window, day_start, time_to_ns
from cea_exchange.protocol import control
from cea_exchange.venue.market.application_states import PENDING
from cea_exchange.venue.market.names import account_known, product_known
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.requests.biddings import BiddingApply


def applied(
    machine: VenueStateMachine,
    calendar: TradingCalendar,
    today: date,
    request: BiddingApply,
) -> control.BiddingApplied:
    """Return the act that files an application.

    Raises
    ------
    FrameError
        Names that are none, a day or window that can't be, too little, or too late.
    ValueError
        If the bidding's name is empty or has a character that is not seen (CEA-ORD-14).

    Notes
    -----
    Rules: CEA-BID-01, CEA-BID-03, CEA-BID-10; CEA-NTC-01, for it is the session's day that counts.
    """
    id_check(request.bidding, "bidding")
    account_known(machine, request.account)
    product_known(machine, request.product)
    day = _date(request.date)
    lead, least = _working_days(calendar, today, day), machine.profile.bidding_apply_days
    if not calendar.is_trading_day(day) or lead < least:
        expected = f"a trading day at least {least} working days ahead"
        raise FrameError(
            VenueRefusal.BIDDING_NOT_ALLOWED,
            expected=expected,
            got=f"{day}, {lead} ahead",
            where="date",
        )
    window = [_instant(day, text) for text in (request.opens_at, request.closes_at)]
    if bidding_window(machine.profile, day, day_start(day), *window) == BiddingState.ENDED:
        got = f"{request.opens_at} to {request.closes_at}"
        raise FrameError(
            VenueRefusal.BIDDING_NOT_ALLOWED,
            expected="a window inside the trading day",
            got=got,
            where="opens_at",
        )
    rules = machine.profile.rules.on(date_number(day))
    if not rules.bidding_allowed:
        raise FrameError(
            VenueRefusal.BIDDING_NOT_ALLOWED,
            expected="a day with biddings",
            got=f"{day}, without",
            where="date",
        )
    if request.tonnes < rules.bidding_tonnes_min:
        expected = f"at least {rules.bidding_tonnes_min} t"
        raise FrameError(
            VenueRefusal.BIDDING_NOT_ALLOWED,
            expected=expected,
            got=str(request.tonnes),
            where="tonnes",
        )
    return control.BiddingApplied(
        bidding=request.bidding,
        account=request.account,
        product=request.product,
        side=request.side,
        tonnes=request.tonnes,
        limit=request.limit,
        pricing=request.pricing,
        date=date_number(day),
        opens_at=time_to_ns(window[0]) if window[0] else 0,
        closes_at=time_to_ns(window[1]) if window[1] else 0,
        applied_on=date_number(today),
    )


def acts_due(machine: VenueStateMachine, calendar: TradingCalendar) -> Iterator[control.Act]:
    """Yield what the open day makes of the applications that wait.

    Notes
    -----
    Rules: CEA-BID-10 (nobody reviewed it), CEA-BID-11 (allowances in place), CEA-BID-03.
    """
    core = machine.core
    if not core.day_is_open:
        return
    today = date_of_number(core.trading_date)
    for name, application in list(machine.applications.items()):
        terms = application.terms
        if application.status not in PENDING:
            continue
        if terms.date < core.trading_date:
            yield control.BiddingLapsed(bidding=name, why="its day is over")
        elif not _is_in_place(machine, calendar, today, terms):
            yield control.BiddingLapsed(bidding=name, why="allowances are not in place")
        elif terms.date == core.trading_date and application.status == "applied":
            yield control.BiddingLapsed(bidding=name, why="not reviewed in time")
        elif terms.date == core.trading_date:
            yield _announcement(machine, name, terms)


def listed(machine: VenueStateMachine, calendar: TradingCalendar) -> list[dict[str, Any]]:
    """Return all applications, as operators see them, in order of filing."""
    return [
        {
            "bidding": name,
            **_shown(machine, application.terms),
            "account": application.terms.account,
            "applied_on": application.terms.applied_on,
            "by": application.terms.by,
            "review_until": _review_until(machine, calendar, application.terms),
            "status": application.status,
            "why": application.why,
        }
        for name, application in machine.applications.items()
    ]


def reviews_overdue(
    machine: VenueStateMachine, calendar: TradingCalendar, today: date
) -> list[str]:
    """Return the names of the applications that operators should have reviewed by now.

    Notes
    -----
    Rules: CEA-BID-10.
    """
    ends = {
        name: _review_until(machine, calendar, application.terms)
        for name, application in machine.applications.items()
        if application.status == "applied"
    }
    return [name for name, end in ends.items() if end is not None and date_number(today) > end]


def notices(machine: VenueStateMachine) -> list[dict[str, Any]]:
    """Return the approved biddings that are to come, as everybody may see them.

    Notes
    -----
    Rules: CEA-BID-03.
    """
    return [
        {"bidding": name, **_shown(machine, application.terms)}
        for name, application in machine.applications.items()
        if application.status == "approved"
    ]


def _shown(machine: VenueStateMachine, terms: control.BiddingApplied) -> dict[str, Any]:
    fields = ("product", "side", "tonnes", "limit", "pricing", "date", "opens_at", "closes_at")
    return {field: getattr(terms, field) for field in fields}


def _announcement(
    machine: VenueStateMachine, name: str, terms: control.BiddingApplied
) -> control.BiddingOpen:
    """The act that announces a bidding, its limit in fen by today's reference price.

    Rules: CEA-BID-02.
    """
    product = machine.core.product(machine.product_index(terms.product))
    limit = int(product["reference_price"])
    if terms.limit == "band_end":
        limit = _band_end(machine.profile.rules.on(machine.core.trading_date), limit, terms.side)
    return control.BiddingOpen(
        bidding=name,
        account=terms.account,
        product=terms.product,
        side=terms.side,
        tonnes=terms.tonnes,
        limit=limit,
        pricing=terms.pricing,
        opens_at=terms.opens_at,
        closes_at=terms.closes_at,
    )


def _band_end(rules: MarketRules, price: int, side: str) -> int:
    """The lowest limit a seller may choose, the highest of a buyer; the market has the last word.

    Rules: CEA-BID-02, CEA-LST-03.
    """
    sells = side == "sell"
    exact = price * (10_000 + (-1 if sells else 1) * rules.bidding_band_bp)
    if rules.band_rounding == "half_up":
        return (exact + 5_000) // 10_000
    return -(-exact // 10_000) if sells else exact // 10_000


def _is_in_place(
    machine: VenueStateMachine,
    calendar: TradingCalendar,
    today: date,
    terms: control.BiddingApplied,
) -> bool:
    """Whether a seller holds what it would sell, from so many working days ahead on.

    Rules: CEA-BID-11.
    """
    ahead = _working_days(calendar, today, date_of_number(terms.date))
    if terms.side == "buy" or ahead > machine.profile.bidding_place_days:
        return True
    holdings = machine.core.account(machine.account_index(terms.account))["holdings"]
    return holdings.get(machine.product_index(terms.product), (0,))[0] >= terms.tonnes


def _working_days(calendar: TradingCalendar, today: date, day: date) -> int:
    """How many working days a day lies ahead.

    Rules: CEA-DAY-09.
    """
    return len(calendar.working_days(today + timedelta(days=1), day)) if day > today else 0


def _review_until(
    machine: VenueStateMachine, calendar: TradingCalendar, terms: control.BiddingApplied
) -> int | None:
    """The last day (yyyymmdd) of an application's review; None if there is none, or none known.

    Rules: CEA-BID-10, CEA-DAY-09.
    """
    since, days = date_of_number(terms.applied_on), machine.profile.bidding_review_days
    if not days:
        return None
    try:
        return date_number(calendar.working_day_after(since, days))
    except CalendarError:
        return None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FrameError(
            VenueRefusal.VALUE_UNSOUND, expected="a date (2025-07-16)", got=text, where="date"
        ) from error


def _instant(day: date, text: str | None) -> datetime | None:
    if text is None:
        return None
    hours, minutes = text.split(":")
    return day_start(day) + timedelta(hours=int(hours), minutes=int(minutes))
