"""Activity statements of an embedded market's accounts, and their written forms."""

import csv
import io
import json

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from cea_exchange import Market
from cea_exchange.domain.documents.statement import (
    Holding,
    Position,
    StatementBuilder,
    StatementError,
    Step,
    steps_of_reports,
)
from cea_exchange.domain.documents.statement_forms import (
    statement_json,
    statement_map,
    statement_text,
    statements_csv,
)
from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.matching.script import command_play, script_events
from cea_exchange.matching.statements import MarketStatements, position_of
from cea_exchange.venue._reports import reports_by_account
from support.market.market_scripts import (
    OPENING,
    SCRIPTS,
    buy,
    cea_with,
    profile_of,
    script_lines,
    sell,
)
from support.venue.venue_process import command

GOLDEN = sorted(p.stem for p in SCRIPTS.glob("*.jsonl") if ".events" not in p.name)
ALL_SCRIPTS = [*GOLDEN, *sorted(
    f"rules/{p.stem}" for p in SCRIPTS.glob("rules/*.jsonl") if ".events" not in p.name
)]  # fmt: skip
FEES = cea_with(fee_bp=10, fee_min_fen=500)


def stated(lines, profile="cea"):
    """Play lines behind the opening, and close; return the statements by account, day by day."""
    return stated_lines([*OPENING, *lines, {"cmd": "close_day"}], profile)


def stated_lines(lines, profile):
    """Play lines; return the statements by account, day by day."""
    market = Market(profile)
    statements = MarketStatements(market)
    found = [each for line in lines for each in statements.take(command_play(line, market))]
    return by_days(found)


def by_days(statements):
    days = []
    for each in statements:
        if not days or each.account in days[-1]:
            days.append({})
        days[-1][each.account] = each
    return days


class ReportedMarket(Market):
    """A market whose accounts get statements of their own numbered reports, as a venue's do."""

    def __init__(self, profile):
        self.builders, self.statements = {}, []
        super().__init__(profile)

    def _named(self, rows, asked):
        for account, payload in reports_by_account(rows):
            reports = np.frombuffer(payload, EVENT_DTYPE)
            for step in steps_of_reports(reports, account, self.products):
                self.builder(self.accounts[account]).take(step)
        if (rows["kind"] == EventKind.DAY_CLOSED).any():
            date = int(rows["trading_date"][-1])
            self.statements += [
                self.builder(account).close(date, position_of(self, account))
                for account in self.accounts
            ]
        return super()._named(rows, asked)

    def builder(self, account):
        return self.builders.setdefault(account, StatementBuilder(account))


def stated_by_reports(lines, profile):
    market = ReportedMarket(profile)
    for line in lines:
        command_play(line, market)
    return by_days(market.statements)


def reported(lines, profile="cea"):
    """The same as `stated`, of the accounts' reports."""
    return stated_by_reports([*OPENING, *lines, {"cmd": "close_day"}], profile)


both_ways = pytest.mark.parametrize("stated", [stated, reported], ids=["named", "reports"])


def test_a_day_of_one_trade():
    """CEA-INF-03: cash, tonnes, what is not sellable yet, what was locked."""
    (day,) = stated([sell("b1", "100.00", 40), buy("a1", "101.00", 60)])
    alice, bob = day["alice"], day["bob"]
    assert alice.closing == Position(
        100_000_000 - 400_000, 0, {"CEA23": Holding(40, locked=0, bought_today=40)}
    )
    assert bob.closing == Position(400_000, 0, {"CEA23": Holding(4_960)})
    (lock,) = alice.locks
    assert (lock.id, lock.price, lock.tonnes, lock.traded, lock.end) == (
        "a1", 10_100, 60, 40, "order_expired",
    )  # fmt: skip
    assert [(lock.id, lock.end) for lock in bob.locks] == [("b1", "filled")]


def test_fees_are_part_of_it_to_the_fen():
    (day,) = stated([sell("b1", "96.17", 52), buy("a1", "96.17", 52)], FEES)
    alice, bob = day["alice"], day["bob"]
    assert (alice.fees, bob.fees) == (501, 501)
    assert alice.closing.cash == 100_000_000 - 500_084 - 501
    assert bob.closing.cash == 500_084 - 501


def test_a_day_opens_with_what_the_last_one_closed_with():
    first, second = stated(
        [
            sell("b1", "100.00", 40),
            buy("a1", "100.00", 40),
            {"cmd": "close_day"},
            {"cmd": "deposit", "account": "alice", "cash": "5.00"},
            {"cmd": "open_day", "date": "2025-07-17"},
            {"cmd": "withdraw", "account": "alice", "product": "CEA23", "tonnes": 3},
        ]
    )
    alice = second["alice"]
    assert alice.opening == Position(first["alice"].closing.cash, 0, {"CEA23": Holding(40)})
    # What came between the two days counts for the later one.
    assert [(each.kind, each.cash_change, each.tonnes_change) for each in alice.movements] == [
        ("deposited", 500, 0),
        ("withdrawn", 0, -3),
    ]
    assert alice.closing.holding("CEA23") == Holding(37)


def test_an_amended_and_a_cancelled_order():
    (day,) = stated(
        [
            sell("b1", "105.00", 50),
            buy("a1", "105.00", 20),
            {"cmd": "amend", "id": "b1", "account": "bob", "price": "106.00", "tonnes": 10},
            {"cmd": "cancel", "id": "b1", "account": "bob"},
        ]
    )
    (lock,) = day["bob"].locks
    assert (lock.price, lock.tonnes, lock.traded, lock.end) == (10_600, 30, 20, "REQUESTED")


TERMS = {"price": "79.00", "tonnes": 100_000}
BLOCK = {"product": "CEA23", "side": "sell", "price": "80.00", "tonnes": 100_000}


def test_both_sides_of_a_block_that_is_countered_and_rejected():
    more = [
        {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 100_000},
        {"cmd": "deposit", "account": "alice", "cash": "90000000.00"},
        {"cmd": "phase", "phase": "listed_and_block"},
        {"cmd": "block_offer", "id": "k", "account": "bob", "counterparty": "alice", **BLOCK},
        {"cmd": "block_counter", "id": "k", "account": "alice", **TERMS},
        {"cmd": "block_reject", "id": "k", "account": "bob"},
        {"cmd": "block_offer", "id": "l", "account": "bob", "counterparty": "alice", **BLOCK},
        {"cmd": "block_accept", "id": "l", "account": "alice"},
    ]
    (day,) = stated(more)
    ends = {name: [(lock.id, lock.end) for lock in day[name].locks] for name in ("alice", "bob")}
    assert ends == {
        "alice": [("k", "block_rejected")],
        "bob": [("k", "block_rejected"), ("l", "filled")],
    }
    assert day["alice"].closing.holding("CEA23") == Holding(100_000, 0, 100_000)
    assert day["bob"].sum_of("amount", method="block") == 800_000_000


BLOCKS = [
    {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 300_000},
    {"cmd": "deposit", "account": "alice", "cash": "90000000.00"},
    {"cmd": "phase", "phase": "listed_and_block"},
]


def locks_of(statement):
    return [
        (lock.method, lock.side, lock.price, lock.tonnes, lock.traded, lock.end)
        for lock in statement.locks
    ]


@both_ways
def test_who_offered_and_counters_again_does_what_was_offered(stated):
    """The side in a counter-offer is the offer's, whoever makes it (CEA-BLK-04)."""
    (day,) = stated(
        [
            *BLOCKS,
            {"cmd": "block_offer", "id": "k", "account": "bob", "counterparty": "alice", **BLOCK},
            {"cmd": "block_counter", "id": "k", "account": "alice", **TERMS},
            {"cmd": "block_counter", "id": "k", "account": "bob", **TERMS, "price": "79.50"},
        ]
    )
    assert locks_of(day["bob"]) == [("block", "sell", 7_950, 100_000, 0, "block_lapsed")]
    assert locks_of(day["alice"]) == [("block", "buy", 7_900, 100_000, 0, "block_lapsed")]


@both_ways
def test_a_block_trades_whole_whatever_was_offered_first(stated):
    """CEA-BLK-06: a counter-offer of fewer tonnes has freed the rest before."""
    offer = {**BLOCK, "tonnes": 150_000}
    (day,) = stated(
        [
            *BLOCKS,
            {"cmd": "block_offer", "id": "k", "account": "bob", "counterparty": "alice", **offer},
            {"cmd": "block_counter", "id": "k", "account": "alice", **TERMS},
            {"cmd": "block_accept", "id": "k", "account": "bob"},
        ]
    )
    assert locks_of(day["bob"]) == [("block", "sell", 8_000, 100_000, 100_000, "filled")]
    assert locks_of(day["alice"]) == [("block", "buy", 7_900, 100_000, 100_000, "filled")]


BIDDING = {"product": "CEA23", "floor": "90.00", "pricing": "uniform"}
BIDDERS = [
    {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 300_000},
    {"cmd": "deposit", "account": "alice", "cash": "90000000.00"},
    {"cmd": "deposit", "account": "bob", "cash": "90000000.00"},
    {"cmd": "deposit", "account": "alice", "product": "CEA23", "tonnes": 300_000},
]


CLOSE = [{"cmd": "bidding_close", "id": "N"}, {"cmd": "close_day"}]


def opened(id, account, tonnes=100_000):
    return {"cmd": "bidding_open", "id": id, "account": account, "tonnes": tonnes, **BIDDING}


def bid(id, bidding, account, tonnes, **price):
    named = {"id": id, "bidding": bidding, "account": account, "tonnes": tonnes}
    return {"cmd": "bid", **named, **price}


@both_ways
def test_a_bid_without_a_price_has_none_in_the_statement(stated):
    """CEA-AWD-08: it locks at the ceiling, and pays what clears."""
    (day,) = stated(
        [
            *BIDDERS,
            opened("N", "bob"),
            bid("q", "N", "alice", 1_000),
            bid("r", "N", "alice", 2_000, price="95.00"),
            {"cmd": "bidding_close", "id": "N"},
        ],
        cea_with(noncompetitive_max_bp=1_000),
    )
    assert locks_of(day["alice"]) == [
        ("bidding", "buy", 0, 1_000, 1_000, "filled"),
        ("bidding", "buy", 9_500, 2_000, 2_000, "filled"),
    ]
    shown = statement_map(day["alice"])["locks"]
    assert [lock["price"] for lock in shown] == [None, "95.00"]
    rows = list(csv.DictReader(io.StringIO(statements_csv([day["alice"]]))))
    assert [row["price"] for row in rows if row["line"] == "lock"] == ["", "95.00"]
    words = [line.split()[2:5] for line in statement_text(day["alice"]).splitlines()]
    assert ["CEA23", "buy", "1,000"] in words and ["CEA23", "buy", "95.00"] in words


@both_ways
def test_a_bidding_that_is_awarded_whole_ends_filled(stated):
    (day,) = stated(
        [
            *BIDDERS,
            opened("N", "bob"),
            bid("q", "N", "alice", 200_000, price="95.00"),
            {"cmd": "bidding_close", "id": "N"},
            opened("M", "bob"),
            bid("p", "M", "alice", 60_000, price="95.00"),
            {"cmd": "bidding_close", "id": "M"},
        ]
    )
    assert locks_of(day["bob"]) == [
        ("bidding", "sell", 9_000, 100_000, 100_000, "filled"),
        ("bidding", "sell", 9_000, 100_000, 60_000, "bidding_closed"),
    ]


@both_ways
def test_a_bid_and_a_bidding_of_one_name_have_each_its_lock(stated):
    (day,) = stated(
        [
            *BIDDERS,
            opened("N", "bob"),
            opened("M", "alice"),
            bid("N", "M", "bob", 30_000, price="95.00"),
            bid("M", "M", "bob", 10_000, price="94.00"),
            bid("M", "N", "alice", 100_000, price="96.00"),
            {"cmd": "bidding_close", "id": "N"},
            {"cmd": "bid_cancel", "id": "M", "account": "bob"},
            {"cmd": "bidding_close", "id": "M"},
        ]
    )
    assert locks_of(day["bob"]) == [
        ("bidding", "sell", 9_000, 100_000, 100_000, "filled"),
        ("bidding", "buy", 9_500, 30_000, 30_000, "filled"),
        ("bidding", "buy", 9_400, 10_000, 0, "REQUESTED"),
    ]
    assert locks_of(day["alice"]) == [
        ("bidding", "sell", 9_000, 100_000, 30_000, "bidding_closed"),
        ("bidding", "buy", 9_600, 100_000, 100_000, "filled"),
    ]


@pytest.mark.parametrize("name", ALL_SCRIPTS)
def test_named_events_and_reports_give_the_same_statements(name):
    """A participant of a venue is told what an embedded market's is; ids are its own."""
    profile = profile_of(SCRIPTS / f"{name}.jsonl")
    lines = script_lines(SCRIPTS / f"{name}.jsonl")
    named, reported = stated_lines(lines, profile), stated_by_reports(lines, profile)
    assert [sorted(day) for day in named] == [sorted(day) for day in reported]
    for day, other in zip(named, reported, strict=True):
        for account, statement in day.items():
            assert outline(statement) == outline(other[account])


def outline(statement):
    """A statement without ids, and without the numbers of its events."""
    movements = [replace(each, id="", seq=0) for each in statement.movements]
    locks = [replace(each, id="") for each in statement.locks]
    return replace(statement, movements=tuple(movements), locks=tuple(locks))


def test_what_does_not_add_up_is_an_error():
    builder = StatementBuilder("alice", Position(500))
    builder.take(Step(seq=1, event="deposited", cash=100))
    with pytest.raises(StatementError, match="alice, 20250716, cash: opening 500 and movements of"):
        builder.close(20250716, Position(601))
    bought = {"seq": 2, "event": "trade", "product": "CEA23", "side": "buy", "trade_id": 1}
    builder = StatementBuilder("alice", Position(500))
    builder.take(Step(**bought, cash=500, tonnes=5))
    with pytest.raises(StatementError, match="5 t were bought that day, the market says 4"):
        builder.close(20250716, Position(0, 0, {"CEA23": Holding(5, 0, 4)}))
    builder = StatementBuilder("alice", Position(499))
    builder.take(Step(**bought, cash=500, tonnes=5))
    with pytest.raises(StatementError, match="none below 0"):
        builder.close(20250716)


def some_statement():
    (day,) = stated([sell("b1", "96.17", 52), buy("a1", "96.17", 60)], FEES)
    return day["alice"]


def test_the_parts_of_the_map_add_up():
    shown = json.loads(statement_json(some_statement()))
    assert shown == json.loads(json.dumps(statement_map(some_statement())))
    cash = shown["cash"]
    parts = ("deposits", "withdrawals", "sales", "purchases", "fees", "busts")
    fen = [int(cash[name].replace(".", "")) for name in parts]
    opening, closing = (int(cash[n]["cash"].replace(".", "")) for n in ("opening", "closing"))
    assert opening + sum(fen) == closing
    held = shown["holdings"]["CEA23"]
    assert held["closing"] == {"tonnes": 52, "locked": 0, "bought_today": 52, "available": 0}
    assert shown["traded"]["listed"] == {"tonnes": 52, "amount": "5000.84", "fees": "5.01"}


def test_the_table_adds_up_too():
    rows = list(csv.DictReader(io.StringIO(statements_csv([some_statement()]))))
    changes = [int(row["cash_change"].replace(".", "")) for row in rows if row["cash_change"]]
    balances = {row["line"]: row for row in rows if row["cash"]}
    opening, closing = (int(balances[n]["cash"].replace(".", "")) for n in ("opening", "closing"))
    assert opening + sum(changes) == closing
    assert [row["line"] for row in rows] == [
        "opening", "opening", "deposited", "trade", "lock", "closing", "closing",
    ]  # fmt: skip


def test_the_text_is_for_a_person():
    text = statement_text(some_statement())
    assert text.startswith("Activity statement 结算单  2025-07-16  account alice\n")
    lines = [line.split() for line in text.splitlines()]
    assert ["fees", "-5.01"] in lines
    assert ["CEA23", "0", "52", "0", "0", "0", "0", "52", "0", "52", "0"] in lines
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_script_gives_the_statements_of_its_days(tmp_path):
    script = tmp_path / "script.jsonl"
    lines = [*OPENING, sell("b1", "100.00", 40), buy("a1", "100.00", 40), {"cmd": "close_day"}]
    script.write_text("\n".join(map(json.dumps, lines)))
    ran = command("run", str(script), "--statements", str(tmp_path / "statements.jsonl"))
    assert ran.returncode == 0, ran.stderr
    shown = [json.loads(line) for line in (tmp_path / "statements.jsonl").open()]
    assert [(each["account"], each["cash"]["closing"]["cash"]) for each in shown] == [
        ("alice", "996000.00"),
        ("bob", "4000.00"),
    ]


def test_a_script_with_a_bid_without_a_price_gives_its_statements(tmp_path):
    lines = [*OPENING, *BIDDERS, opened("N", "bob"), bid("q", "N", "alice", 1), *CLOSE]
    (tmp_path / "script.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "cea.toml").write_text(cea_with(noncompetitive_max_bp=1_000).text)
    shown = ("--profile", str(tmp_path / "cea.toml"), "--statements", str(tmp_path / "told"))
    ran = command("run", str(tmp_path / "script.jsonl"), *shown)
    assert (ran.returncode, ran.stderr) == (0, "")
    alice, _ = map(json.loads, (tmp_path / "told").read_text().splitlines())
    assert [(lock["price"], lock["traded"], lock["end"]) for lock in alice["locks"]] == [
        (None, 0, "closed"),
    ]  # fmt: skip


def test_events_of_before_the_statements_are_their_opening():
    market = Market("cea", {"CEA23": "100.00"})
    market.deposit("alice", cash="10.00")
    statements = MarketStatements(market)
    events = market.open_day("2025-07-16") + market.close_day()
    (statement,) = statements.take(events)
    assert statement.opening == statement.closing == Position(1_000)


def test_what_comes_behind_a_close_does_not_belong_to_its_statement():
    """In the same events or given to the market meanwhile; the next closing is held against it."""
    market = Market("cea", {"CEA23": "100.00"})
    statements = MarketStatements(market)
    events = market.deposit("alice", cash="10.00")
    events += market.open_day("2025-07-16") + market.close_day()
    events += market.deposit("alice", cash="5.00")
    (statement,) = statements.take(events)
    assert statement.closing == Position(1_000)
    closed = market.open_day("2025-07-17") + market.close_day()
    later = market.deposit("alice", cash="1.00")
    (statement,) = statements.take(closed)
    assert (statement.opening, statement.closing) == (Position(1_000), Position(1_500))
    assert statements.take(later + market.open_day("2025-07-18")) == []
    market.deposit("alice", cash="2.00")
    with pytest.raises(StatementError, match="alice"):
        statements.take(market.close_day())


def test_a_clock_that_runs_over_several_days_gives_a_statement_for_each():
    more = [sell("b1", "100.00", 40), buy("a1", "100.00", 40)]
    days = stated([*more, {"cmd": "clock", "at": "2025-07-18T12:00:00+08:00"}])
    held = [day["alice"].closing.holding("CEA23") for day in days]
    assert held == [Holding(40, 0, 40), Holding(40), Holding(40)]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_statements_of_every_golden_script_hold(name):
    """Each closing is held against the market; blocks, biddings, suspensions among them."""
    market = Market("ccer" if name.startswith("ccer_") else "cea")
    statements = MarketStatements(market)
    found = []
    with (SCRIPTS / f"{name}.jsonl").open("rb") as lines:
        for events in script_events(lines, market, name):
            found += statements.take(events)
    if market.core.day_is_open:
        found += statements.take(market.close_day())
    assert {each.account for each in found} == set(market.accounts)
    assert all(lock.end != "open" for each in found for lock in each.locks)


def test_a_market_without_balances_has_no_statements(tmp_path):
    with pytest.raises(ValueError, match="a profile that keeps balances, got 'open'"):
        MarketStatements(Market("open"))
    (tmp_path / "script.jsonl").write_text("")
    shown = str(tmp_path / "script.jsonl"), "--statements", str(tmp_path / "statements.jsonl")
    ran = command("run", *shown, "--profile", "open")
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
    assert "--statements: statements: expected a profile that keeps balances" in ran.stderr


@pytest.mark.parametrize("name", ["=1+1", "@A", "-2+3", "\uff1dA", "'=1+1"])
def test_no_name_in_csv_is_a_formula(name):
    """CEA-PER-04: whoever opens the file in a spreadsheet sees the name."""
    shown = some_statement()
    locks = tuple(msgspec.structs.replace(lock, id=name, product=name) for lock in shown.locks)
    shown = msgspec.structs.replace(shown, account=name, locks=locks)
    rows = list(csv.DictReader(io.StringIO(statements_csv([shown]))))
    (lock,) = [row for row in rows if row["line"] == "lock"]
    assert {row["account"] for row in rows} == {lock["id"], lock["product"]} == {"'" + name}
    (bought,) = [row for row in rows if row["line"] == "trade"]
    assert bought["cash_change"] == "-5005.85"
