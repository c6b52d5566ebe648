"""A court's freeze while orders rest, trades are under way and daemons are killed."""

import json

import pytest

from cea_exchange.cli.main import run
from cea_exchange.client import Client
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore

pytestmark = pytest.mark.e2e

CASH, TONNES = 100_000_000, 5_000
BUYER = Participant("alice", "short", {"CEA24": Side.BUY}, CASH, {})
SELLER = Participant("bob", "surplus", {"CEA24": Side.SELL}, CASH, {"CEA24": TONNES})
OTHER = Participant("carol", "surplus", {"CEA24": Side.SELL}, CASH, {"CEA24": TONNES})
ORDER = ("--order", "(2026) E 1", "--court", "Wuhan Court")
UNTIL = ("--until", "2099-12-31")
WAIT_S = 30.0


@pytest.fixture
def exchange(tmp_path):
    with LocalExchange(tmp_path / "exchange") as exchange:
        members = [BUYER, SELLER, OTHER]
        exchange.prepare(members, {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00", relay=False)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        settle_all(exchange)
        yield exchange


@pytest.fixture
def ask(exchange, capsys):
    """Run a command of the group `registry` and return what it printed."""

    def run_it(*arguments, status=0):
        command = ("registry", *map(str, arguments), "--data", str(exchange.data), "--json")
        assert status == run(command), capsys.readouterr().err
        shown = capsys.readouterr()
        return json.loads(shown.out) if status == 0 else shown.err

    return run_it


def in_force(ask):
    return [freeze["in_force"] for freeze in ask("freeze", "list")["freezes"]]


def enter(exchange, account, side, tonnes, count=1):
    with Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(account),
        exchange.keys("venue").public,
        timeout_s=WAIT_S,
    ) as client:
        for _ in range(count):
            client.answer(client.enter("CEA24", side, price="97.50", tonnes=tonnes))


def settle_all(exchange):
    def is_settled():
        seq = exchange.operate("status")["settlement_seq"]
        with RegistryStore.open_reader(exchange.data) as store:
            return store.last_seq == seq

    exchange.wait_until(is_settled, "settlement", WAIT_S)


def test_a_freeze_catches_what_is_locked_and_trades_under_way_fail(exchange, ask):
    """CEA-ENF-02, CEA-ENF-04: whatever is killed, nothing is doubled and nothing lost."""
    enter(exchange, "bob", "sell", 100, count=10)
    enter(exchange, "carol", "sell", 100, count=2)
    enter(exchange, "alice", "buy", 100)
    settle_all(exchange)
    exchange.kill("registry")
    enter(exchange, "alice", "buy", 900)
    with Registry.open(exchange.data) as registry:
        order = {"order": "(2026) E 1", "court": "Wuhan Court", "until": 2099_12_31}
        registry.enforcement.freeze("bob", "CEA24", None, **order)
    enter(exchange, "alice", "buy", 200)
    exchange.start_registry()
    # 1,000 t of bob's were sold, 100 of them before the order; to the venue all have gone.
    exchange.wait_until(lambda: [4_000] == in_force(ask), "the freeze", WAIT_S)
    exchange.kill("registry")
    exchange.kill("venue")
    exchange.start()
    position = exchange.operate("position", account="bob")
    assert ([], {}) == (position["orders"], position["holdings"])
    settle_all(exchange)
    with RegistryStore.open_reader(exchange.data) as store:
        rows = store.execute(
            "SELECT account, trades.state, count(*) FROM trades"
            " JOIN accounts ON account_index = seller_index GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
    assert [("bob", "failed", 9), ("bob", "settled", 1), ("carol", "settled", 2)] == rows

    exchange.operate("clock", at="2025-01-03T09:30:00+08:00")
    settle_all(exchange)
    found = check_ledger(exchange.data)
    assert [] == found.differences
    assert found.checkpoint_seq > 0 and found.failed == 9
    assert {"CEA24": 2 * TONNES} == found.tonnes


def test_orders_dispositions_and_notices_from_the_command_line(exchange, ask, capsys):
    frozen = ask("freeze", "place-all", "bob", *ORDER, *UNTIL)
    assert {"freeze_ids": [1, 2]}.items() <= frozen.items()
    exchange.wait_until(lambda: [CASH, TONNES] == in_force(ask), "the freezes", WAIT_S)
    assert 1 == ask("freeze", "deduct", 1, "carol", "--cash", "50000.00", *ORDER)["notice"]
    assert 1_000 == ask("freeze", "deduct", 2, "carol", "--tonnes", 1_000, *ORDER)["deducted"]
    extended = ask("freeze", "extend", 2, *ORDER, "--until", "2100-01-01")
    assert 2100_01_01 == extended["until_date"]
    assert 4_000 == ask("freeze", "release", 2, *ORDER)["back"]
    assert [CASH - 5_000_000, 0] == in_force(ask)
    ask("disposition", "cancel", "bob", "CEA24", 300, "--purpose", "a fair")
    ask("disposition", "transfer", "carol", "alice", "CEA24", 400, "--document", "deed 7")
    ask("disposition", "cancel", "bob", "CEA24", 200, "--purpose", "a fair")
    assert ask("disposition", "approve", 1)["certificate"].endswith("-000001")
    ask("disposition", "approve", 2)
    ask("disposition", "refuse", 3, "--why", "withdrawn")
    found = ask("disposition", "list")["dispositions"]
    assert ["done", "done", "refused"] == [each["state"] for each in found]
    kinds = [each["kind"] for each in ask("notice", "list", "--first", 2)["notices"]]
    assert ["deduction", "cancellation", "enforcement"] == kinds
    for listed in ("freeze", "disposition", "notice"):
        assert 0 == run(("registry", listed, "list", "--data", str(exchange.data)))
    said = capsys.readouterr().out
    assert "VC-" in said and "Wuhan Court" in said and "entity bob" in said
    assert [] == check_ledger(exchange.data).differences


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("freeze", "place", "bob", "--tonnes", "5", *UNTIL), "expected --product and --tonnes"),
        (("freeze", "place", "bob", *UNTIL), "expected --product and --tonnes, or --cash"),
        (("freeze", "place", "bob", "--cash", "5", *UNTIL), "'--cash': cash: expected"),
        (("freeze", "place-all", "bob", "--until", "2026-13-01"), "'--until': date: expected"),
        (("freeze", "deduct", "1", "carol"), "expected --tonnes or --cash"),
        (("freeze", "release", "1", "--tonnes", "1", "--cash", "1.00"), "not both"),
    ],
)
def test_an_order_that_makes_no_sense_is_one_clear_line(arguments, why, tmp_path, capsys):
    assert 2 == run(("registry", *arguments, *ORDER, "--data", str(tmp_path)))
    complaint = capsys.readouterr().err
    assert why in complaint
    assert 1 == len(complaint.splitlines())
