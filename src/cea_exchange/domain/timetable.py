"""When a day opens, changes its phase and closes: pure functions of two instants.

    09:00      09:30     11:30     13:00              15:00
      |          |         |         |                  |
    open ---> LISTED --> BREAK --> LISTED_AND_BLOCK --> close        (profile cea)
   PRE_OPEN

A change is due from its instant on (starts inclusive, ends exclusive). Nothing here reads a clock.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

from msgspec import Struct

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.enums import BiddingState, Phase
from cea_exchange.domain.profile import Profile

# China has had one offset and no summer time since 1991, before any carbon market; a fixed offset
# needs no time zone database.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_DAY = timedelta(days=1)


class Change(Struct, frozen=True):
    """One thing the timetable does."""

    at: datetime
    act: Literal["day_open", "phase", "day_close"]
    trading_date: date
    phase: Phase
    """The phase from `at` on: PRE_OPEN of a `day_open`, CLOSED of a `day_close`."""


def time_parse(text: str) -> datetime:
    """Read an ISO 8601 time with an offset, as Shanghai's time.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If it is no such time, or has no offset: `2025-07-16T09:30:00+08:00`.
    """
    if not isinstance(text, str):
        raise TypeError(f"time: expected str, got {type(text).__name__}")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"time: expected ISO 8601 with an offset, got {text[:80]!r}") from error
    if moment.tzinfo is None:
        raise ValueError(f"time: expected an offset such as +08:00, got {text[:80]!r}")
    try:
        return moment.astimezone(SHANGHAI)
    except OverflowError as error:
        raise ValueError(f"time: expected within years 1..9999, got {text[:80]!r}") from error


def day_start(day: date) -> datetime:
    """Return midnight in Shanghai at a day's beginning: the time `open_day` sets."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


def time_from_ns(time_ns: int) -> datetime:
    """Return Shanghai's time of a count of nanoseconds since 1970 (UTC), to the microsecond."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (epoch + timedelta(microseconds=time_ns // 1000)).astimezone(SHANGHAI)


def time_to_ns(moment: datetime) -> int:
    """Return the nanoseconds since 1970 (UTC) of a time with an offset."""
    if moment.tzinfo is None:
        raise ValueError(f"time: expected an offset such as +08:00, got {moment.isoformat()!r}")
    elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds) * 1000


def changes_of_day(profile: Profile, day: date) -> list[Change]:
    """Return all changes of one trading day, in order."""
    changes = [Change(_at(day, profile.day_opens_at), "day_open", day, Phase.PRE_OPEN)]
    for time, phase in profile.sessions:
        act: Literal["phase", "day_close"] = "day_close" if phase == Phase.CLOSED else "phase"
        changes.append(Change(_at(day, time), act, day, phase))
    return changes


def changes_due(
    profile: Profile,
    calendar: TradingCalendar,
    *,
    after: datetime | None,
    until: datetime,
    day_open: date | None = None,
    last_date: date | None = None,
) -> list[Change]:
    """Return what falls due when the market's time moves on.

    Parameters
    ----------
    profile : Profile
        Gives the times.
    calendar : TradingCalendar
        Gives the days; must reach the day of `until`.
    after : datetime or None
        The time so far, exclusive. None: the market has had no time yet, so only the day of `until`
        is run.
    until : datetime
        The new time, inclusive; not before `after`.
    day_open : date or None
        The day that is open now. It is run to its close even if it is no trading day, for somebody
        opened it by hand; it is not opened again.
    last_date : date or None
        The last day that was opened; no day up to it opens again.

    Returns
    -------
    list of Change
        In order; each applies as it stands.

    Raises
    ------
    ValueError
        If time would go back.
    CalendarError
        If the calendar does not reach that far.

    Notes
    -----
    Rules: CEA-DAY-01, CEA-DAY-02, CEA-DAY-03, CEA-DAY-04.
    """
    until = until.astimezone(SHANGHAI)
    if after is None:
        after = day_start(until.date()) - timedelta(microseconds=1)
        first = until.date()
    else:
        after = after.astimezone(SHANGHAI)
        first = after.date()
    if until < after:
        raise ValueError(f"time: expected none before {after.isoformat()}, got {until.isoformat()}")
    calendar.reason(until.date())  # Refuses a day beyond the horizon before anything is run.
    if day_open is not None and (last_date is None or last_date < day_open):
        last_date = day_open
    due: list[Change] = []
    for day in _days(first, until.date()):
        changes = [c for c in changes_of_day(profile, day) if after < c.at <= until]
        for change in changes:
            if change.act == "day_open":
                fresh = last_date is None or day > last_date
                if day_open is not None or not fresh or not _trades(calendar, day):
                    continue
                day_open = last_date = day
            elif day_open != day:
                continue
            elif change.act == "day_close":
                day_open = None
            due.append(change)
    return due


def bidding_window(
    profile: Profile,
    trading_date: date,
    now: datetime,
    opens_at: datetime | None,
    closes_at: datetime | None,
) -> BiddingState:
    """Return how a bidding stands that is announced now: OPEN, ANNOUNCED, or ENDED if it can't be.

    Parameters
    ----------
    profile : Profile
        Gives the time at which the day closes.
    trading_date : date
        The day that is open.
    now : datetime
        The market's time.
    opens_at, closes_at : datetime or None
        Its window: at once, and until it is closed by hand or with the day, without them.

    Notes
    -----
    Rules: CEA-BID-03.
    """
    begin, end = day_start(trading_date), _at(trading_date, profile.sessions[-1][0])
    if opens_at is not None and not begin <= opens_at < (closes_at or end):
        return BiddingState.ENDED
    if closes_at is not None and not max(begin, now) < closes_at <= end:
        return BiddingState.ENDED
    is_later = opens_at is not None and now < opens_at
    return BiddingState.ANNOUNCED if is_later else BiddingState.OPEN


def _trades(calendar: TradingCalendar, day: date) -> bool:
    # Days before the calendar's first can lie between `after` and `until`: nothing opened then.
    return calendar.first <= day and calendar.is_trading_day(day)


def _at(day: date, time: str) -> datetime:
    return day_start(day) + timedelta(hours=int(time[:2]), minutes=int(time[3:]))


def _days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += _DAY

