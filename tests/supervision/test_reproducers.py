"""An alert's reproducer is a market script, and the alert is found again in it."""

import json

import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EventKind
from cea_exchange.supervision.corpus.cases import case_made
from cea_exchange.supervision.reproducer import (
    NotReproduced,
    played,
    reproducer,
    script_text,
)
from cea_exchange.supervision.sources import script_tape
from cea_exchange.supervision.surveillance import surveil
from support.supervision.market_days import MarketDays


def found_again(script, alert, facts):
    """The alerts of a script's own tape that are the same."""
    lines = script_text(script, alert).encode().splitlines(keepends=True)
    tape = script_tape(lines, load_profile("cea"), "reproducer")
    return [
        other
        for other in surveil(tape, facts=facts, patterns=(alert.pattern,))
        if other.same == alert.same
    ]


@pytest.mark.parametrize(
    "pattern", ["wash_group", "spoofing", "ramping", "thin_close", "bid_ring", "front_running"]
)
def test_an_alert_of_the_corpus_is_found_again_in_far_fewer_commands(pattern):
    """Rules: CEA-SVL-01."""
    case = case_made(pattern, 3, 7)
    who = set(case.accounts)
    (alert, *_) = [
        a
        for a in surveil(case.tape, facts=case.facts, patterns=(pattern,))
        if who & set(a.accounts) and a.grade != "watch"
    ]
    script = reproducer(case.tape, alert, facts=case.facts)
    assert len(script) < len(case.script) / 4
    (again, *_) = found_again(script, alert, case.facts)
    assert again.grade != "watch"


def test_the_same_alert_gives_the_same_reproducer():
    case = case_made("spoofing", 3, 8)
    (alert,) = surveil(case.tape, patterns=("spoofing",))
    one, other = (reproducer(case.tape, alert) for _ in range(2))
    assert json.dumps(one) == json.dumps(other)


def test_amended_orders_blocks_and_what_was_refused_play_again_as_they_were():
    days = MarketDays("A:G", "B:G", "O")
    days.at("13:05:00")
    first = days.enter("A", "sell", "91.00", 2_000)
    days.play(cmd="amend", id=first, account="A", price="90.00", tonnes=3_000)
    days.enter("A", "sell", "60.00", 10)
    days.enter("B", "buy", "90.00", 3_000)
    days.block("O", "B", "90.10", 100_000)
    days.close()
    (alert,) = days.alerts("wash_group")
    trades = [
        (int(t["price"]), int(t["tonnes"]))
        for t in played(reproducer(days.tape(), alert), days.tape()).events
        if t["trade_id"]
    ]
    assert trades == [(9_000, 3_000)]


def test_who_was_picked_is_picked_again():
    days = MarketDays("A:G", "B:G", "O")
    days.at("10:00:00")
    days.enter("O", "sell", "90.00", 2_000)
    days.deal("A", "B", "90.00", 2_000)
    days.deal("A", "B", "90.00", 3_000)
    days.close()
    (alert,) = days.alerts("wash_group")
    again = played(reproducer(days.tape(), alert), days.tape())
    picked = again.events["counter_order_id"][again.events["kind"] == EventKind.ORDER_ACCEPTED]
    assert picked.any()


def test_what_is_not_found_again_says_so():
    days = MarketDays("A:G", "B:G")
    days.at("10:00:00")
    days.deal("A", "B", "90.00", 3_000)
    days.close()
    (alert,) = days.alerts("wash_group")
    other = days.tape()._replace(groups=("", ""))
    with pytest.raises(NotReproduced, match="wash_group of A, B: not found again"):
        reproducer(other, alert)
