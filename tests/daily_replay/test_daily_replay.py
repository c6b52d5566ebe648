"""Published days through market and registry: what is equal, and why the rest is not."""

from datetime import date, timedelta

import pytest
from msgspec import structs

from cea_exchange.daily_replay.comparison import Cause, Context, Difference, differences
from cea_exchange.daily_replay.day_plan import Band, Planned, day_rules
from cea_exchange.daily_replay.local_market import Deal, LocalMarket, ReplayFailed
from cea_exchange.daily_replay.participants import (
    CannotTrade,
    Endowment,
    Participants,
    Parties,
    endowment,
)
from cea_exchange.daily_replay.replay import ReplayReport, ReplaySettings, replay_days
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import BIDDING_OPENED_DTYPE, EventKind, Phase, Pricing
from cea_exchange.domain.reference_prices import DailyFigures
from cea_exchange.registry.settlement.settlement import Settlement
from support.registry.ledger_by_hand import changed

FIRST = date(2025, 7, 16)


def day(
    open: int,
    high: int,
    low: int,
    close: int,
    listed: tuple[int, int] = (0, 0),
    block: tuple[int, int] = (0, 0),
    bidding: tuple[int, int] = (0, 0),
) -> DailyFigures:
    """A published day; volumes with their amounts."""
    return DailyFigures(FIRST, open, high, low, close, *listed, *block, *bidding)


def mean(price: int, tonnes: int) -> tuple[int, int]:
    """Tonnes, and the amount of which a price is the mean."""
    return tonnes, price * tonnes


@pytest.fixture
def replayed(tmp_path):
    """Replay made-up days, one after the other; the first begins from 100.00 yuan."""

    def replay(*days: DailyFigures, reference: int | None = 10_000) -> ReplayReport:
        dated = [
            structs.replace(each, trading_date=FIRST + timedelta(number))
            for number, each in enumerate(days)
        ]
        settings = ReplaySettings(first_reference=reference, accounts=50)
        return replay_days(dated, settings, tmp_path)

    return replay


def causes(report: ReplayReport) -> dict[str, Cause | None]:
    """What differs on the last day, and why."""
    return {each.figure: each.cause for each in report.days[-1].differences}


def test_days_come_out_as_published(replayed):
    """Prices, volumes and amounts of three days, among them one without a trade."""
    report = replayed(
        day(10_100, 10_400, 9_900, 10_123, (250_007, 10_123 * 250_007 + 17), mean(9_500, 300_000)),
        day(10_123, 0, 0, 10_123),
        day(10_200, 10_200, 10_200, 10_200, mean(10_200, 5), (400_001, 9_999 * 400_001 + 77)),
    )
    assert [each.differences for each in report.days] == [(), (), ()]
    assert report.equal("close") == report.compared("close") == 3
    assert report.compared("high") == 2
    assert report.ledger.trades == report.trades > 24
    assert report.ledger.agrees


@pytest.mark.parametrize(
    ("bidding", "pricing"),
    [
        pytest.param(mean(10_300, 700_001), Pricing.UNIFORM, id="one price"),
        pytest.param((700_001, 10_300 * 700_001 + 17), Pricing.PAY_AS_BID, id="two prices"),
        pytest.param(mean(9_200, 250_000), Pricing.UNIFORM, id="below the previous close"),
        pytest.param(mean(10_000, 40), Pricing.UNIFORM, id="less awarded than offered"),
    ],
)
def test_biddings_award_what_was_published(replayed, monkeypatch, bidding, pricing):
    """CEA-BID-01, CEA-BID-02: 100,000 t or more are offered, of which less may be awarded."""
    opened = []
    noted = LocalMarket._noted

    def note(market, events):
        opened.extend(events[events["kind"] == EventKind.BIDDING_OPENED].view(BIDDING_OPENED_DTYPE))
        return noted(market, events)

    monkeypatch.setattr(LocalMarket, "_noted", note)
    report = replayed(day(10_000, 10_000, 10_000, 10_000, mean(10_000, 10), bidding=bidding))
    assert report.days[0].differences == ()
    (terms,) = opened
    assert terms["pricing"] == pricing
    assert terms["tonnes"] == max(bidding[0], 100_000)
    assert terms["floor"] == (10_000 if bidding[1] >= 10_000 * bidding[0] else 9_000)


def test_a_bidding_outside_the_range_is_awarded_at_its_end(replayed):
    day_of = day(10_000, 10_000, 10_000, 10_000, mean(10_000, 10), bidding=mean(11_500, 100_000))
    report = replayed(PLAIN, day_of)
    assert causes(report) == {"bidding_amount": Cause.PUBLISHED_BAND}
    assert report.days[-1].ours.bidding_amount == 11_000 * 100_000


OPENED = day(8_000, 8_000, 8_000, 8_000, mean(8_000, 10))


def test_the_first_reference_is_the_first_days_open_unless_given(replayed):
    assert replayed(OPENED, PLAIN, reference=None).first_reference == 8_000


def test_the_first_reference_is_no_later_days_open(replayed, tmp_path):
    """A day without listed trades has the close of the day before."""
    untraded = day(0, 0, 0, 7_600)
    report = replayed(untraded, OPENED, reference=None)
    assert report.first_reference == 7_600
    assert report.unexplained() == []
    for figures in (day(0, 0, 0, 0), day(0, 0, 0, 7_600, mean(7_600, 10))):
        with pytest.raises(ValueError, match="2025-07-16: expected an open, or a first reference"):
            replay_days([figures, OPENED], ReplaySettings(), tmp_path)
    with pytest.raises(ValueError, match="expected at least one trading day"):
        replay_days([], ReplaySettings(), tmp_path)


# -- Every cause -----------------------------------------------------------------------------------

PLAIN = day(10_000, 10_000, 10_000, 10_000, mean(10_000, 1_000))
"""A day at 100.00 yuan: published close and ours are the same after it."""
APART = day(10_000, 10_900, 10_000, 10_900, mean(10_000, 1_000))
"""A day that ends at 109.00 as published, and near 100.00 with us: composite."""


@pytest.mark.parametrize(
    ("before", "last", "expected"),
    [
        pytest.param(
            [APART],
            day(10_900, 0, 0, 10_900),
            {"open": Cause.PREVIOUS_CLOSE, "close": Cause.PREVIOUS_CLOSE},
            id="no trade, our close carried",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 10_050, 9_950, 10_020),
            {
                "high": Cause.NO_LISTED_TRADE,
                "low": Cause.NO_LISTED_TRADE,
                "close": Cause.NO_LISTED_TRADE,
            },
            id="prices without a trade",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 10_100, 9_900, 10_101, mean(10_000, 1_000)),
            {"close": Cause.CLOSE_OUTSIDE_RANGE},
            id="close outside low..high",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 10_100, 9_900, 10_050, mean(9_800, 1_000)),
            {"close": Cause.MEAN_OUTSIDE_RANGE, "listed_amount": Cause.MEAN_OUTSIDE_RANGE},
            id="mean outside low..high",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 10_100, 9_900, 10_050, mean(10_000, 1_000)),
            {"close": Cause.CLOSE_NOT_MEAN},
            id="close is not the mean",
        ),
        pytest.param(
            [PLAIN],
            day(9_800, 10_100, 9_900, 10_000, mean(10_000, 1_000)),
            {"open": Cause.OPEN_OUTSIDE_RANGE},
            id="open outside low..high",
        ),
        pytest.param(
            [APART],
            day(11_500, 11_600, 10_900, 11_200, mean(11_200, 1_000), mean(14_000, 100_000)),
            {
                "open": Cause.OUR_BAND,
                "high": Cause.OUR_BAND,
                "close": Cause.OUR_BAND,
                "listed_amount": Cause.OUR_BAND,
                "block_amount": Cause.OUR_BAND,
            },
            id="outside our band only",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 11_001, 10_000, 11_001, mean(11_001, 1_000), mean(6_999, 100_000)),
            {
                "high": Cause.PUBLISHED_BAND,
                "close": Cause.PUBLISHED_BAND,
                "listed_amount": Cause.PUBLISHED_BAND,
                "block_amount": Cause.PUBLISHED_BAND,
            },
            id="outside the published band too",
        ),
        pytest.param(
            [],
            day(11_001, 11_001, 11_001, 11_001, mean(11_001, 10)),
            dict.fromkeys(("open", "high", "low", "close", "listed_amount"), Cause.FIRST_BAND),
            id="outside the first band",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 10_100, 9_900, 10_050, mean(10_050, 1)),
            {
                "high": Cause.TOO_FEW_TONNES,
                "low": Cause.TOO_FEW_TONNES,
                "close": Cause.TOO_FEW_TONNES,
                "listed_amount": Cause.TOO_FEW_TONNES,
            },
            id="one tonne",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 10_100, 9_900, 10_090, mean(10_090, 5)),
            {"close": Cause.TOO_FEW_TONNES, "listed_amount": Cause.TOO_FEW_TONNES},
            id="five tonnes",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 0, 0, 10_000, block=mean(10_000, 99_999)),
            {"block_volume": Cause.BLOCK_TOO_SMALL, "block_amount": Cause.BLOCK_TOO_SMALL},
            id="a block of 99,999 t",
        ),
        pytest.param(
            [PLAIN],
            day(10_000, 0, 0, 10_000, block=(150_000, 10_000 * 150_000 + 75_000)),
            {"block_amount": Cause.BLOCK_WHOLE_PRICES},
            id="one block, half a fen a tonne",
        ),
    ],
)
def test_each_cause_comes_of_the_days_own_figures(replayed, before, last, expected):
    assert causes(replayed(*before, last)) == expected


def test_a_day_without_high_and_low_follows_its_mean_alone(replayed):
    report = replayed(
        day(0, 0, 0, 10_456, mean(10_456, 70_000)), day(0, 0, 10_400, 10_456, mean(10_456, 70_000))
    )
    assert [each.differences for each in report.days] == [(), ()]


RULES = day_rules(load_profile("cea").rules, 10_000)
FULL = day(10_000, 10_100, 9_900, 10_050, mean(10_050, 1_000), mean(10_000, 200_000))


@pytest.mark.parametrize(
    "figure",
    ["open", "high", "low", "close"]
    + [
        f"{method}_{what}"
        for method in ("listed", "block", "bidding")
        for what in ("volume", "amount")
    ],
)
def test_a_difference_without_a_cause_is_unexplained(figure):
    """Nothing in this day's figures keeps ours from them: no cause is made up."""
    other = structs.replace(FULL, **{figure: getattr(FULL, figure) + 200_000})
    found = differences(FULL, other, Context(RULES, 10_000, RULES, 10_000))
    assert [(each.figure, each.cause) for each in found] == [(figure, None)]


def test_a_price_of_ours_that_is_not_the_previous_close_is_unexplained():
    """Without a listed trade there is but one close to have."""
    published, ours = day(10_000, 0, 0, 10_000), day(10_001, 0, 0, 10_001)
    found = differences(published, ours, Context(RULES, 9_999, RULES, 10_000))
    assert found == (
        Difference("open", 10_000, 10_001, None),
        Difference("close", 10_000, 10_001, None),
    )


# -- What must hold --------------------------------------------------------------------------------


@pytest.fixture
def market(tmp_path):
    has = Endowment(cash=10**12, tonnes=1_000_000)
    with LocalMarket(
        tmp_path, load_profile("cea"), product="CEA", reference=10_000, accounts=50, has=has
    ) as market:
        yield market


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "UPDATE postings SET amount = amount + 1 WHERE posting_id ="
            " (SELECT max(posting_id) FROM postings WHERE account_index = 3 AND asset_index = 0)",
            "registry must hold",
        ),
        (
            "DELETE FROM postings WHERE account_index = 3 AND asset_index > 0",
            "registry must hold",
        ),
        ("DELETE FROM postings WHERE account_index = -1", "expected a sum of zero"),
        ("UPDATE meta SET confirmed_date = 0", "day must be confirmed"),
    ],
)
def test_what_is_not_conserved_or_settled_is_noticed(market, monkeypatch, damage, message):
    """The registry's ledger is changed behind its back, after it has settled."""
    settlement = market._exchange.settlement
    apply = settlement.apply

    def damaged(log_id, records):
        last_seq = apply(log_id, records)
        changed(settlement.store, damage)
        return last_seq

    market.day_open(PLAIN)
    monkeypatch.setattr(settlement, "apply", damaged)
    with pytest.raises(ReplayFailed, match=message):
        market.day_close()


def test_a_trade_that_the_registry_fails_is_noticed(market, tmp_path):
    """A frozen account's trade is received and not posted."""
    exchange = market._exchange
    exchange.settlement = Settlement(exchange.settlement.store, failure_of=lambda trade: "frozen")
    books = Participants(50, Endowment(10**12, 1_000_000), 1)
    market.day_open(PLAIN)
    market.phase(Phase.LISTED)
    trade = Planned(10_000, 100)
    market.trade_listed([Deal(trade, books.parties(trade), True)], Band(9_000, 11_000))
    with pytest.raises(ReplayFailed, match="1 trades must be settled, 0 of 1 are"):
        market.day_close()


def test_a_refused_order_and_a_deal_outside_its_band_are_noticed(market):
    market.day_open(PLAIN)
    market.phase(Phase.LISTED)
    deal = Deal(Planned(11_001, 100), Parties(1, 2), False)
    with pytest.raises(ReplayFailed, match="one was: PRICE_OUT_OF_BAND"):
        market.trade_listed([deal], RULES.listed)
    deal = Deal(Planned(11_000, 100), Parties(1, 2), False)
    with pytest.raises(ReplayFailed, match="listed deals: expected within"):
        market.trade_listed([deal], Band(9_000, 10_999))


def test_the_day_of_a_failure_is_named(replayed, monkeypatch):
    monkeypatch.setattr(Participants, "day_begin", lambda self: None)
    days = [day(10_000, 10_000, 10_000, 10_000, mean(10_000, 49_000_000))] * 2
    with pytest.raises(ReplayFailed, match="2025-07-17: an account must have .* to sell, none has"):
        replayed(*days)


# -- Participants ----------------------------------------------------------------------------------


def test_what_is_bought_today_is_sold_tomorrow_at_the_earliest():
    books = Participants(2, Endowment(cash=10_000, tonnes=10), seed=1)
    trade = Planned(100, 10)
    buyer, seller = books.parties(trade)
    assert (books.sellable[seller], books.bought[buyer]) == (0, 10)
    assert (books.cash[seller], books.cash[buyer]) == (11_000, 9_000)
    with pytest.raises(CannotTrade):
        books.seller(11)
    books.day_begin()
    assert books.seller(11) == buyer


def test_the_endowment_suffices_for_the_largest_day():
    """Half of all changes hands every day, in trades of every size."""
    days = [
        day(10_000, 10_000, 10_000, 10_000, mean(10_000, 9_000_001), mean(10_000, 20_000_000))
    ] * 5
    has = endowment(days, 50, 10_000, 100_000)
    assert has.tonnes == 1_100_000
    books = Participants(50, has, seed=1)
    for _ in days:
        books.day_begin()
        for _ in range(58):
            books.parties(Planned(10_000, 500_000))
    assert sum(books.sellable) + sum(books.bought) == 50 * has.tonnes
