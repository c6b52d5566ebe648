"""One representative looks at all he may, as fast as he can: the market goes on (CEA-LAG-01)."""

import time

import msgspec
import pytest
import zmq

from cea_exchange.domain.records import Side
from cea_exchange.ledger.double_entry import Compartment, EntryKind
from cea_exchange.ledger.history import LEGS_MAX, SNAPSHOT_ENTRY_COUNT
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.registry.control.admin_client import registry_ask
from cea_exchange.registry.registry import Registry
from soak.flow import FlowAccount, FlowConfig
from soak.sender import FlowProcess
from support.patience import patience
from support.rounds import ROUNDS

pytestmark = pytest.mark.e2e

DAY = 20250716
EARLIER = 20250102
ENTRIES = 786_432
"""Of an earlier day, entered after others: what a balance at that day has to count."""
LOOK_S = 4.0 * ROUNDS
BEHIND_S_MAX = 2.5
"""Half of what the venue warns at."""
WAITING = 400


def history_add(data, name):
    """Give the ledger a long history, and an account a representative; return his keys."""
    keys = CurveKeys.new()
    with Registry.open(data) as registry, registry.transaction():
        registry.persons.add("li", keys.public, "initiator", account=name)
        store = registry.store
        first = store.entry_last + 1
        numbers = range(first, first + ENTRIES)
        store.insert("entries", (
            (entry, EntryKind.TRADE, 0, EARLIER, 0, 0, 0, 0, "", 0) for entry in numbers
        ))  # fmt: skip
        store.day_note(first, EARLIER)
        # There and back between two accounts: after an even number each has what it had.
        trading = int(Compartment.TRADING)
        store.insert("postings", (
            (LEGS_MAX * entry + leg, leg, 0, trading, 1 if (entry + leg + first) % 2 else -1)
            for entry in numbers for leg in (0, 1)
        ))  # fmt: skip
        held = store.balances.rows()
        for last in range(first - 1 + SNAPSHOT_ENTRY_COUNT, first + ENTRIES, SNAPSHOT_ENTRY_COUNT):
            store.insert("snapshots", [(last, 0, EARLIER)])
            store.insert("snapshot_balances", ((last, *row) for row in held))
        store.entry_last += ENTRIES
        store._snapshot_last = last
    return keys


class Looker:
    """Keeps hundreds of looks waiting at a registry."""

    def __init__(self, exchange, keys, account):
        self._context = zmq.Context()
        self._socket = client_socket(
            *(self._context, zmq.DEALER), keys=keys, server_key=exchange.keys("registry").public
        )
        self._socket.connect(exchange.endpoint("registry", "admin"))
        looks = (
            {"op": "balance", "account": account, "as_of_date": EARLIER},
            {"op": "entries", "account": account, "count": 1_000},
            {"op": "compliance_list", "compliance_year": 2024},
            {"op": "account_show", "account": account},
            {"op": "balance", "account": account, "as_of_date": DAY},
        )
        self._looks = [msgspec.msgpack.encode(look) for look in looks]
        self._asked = 0
        self.answers = {True: 0, False: 0}
        self.errors = set()

    def turn(self):
        """Take the answers that have come, and ask as many more."""
        while self._socket.poll(0):
            answer = msgspec.msgpack.decode(self._socket.recv())
            self.answers[answer["ok"]] += 1
            self.errors.add(answer.get("error", ""))
        while self._asked - sum(self.answers.values()) < WAITING:
            if not self._socket.poll(0, zmq.POLLOUT):
                break
            self._socket.send(self._looks[self._asked % len(self._looks)], zmq.NOBLOCK)
            self._asked += 1

    def close(self):
        self._socket.close(linger=0)
        self._context.term()


@pytest.fixture
def exchange(tmp_path):
    with LocalExchange(tmp_path) as exchange:
        yield exchange


@pytest.mark.random
@pytest.mark.nightly
def test_a_flood_of_looks_does_not_hold_up_settlement(exchange, tmp_path):
    prices = {"CEA24": 9749}
    members = population(8, prices, seed=1, orders_each=100_000)
    exchange.prepare(members, prices, start="2025-07-16T08:30:00+08:00")
    keys = history_add(exchange.data, members[0].name)
    exchange.start()
    await_transfers(exchange)
    accounts = [
        FlowAccount(own.name, {name: Side(side).name.lower() for name, side in own.sides.items()})
        for own in members
    ]
    flow = FlowProcess(
        tmp_path / "sender",
        FlowConfig(
            endpoint=exchange.endpoint("venue", "gateway"),
            server_key=exchange.keys("venue").public,
            keys=str(exchange.keys_directory),
            accounts=accounts,
            reference_prices=prices,
            seed=1,
            take_share=0.7,
        ),
    )
    looker = Looker(exchange, keys, members[0].name)
    try:
        exchange.operate("clock", at="2025-07-16T09:30:00+08:00")
        before = flow.run(5_000, DAY)["trades"]
        name, others_s = members[1].name, {"act": 0.0, "look": 0.0}
        statuses, done, behind_s = [], {}, 0.0
        end = time.monotonic() + LOOK_S * patience()
        while time.monotonic() < end:
            for _ in range(5):
                looker.turn()
                time.sleep(0.01)
            done = flow.run(500, DAY)
            traded_s = time.monotonic()
            while True:
                statuses.append(exchange.operate("status"))
                looker.turn()
                if statuses[-1]["lag_records"] == 0:
                    break
            behind_s = max(behind_s, time.monotonic() - traded_s)
            # What another person does, and looks at, is not kept waiting either.
            acted_s = time.monotonic()
            registry_ask(exchange.data, {"op": "pay_in", "account": name, "cash": 1})
            looked_s = time.monotonic()
            registry_ask(exchange.data, {"op": "balance", "account": name})
            others_s = {
                "act": max(others_s["act"], looked_s - acted_s),
                "look": max(others_s["look"], time.monotonic() - looked_s),
            }
        print(
            f"{done['trades'] - before} trades, looks {looker.answers}, at most {behind_s:.2f} s"
            f" behind, {max(status['lag_records'] for status in statuses)} records, others at most"
            f" {others_s}, {looker.errors}"
        )
    finally:
        looker.close()
        flow.close()
    assert done["trades"] > before and behind_s < BEHIND_S_MAX * patience()
    assert others_s["act"] < 1.0 * patience()
    assert others_s["look"] < 10.0 * patience()
    assert {"normal"} == {status["lag_level"] for status in statuses}
    assert looker.answers[True] > 10
    assert all("busy" in error for error in looker.errors if error)
