"""`OrderBook` is held to be the same by an outside judge, and that judge finds what is planted."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip(
    "tracebook.conformance",
    reason="no outside judge: pip install 'cea-exchange[conformance]' (Python 3.13 or older)",
)

from tracebook.conformance import BUNDLED_SUITE_VERSIONS, ConformanceConfig, run_conformance
from tracebook.core.order import NO_OWNER, SelfTradePolicy
from tracebook.events import MarketEvent

from cea_exchange import OrderBook
from conformance import judge
from conformance.adapter import NAMED_OWNER_COUNT, OrderBookAdapter, owner_name, owner_number

POLICIES = tuple(SelfTradePolicy)


def compare(events, candidate=OrderBookAdapter, policy=SelfTradePolicy.NONE):
    """Run a trace through both engines; return the first difference, or None."""
    events = [MarketEvent.from_mapping({"symbol": "CEA25", **event}) for event in events]
    report = run_conformance(events, candidate, ConformanceConfig(self_trade_policy=policy))
    return report.divergence


def new(order_id, side, price, quantity=1, **more):
    event = {"op": "new", "order_id": order_id, "side": side, "price": price, "owner": order_id}
    return {**event, "quantity": quantity, **more}


# -- The judge, over the candidate's own process ---------------------------------------------------


@pytest.mark.e2e
@pytest.mark.parametrize("version", BUNDLED_SUITE_VERSIONS)
def test_every_case_of_the_suites_is_the_same(version):
    verdicts = list(judge.judge_suite(version, judge.CANDIDATE))
    assert [str(each) for each in verdicts if each.failed] == []
    assert sum(each.result == "same" for each in verdicts) >= len(judge.SUITE_CASES)
    outside = [each.case for each in verdicts if each.result == "out of scope"]
    assert outside == [f"suite {version} pro-rata-allocation"]


@pytest.mark.e2e
@pytest.mark.parametrize("profile", judge.campaign_profiles(), ids=lambda profile: profile.name)
def test_generated_traces_are_the_same(profile):
    verdict = judge.judge_campaign(profile, seed=7, traces=2, events=250, candidate=judge.CANDIDATE)
    assert not verdict.failed, verdict


def test_a_case_that_is_gone_from_the_suite_is_no_case_passed(monkeypatch):
    monkeypatch.setattr(judge, "SUITE_CASES", (*judge.SUITE_CASES, "no-such-case"))
    last = list(judge.judge_suite("v2", OrderBookAdapter))[-1]
    assert (last.case, last.result, last.failed) == ("suite v2 no-such-case", "MISSING", True)


def test_a_candidate_that_does_not_start_fails_every_case():
    candidate = judge.ExternalProcessAdapterFactory([sys.executable, "-c", "raise SystemExit"])
    results = [each.result for each in judge.judge_suite("v2", candidate) if each.failed]
    assert results == ["DID NOT RUN"] * 8
    profile = judge.get_campaign_profile("fifo-limit-v1")
    assert judge.judge_campaign(profile, 1, 1, 10, candidate).result == "DID NOT RUN"
    assert judge.judge_qualification("fifo-limit-v1", "v2", candidate).result == "DID NOT RUN"


# -- The adapter -----------------------------------------------------------------------------------


class Forgetful:
    """Each event is applied by a new adapter that is given the books and nothing else."""

    def __init__(self, config):
        self.config = config
        self.inner = OrderBookAdapter(config)
        self.metadata = self.inner.metadata

    def renew(self):
        books = {symbol: book.copy() for symbol, book in self.inner.books.items()}
        self.inner = OrderBookAdapter(self.config)
        self.inner.books = books

    def apply(self, event, index):
        assert all(type(book) is OrderBook for book in self.inner.books.values())
        self.renew()
        return self.inner.apply(event, index)

    def snapshot(self):
        self.renew()
        return self.inner.snapshot()

    def close(self):
        pass


@pytest.mark.parametrize("profile", judge.campaign_profiles(), ids=lambda profile: profile.name)
def test_the_adapter_holds_no_order_state_of_its_own(profile):
    verdict = judge.judge_campaign(profile, seed=3, traces=1, events=200, candidate=Forgetful)
    assert not verdict.failed, verdict


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_orders_without_owner_trade_with_each_other(policy):
    trace = [
        new(1, "SELL", 100, owner=NO_OWNER),
        new(2, "SELL", 100, owner=7),
        new(3, "BUY", 100, 3, owner=NO_OWNER),
        new(4, "SELL", 100, owner=NO_OWNER),
        new(5, "SELL", 100, 5, owner=NO_OWNER),
        new(6, "BUY", 100, 2, owner=7),
        new(7, "SELL", 100, 1, owner=7),
    ]
    assert compare(trace, policy=policy) is None


def test_owners_fit_or_are_refused():
    for owner, order_id in ((0, 1), (NAMED_OWNER_COUNT - 1, 1), (NO_OWNER, NAMED_OWNER_COUNT - 1)):
        assert owner_name(owner_number(owner, order_id)) == owner
    for owner, order_id in ((-2, 1), (NAMED_OWNER_COUNT, 1), (NO_OWNER, NAMED_OWNER_COUNT)):
        with pytest.raises(ValueError, match="does not fit"):
            owner_number(owner, order_id)


def test_what_is_not_exact_is_refused():
    adapter = OrderBookAdapter(ConformanceConfig())
    assert adapter.tonnes(0.1) == 10**11
    assert adapter.tonnes(1e-12) == 1
    assert [adapter.ticks(price) for price in (100.004, 100.006)] == [10000, 10001]
    assert [adapter.ticks(price) for price in (0.004, -1)] == [0, -100]
    with pytest.raises(ValueError, match="decimals"):
        adapter.tonnes(1e-13)
    with pytest.raises(ValueError, match="above"):
        adapter.ticks(1e9)


def test_refusals_are_the_same():
    trace = [
        {"op": "cancel", "order_id": 1},
        {"op": "clear"},
        {"op": "replace", "order_id": 1, "price": 1},
        {"op": "reduce", "order_id": 1, "quantity": 1},
        *(new(1, "BUY", 100, quantity) for quantity in (0, -1)),
        *(new(1, "BUY", price) for price in (0, -5, 0.004, 100)),
        *(new(1, "SELL", 100, quantity) for quantity in (1, 0)),
        *(new(2, "SELL", 101, order_type=kind) for kind in ("IOC", "FOK", "MARKET")),
        *(new(3, "SELL", 99, 2, order_type=kind) for kind in ("FOK", "IOC")),
        new(1, "BUY", 100, 2),
        *({"op": "replace", "order_id": 1, "quantity": quantity} for quantity in (0, -1, 1)),
        *({"op": "replace", "order_id": 1, "price": price} for price in (0, -1, 0.004)),
        *({"op": "reduce", "order_id": 1, "quantity": quantity} for quantity in (1.5, 0.25, 0.75)),
        {"op": "cancel", "order_id": 1},
    ]
    assert compare(trace) is None


# -- Traces that the package's generator does not write --------------------------------------------

IDS = st.integers(1, 12)
TICKS = st.integers(9990, 10010).map(lambda ticks: ticks / 100)
QUANTITIES = st.integers(1, 12).map(lambda halves: halves / 2)
ORDERS = st.fixed_dictionaries(
    {
        "op": st.just("new"),
        "order_id": IDS,
        "side": st.sampled_from(("BUY", "SELL")),
        "order_type": st.sampled_from(("LIMIT",) * 5 + ("MARKET", "IOC", "FOK")),
        "price": TICKS | st.sampled_from((0, -1, 0.001)),
        "quantity": QUANTITIES | st.just(0),
        "owner": st.sampled_from((NO_OWNER, 0, 1, 2)),
    }
)
CHANGES = st.one_of(
    st.fixed_dictionaries({"op": st.just("cancel"), "order_id": IDS}),
    st.fixed_dictionaries({"op": st.just("reduce"), "order_id": IDS, "quantity": QUANTITIES}),
    st.fixed_dictionaries({"op": st.just("replace"), "order_id": IDS, "quantity": QUANTITIES}),
    st.fixed_dictionaries(
        {"op": st.just("replace"), "order_id": IDS, "price": TICKS},
        optional={"quantity": QUANTITIES | st.just(0)},
    ),
)
SYMBOLS = st.fixed_dictionaries({"symbol": st.sampled_from(("CEA24", "CEA25"))})


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@settings(max_examples=30)
@given(
    trace=st.lists(
        st.builds(lambda event, symbol: {**event, **symbol}, ORDERS | ORDERS | CHANGES, SYMBOLS),
        min_size=30,
        max_size=60,
    )
)
def test_any_trace_is_the_same(policy, trace):
    assert compare(trace, policy=policy) is None


# -- The judge finds what is planted ---------------------------------------------------------------


class ReplaceKeepsPlace(OrderBookAdapter):
    def replace(self, book, event):
        order = book.order(event.order_id)
        if order is None:
            return self.cancel(book, event)
        price = order["price"] if event.price is None else self.ticks(event.price)
        tonnes = order["tonnes_open"] if event.quantity is None else self.tonnes(event.quantity)
        result = book.amend(event.order_id, price, tonnes)
        return self.outcome(event, result), self.fills(event, order["side"], result)


class ReduceLosesPlace(OrderBookAdapter):
    def reduce(self, book, event):
        outcome, fills = super().reduce(book, event)
        order = book.order(event.order_id)
        if order is not None:
            book.amend(event.order_id, order["price"], order["tonnes_open"])
        return outcome, fills


class OneTonneTooMany(OrderBookAdapter):
    def tonnes(self, quantity):
        return super().tonnes(quantity) + (quantity == 5)


class PriceOffByOne(OrderBookAdapter):
    def ticks(self, price):
        return super().ticks(price) - (price > 100)


class MarketOrdersRest(OrderBookAdapter):
    def new(self, book, event):
        outcome, fills = super().new(book, event)
        fills = list(fills)
        if event.order_type.name == "MARKET" and not fills:
            book.enter(event.order_id, 1, 1, self.tonnes(event.quantity), event.owner)
        return outcome, fills


@pytest.mark.parametrize(
    "candidate",
    [ReplaceKeepsPlace, ReduceLosesPlace, OneTonneTooMany, PriceOffByOne, MarketOrdersRest],
)
def test_the_judge_finds_a_planted_fault(candidate):
    profile = judge.get_campaign_profile("fifo-full-v1")
    verdict = judge.judge_campaign(profile, seed=1, traces=3, events=400, candidate=candidate)
    assert verdict.result == "DIFFERENT"
    assert "divergence" in verdict.evidence
