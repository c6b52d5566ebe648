"""The benchmarks' own claims: the same workloads everywhere, and no figure that is not verified."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from cea_exchange import OrderBook
from cea_exchange.domain.records import EVENT_DTYPE, CommandKind, EventKind
from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from bench import market_data, methods, turn
from bench.books import engines, expected, throughput, workloads
from bench.books.tally import TradeTally, id_mixed
from bench.peers import peer_run, peers
from bench.sockets import durable_echo
from support.patience import patience

SCALE = 0.005


def tiny(seed: int = 1) -> workloads.Workload:
    """The steady mix over 400 orders."""
    mix = replace(workloads.STEADY, live_target=400)
    return workloads.mixed_after("tiny", seed, 400, 3_000, mix)


@pytest.mark.parametrize("name", [*workloads.BOOK_WORKLOADS, "market"])
def test_a_seed_gives_the_same_commands_again_and_another_seed_gives_others(name):
    make = workloads.BOOK_WORKLOADS.get(name, workloads.market_steady)
    first = make(1, SCALE).commands
    assert np.array_equal(first, make(1, SCALE).commands)
    assert not np.array_equal(first, make(2, SCALE).commands)


def test_a_seed_gives_the_same_bytes_on_every_machine():
    assert expected.digest_of(tiny()) == "ac4046239de8e25ea0c621b7bb44f504"


def test_the_steady_mix_has_the_shares_of_its_description():
    workload = workloads.steady(1, 0.05)
    commands = workload.commands[workload.opening :]
    share = np.bincount(commands["kind"], minlength=4) / len(commands)
    assert share[CommandKind.ENTER] == pytest.approx(0.62, abs=0.005)
    assert share[CommandKind.CANCEL] == pytest.approx(0.33, abs=0.005)
    assert share[CommandKind.AMEND] == pytest.approx(0.05, abs=0.005)
    events = np.zeros(4 * len(workload.commands), EVENT_DTYPE)
    book = OrderBook(*workloads.LADDER, order_count_max=workload.order_limit)
    _, produced = book.process(workload.commands, events)
    events = events[:produced]
    assert EventKind.ORDER_REJECTED not in events["kind"], "cancels and amends name live orders"
    takers = np.unique(events["order_id"][events["kind"] == EventKind.TRADE])
    entered = commands["order_id"][commands["kind"] == CommandKind.ENTER]
    assert np.isin(entered, takers).mean() == pytest.approx(0.27, abs=0.01)
    assert len(book) == pytest.approx(17_000, rel=0.02)


@pytest.mark.parametrize("name", workloads.BOOK_WORKLOADS)
def test_ladder_and_book_agree_on_every_workload_with_dense_and_arbitrary_ids(name):
    dense = workloads.BOOK_WORKLOADS[name](1, SCALE)
    assert engines.totals_of(engines.play_ladder, dense).trades > 0
    for workload in (dense, workloads.with_arbitrary_ids(dense)):
        totals = engines.totals_of(engines.play_ladder, workload)
        assert engines.totals_of(engines.play_book, workload) == totals
        assert engines.totals_of(engines.play_book, workload, trades_only=False) == totals


def test_the_reference_market_confirms_book_ladder_and_ids():
    workload = tiny()
    totals = expected.reference_totals(workload)
    assert engines.totals_of(engines.play_book, workload) == totals["dense"]
    mixed = workloads.with_arbitrary_ids(workload)
    assert engines.totals_of(engines.play_ladder, mixed) == totals["mixed"]


def test_an_engine_that_differs_stops_the_run():
    workload = tiny()
    right = expected.reference_totals(workload)
    commands = workload.commands.copy()
    commands["tonnes"][-1_000:] += 1
    wrong = replace(workload, commands=commands)
    entry = ("book", "dense", wrong, engines.play_book)
    with pytest.raises(SystemExit, match="no figure is printed"):
        throughput.measure([entry], right, 1)


def test_the_checksum_knows_order_maker_taker_and_tonnes():
    trades = np.array([[1, 2, 100, 5], [3, 4, 100, 6]], np.int64)
    seen = set()
    for rows in (trades, trades[::-1], trades[:, [1, 0, 2, 3]], trades + [0, 0, 0, 1]):
        tally = TradeTally()
        tally.add(*rows.T)
        seen.add(tally.totals().checksum)
    assert len(seen) == 4


def test_adding_trades_in_parts_gives_the_same_checksum():
    trades = np.arange(400).reshape(100, 4)
    whole, parts = TradeTally(), TradeTally()
    whole.add(*trades.T)
    for start in range(0, 100, 7):
        parts.add(*trades[start : start + 7].T)
    assert parts.totals() == whole.totals()


def test_arbitrary_ids_are_distinct_and_wide():
    mixed = id_mixed(np.arange(1, 100_001))
    assert len(np.unique(mixed)) == 100_000
    assert (mixed > 1 << 60).mean() > 0.9


def test_our_book_called_order_by_order_gives_the_trades_of_the_batch():
    from bench.peers.calls import call_rows

    workload = tiny()
    book = peers.CeaExchange()
    book.play(call_rows(workload).tolist())
    totals = engines.totals_of(engines.play_book, workload)
    assert peer_run.totals_of_peer(book) == vars(totals)


@pytest.mark.e2e
def test_a_run_prints_the_table_and_keeps_its_raw_results(tmp_path):
    command = [sys.executable, "-m", "bench", "--quick", "--only", "market"]
    done = subprocess.run(
        [*command, "--results", str(tmp_path)], check=False, cwd=ROOT, capture_output=True,
        text=True, timeout=60 * patience(),
    )
    assert done.returncode == 0, done.stderr
    assert "| Market, all rules, all events" in done.stdout
    (path,) = tmp_path.glob("*.json")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["market"]["totals"]["trades"] > 0
    assert len(kept["market"]["rounds_ns"]) == 3


@pytest.mark.parametrize("interval_ms", [0, 10])
def test_the_public_streams_cost_is_measured_on_books_that_are_confirmed(interval_ms):
    workload = workloads.market_steady(1, SCALE)
    in_market, in_stream, messages = market_data.run(workload, interval_ms)
    assert len(in_market) == len(in_stream) == -(-len(workload.commands) // market_data.BATCH)
    assert sum(in_stream) > 0
    assert 1 < messages <= len(in_market) + 1
    if interval_ms:
        assert messages < len(in_market) / 5


def test_the_open_loop_hears_every_answer_after_it_was_due(tmp_path):
    took_us = durable_echo.echo_us(tmp_path, rate=500, seconds=0.2, sockets=3)
    assert len(took_us) == 100
    assert 0 < took_us.min() < took_us.max() < 2_000_000


@pytest.mark.nightly
def test_blocks_and_bids_are_all_taken_as_the_plain_market_takes_them():
    commands = methods.blocks(600, 1)
    accepted = int((commands["kind"] == CommandKind.BLOCK_ACCEPT).sum())
    assert methods.confirm(methods.play_blocks, commands) == [accepted]
    commands = methods.bids(900, 2)
    bids = commands[commands["kind"] == CommandKind.BID]
    assert len(bids) == 900 and 0 < len(commands) - 900 < 180
    # Less is asked for than is offered, so all that is left is awarded.
    left = 900 - (len(commands) - 900)
    assert methods.confirm(methods.play_bidding, commands) == [0, left]


@pytest.mark.nightly
def test_turns_with_the_same_commands_leave_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    asked = ["--commands", "64", "--messages", "3", "--turns", "20", "--digest"]
    digests = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir()
        options = turn.options_of([*asked, "--seed", seed])
        digests.append(turn.run(tmp_path / name, options)["digests"])
    assert digests[0] == digests[1]
    differing = {name for name in digests[0] if digests[0][name] != digests[2][name]}
    assert {"reports", "public", "journal/00000000000000000001.seg"} <= differing
