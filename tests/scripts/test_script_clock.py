"""The market's time in scripts: days and phases that fall due."""

from cea_exchange.matching.events import Event
from support.market.market_scripts import OPENING, buy, cancel, play, sell

PRODUCT = OPENING[0]
OPENED = ["day_opened", "pre_open"]
WHOLE_DAY = [
    *OPENED,
    "listed",
    "break",
    "listed_and_block",
    "closed",
    "day_closed",
    "composite_closed",
]


def clock(*times: str) -> list[dict]:
    """Clock lines, in Shanghai's time where no offset is given."""
    return [
        {"cmd": "clock", "at": time if time.endswith("Z") else f"{time}+08:00"} for time in times
    ]


def words(events: list[Event]) -> list[str]:
    """Each event in a word, a change of phase by its phase."""
    return [event.phase if event.event == "phase_changed" else event.event for event in events]


def test_starts_are_inclusive_and_ends_exclusive() -> None:
    """09:00 opens, 09:30 lists, 15:00 closes, not a second earlier."""
    assert words(play([PRODUCT, *clock("2025-07-16T08:59:59")])) == []
    assert words(play([PRODUCT, *clock("2025-07-16T09:00:00")])) == OPENED
    assert words(play([PRODUCT, *clock("2025-07-16T09:29:59.999999")])) == OPENED
    assert words(play([PRODUCT, *clock("2025-07-16T09:30:00")])) == [*OPENED, "listed"]
    assert words(play([PRODUCT, *clock("2025-07-16T11:30:00")])) == [*OPENED, "listed", "break"]
    assert words(play([PRODUCT, *clock("2025-07-16T14:59:59")]))[-1] == "listed_and_block"
    assert words(play([PRODUCT, *clock("2025-07-16T15:00:00")])) == WHOLE_DAY


def test_other_offsets_mean_the_same_instant() -> None:
    """07:00 UTC is 15:00 in Shanghai."""
    assert words(play([PRODUCT, *clock("2025-07-16T07:00:00Z")])) == WHOLE_DAY


def test_the_first_time_opens_its_own_date_at_most() -> None:
    """A Monday's time says nothing of the Friday before; a Sunday opens nothing."""
    events = play([PRODUCT, *clock("2025-07-21T09:00:00")])
    assert [event.date for event in events if event.event == "day_opened"] == ["2025-07-21"]
    assert play([PRODUCT, *clock("2025-07-20T12:00:00")]) == []


def test_later_times_run_every_trading_day_in_between() -> None:
    """From a Wednesday's noon to the next Monday: Thursday and Friday run, empty."""
    events = play([PRODUCT, *clock("2025-07-16T12:00:00", "2025-07-21T09:00:00")])
    opened = [event.date for event in events if event.event == "day_opened"]
    assert opened == ["2025-07-16", "2025-07-17", "2025-07-18", "2025-07-21"]
    closed = [event for event in events if event.event == "day_closed"]
    assert [event.close for event in closed] == ["100.00"] * 3
    assert [event.high for event in closed] == [None] * 3


def test_the_composite_weighs_by_the_date() -> None:
    """All vintages alike in 2025, CEA25 alone in 2026."""
    products = [
        {"cmd": "product", "product": name, "reference_price": price}
        for name, price in (("CEA24", "80.00"), ("CEA25", "100.01"))
    ]
    events = play([*products, *clock("2025-12-31T15:00:00", "2026-01-05T15:00:00")])
    composites = [event for event in events if event.event == "composite_closed"]
    assert [(event.date, event.price) for event in composites] == [
        ("2025-12-31", "90.01"),
        ("2026-01-05", "100.01"),
    ]


def test_holidays_open_nothing() -> None:
    """The first week of October is closed."""
    events = play([PRODUCT, *clock("2025-09-30T16:00:00", "2025-10-09T09:00:00")])
    opened = [event.date for event in events if event.event == "day_opened"]
    assert opened == ["2025-09-30", "2025-10-09"]


def test_an_empty_day_carries_the_close_and_releases_purchases() -> None:
    """The close of the day with trades is the reference of the next; bought tonnes may be sold."""
    events = play(
        [
            *OPENING[:5],
            *clock("2025-07-16T09:30:00"),
            sell("b1", "105.00", 10),
            buy("a1", "105.00", 10),
            *clock("2025-07-17T10:00:00"),
            sell("a2", "105.00", 10, account="alice"),
            *clock("2025-07-18T09:30:00"),
            sell("a2", "115.50", 10, account="alice"),
            {"cmd": "state"},
        ]
    )
    assert [event.close for event in events if event.event == "day_closed"] == ["105.00"] * 2
    assert "order_rejected" not in words(events)
    assert events[-1].books["CEA23"].band_high == "115.50"


def test_time_may_stand_still() -> None:
    """The same time again changes nothing."""
    events = play([PRODUCT, *clock("2025-07-16T09:30:00", "2025-07-16T09:30:00")])
    assert words(events) == [*OPENED, "listed"]


def test_a_day_opened_by_hand_runs_by_the_timetable() -> None:
    """Even on a Saturday, for `open_day` doesn't ask the calendar."""
    saturday = {"cmd": "open_day", "date": "2025-07-19"}
    assert words(play([PRODUCT, saturday, *clock("2025-07-19T15:00:00")])) == WHOLE_DAY
    events = play([PRODUCT, saturday, *clock("2025-07-21T09:00:00")])
    assert words(events) == [*WHOLE_DAY, *OPENED]


def test_a_day_closed_by_hand_is_not_opened_again() -> None:
    """A date is traded once."""
    by_hand = [{"cmd": "open_day", "date": "2025-07-16"}, {"cmd": "close_day"}]
    assert "listed" not in words(play([PRODUCT, *by_hand, *clock("2025-07-16T16:00:00")]))


def test_a_phase_set_by_hand_holds_until_the_next_one_is_due() -> None:
    """`closed` does not end the day; 15:00 does, without another change of phase."""
    events = play(
        [
            PRODUCT,
            *clock("2025-07-16T10:00:00"),
            {"cmd": "phase", "phase": "break"},
            *clock("2025-07-16T11:00:00", "2025-07-16T13:00:00"),
            {"cmd": "phase", "phase": "closed"},
            {"cmd": "phase", "phase": "closed"},
            *clock("2025-07-16T15:00:00"),
        ]
    )
    assert words(events) == WHOLE_DAY


def test_phases_move_on_under_a_halt() -> None:
    """Only `resume` lifts it; 15:00 still closes the day."""
    events = play(
        [
            *OPENING[:5],
            *clock("2025-07-16T09:30:00"),
            buy("a1", "100.00", 1),
            {"cmd": "halt"},
            *clock("2025-07-16T13:30:00"),
            buy("a2", "100.00", 1),
            *clock("2025-07-17T09:30:00"),
            buy("a3", "100.00", 1),
            {"cmd": "resume"},
            buy("a3", "100.00", 1),
        ]
    )
    shown = words(events)
    assert shown.count("order_rejected") == 2
    assert shown.count("order_expired") == 1
    assert shown.index("halted") < shown.index("closed") < shown.index("resumed")
    assert shown[-1] == "order_rested"


def test_the_break_takes_cancels_only() -> None:
    """Enter is PHASE_CLOSED at noon; a cancel passes."""
    events = play(
        [
            *OPENING[:5],
            *clock("2025-07-16T09:30:00"),
            buy("a1", "100.00", 1),
            *clock("2025-07-16T11:30:00"),
            buy("a2", "100.00", 1),
            cancel("a1", "alice"),
        ]
    )
    assert words(events)[-2:] == ["order_rejected", "order_canceled"]
    assert events[-2].reason == "PHASE_CLOSED"


def test_a_reference_price_is_taken_until_listed_trading_starts() -> None:
    """Before the first listed phase, and between days; not at the break."""
    change = {"cmd": "reference_price", "product": "CEA23", "price": "110.00"}
    events = play(
        [
            PRODUCT,
            change,
            *clock("2025-07-16T09:29:00"),
            change | {"price": "120.00"},
            *clock("2025-07-16T11:30:00"),
            change,
            *clock("2025-07-16T15:00:00"),
            change,
        ]
    )
    answers = ("reference_price_changed", "order_rejected")
    assert [word for word in words(events) if word in answers] == [
        "reference_price_changed",
        "reference_price_changed",
        "order_rejected",
        "reference_price_changed",
    ]
    assert [event.close for event in events if event.event == "day_closed"] == ["120.00"]
