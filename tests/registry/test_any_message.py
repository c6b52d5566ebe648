"""Whatever the bank, the venue, a caller, a file, the clock or the disk says, and whenever it does.

A registry daemon with its real sockets, between a venue and a bank that talk nonsense for a while.
It never ends; and once they talk sense, everything is settled, confirmed and answered.
"""

import json
import os
import random
import threading
import time
from hashlib import sha256

import numpy as np
import pytest
import zmq

from cea_exchange.domain.records import EventKind, Phase
from cea_exchange.ledger.database.interface import DatabaseFull
from cea_exchange.protocol.clock import Clock, ClockSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.ccer_link.setting import CcerSetting
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.daemon import RegistryDaemon
from cea_exchange.registry.platform_link.setting import PlatformSetting
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from registry.bank.test_bank_reports import FUNDED, Staff
from registry.bank.test_bank_service import DatedVenue
from support.registry.fake_venue import Caller, FakeVenue, pack, run_frames, wait_until
from support.registry.registry_process import running
from support.registry.senseless_servers import (
    DATES,
    DEEP,
    NUMBERS,
    STATED,
    FakeBank,
    FakeCcer,
    FakePlatform,
    anything,
    spoiled,
    statement_of,
)
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB,
    BOB_TONNES,
    LOG_ID,
    registry_prepare,
)

pytestmark = [pytest.mark.attack, pytest.mark.random]

ROUNDS = int(os.environ.get("CEA_TEST_ROUNDS", "1"))
"""Of each mode on each database; a nightly run takes more."""
ACTS = 50
IMPOSSIBLE = (
    *("cash", "price", "tonnes", "buy_fee", "sell_fee", "side", "trade_id"),
    *("account_index", "counter_account_index", "product_index"),
)
"""Fields of a trade in which the largest number is none it can have."""


def days_of_trades(rng):
    """Records of three days: deposits, trades there and back, checkpoints, closes."""
    venue = DatedVenue()
    venue.date = DATES[0]
    venue.deposited(ALICE, 4, cash=ALICE_CASH)
    venue.deposited(BOB, 5, tonnes=BOB_TONNES)
    for date in DATES:
        venue.date, tonnes = date, 0
        for number in range(rng.randint(5, 15)):
            # Bob buys back less than he has sold.
            buyer, size = (BOB, 1) if number % 3 == 2 else (ALICE, rng.randint(1, 9))
            venue.trade(size, 100, buyer=buyer, buy_fee=2, sell_fee=1)
            tonnes += size
            if rng.random() < 0.2:
                venue.checkpoint()
        venue.day_closed(volume=tonnes, amount=100 * tonnes)
        venue.checkpoint(Phase.CLOSED)
    return venue.records


class World:
    """The daemon in a thread of its own, and all that talk to it."""

    def __init__(self, data, address, mode, seed, said_ns):
        self.sane_ns = said_ns["now"]
        self.data, self.rng = data, random.Random(seed)
        for name in ("registry", "venue", "admin", "bank", "platform", "ccer"):
            CurveKeys.new().save(data / "keys", name)
        registry_prepare(data, address)
        self.config = RegistryConfig(
            fronts=0,
            settlement_mode=mode,
            database=address,
            bank=BankSetting(data=str(data)),
            platform=PlatformSetting(acts_by_hand=True),
            ccer=CcerSetting(),
            second_person=(),
        )
        records = days_of_trades(self.rng)
        self.venue = FakeVenue(data, LOG_ID, records)
        self.servers = [made(data, self.rng) for made in (FakeBank, FakePlatform, FakeCcer)]
        self.published, self.errors, self.restarts = 0, [], -1
        self.is_full = False
        self.statements_read = 0
        self.said_ns = said_ns
        (data / "registry" / "bank" / "in").mkdir(parents=True)
        self.start()

    @property
    def bank(self):
        return self.servers[0]

    def start(self):
        self.restarts += 1
        self.daemon = RegistryDaemon(self.config, self.data)
        client = self.daemon._courier._client
        client._timeout_ms, client._tries_max = 150, 1
        database = self.daemon._store.database
        commit = database.commit

        def commit_or_full():
            if self.is_full:
                raise DatabaseFull("no space")
            commit()

        database.commit = commit_or_full
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        endpoints = json.loads((self.data / "registry" / "endpoints.json").read_text())
        server_key = CurveKeys.load(self.data / "keys", "registry").public
        # Who asks nonsense has lines of its own: its answers may come late, and are nobody else's.
        self.callers = {
            which: Caller(CurveKeys.load(self.data / "keys", name), server_key, endpoints[where])
            for which, name, where in (
                ("admin", "admin", "admin"),
                ("odd admin", "admin", "admin"),
                ("odd venue", "venue", "feed"),
            )
        }

    def _run(self):
        try:
            self.daemon.run()
        except BaseException as error:
            self.errors.append(error)

    def stop(self):
        self.daemon.stop()
        self.thread.join(20)
        for caller in self.callers.values():
            caller.close()
        self.daemon.close()

    def ask(self, **request):
        return self.callers["admin"].ask(request)

    # -- acts -----------------------------------------------------------------------------------

    def publish(self):
        count = self.rng.randint(1, 9)
        self.venue.publish(self.published + 1, count, lost=self.rng.random() < 0.3)
        self.published = self.venue.available

    def stream_nonsense(self):
        self.venue.send(
            self.rng.choice(
                (
                    [b"X", b""],
                    [b"S"],
                    [b""],
                    [b"H", DEEP],
                    [b"H", pack({"log_id": LOG_ID, "last_seq": self.rng.choice(NUMBERS)})],
                    [b"S", pack(anything(self.rng)), b"\x00" * 160],
                )
            )
        )

    def stream_record(self):
        """A trade with a sound checksum and one figure that can't be."""
        record = self.venue.records[self.published : self.published + 1].copy()
        if len(record) and record["kind"] == EventKind.TRADE:
            name = self.rng.choice(IMPOSSIBLE)
            record[name] = np.iinfo(record.dtype[name]).max
            self.venue.send([b"S", *run_frames(LOG_ID, record)])

    def replay_nonsense(self):
        odd = self.rng.choice(
            ([b""], [b"", b""], [DEEP, b""], [pack(anything(self.rng)), b"x" * 160], [b"a"] * 3)
        )
        self.venue.mangled = lambda frames: odd if self.rng.random() < 0.5 else frames

    def replay_sense(self):
        self.venue.mangled = list

    def caller_nonsense(self):
        name = self.rng.choice(("odd admin", "odd venue"))
        if name == "odd venue":
            request = {"from": self.rng.choice(NUMBERS), "count": self.rng.choice(NUMBERS)}
        else:
            op = self.rng.choice(sorted(REGISTRY_REQUESTS.by_op.keys() - {"stop"}))
            request = {"op": op, "request_id": None, "first": self.rng.choice(NUMBERS)}
        payload = pack(request)
        payload = self.rng.choice(
            (payload, DEEP, b"", pack(anything(self.rng)), spoiled(self.rng, payload))
        )
        self.callers[name].socket.send(payload, zmq.NOBLOCK)
        if self.callers[name].socket.poll(100):
            self.callers[name].socket.recv()

    def bank_file(self):
        op = "bank_statement"
        content = statement_of(STATED, self.statements_read + 1, self.statements_read)
        if self.bank.sent and self.rng.random() < 0.5:
            batch = self.rng.choice(list(self.bank.sent.values()))
            op, content = "bank_report", self.bank._report(batch, 0.4)
        if self.rng.random() < 0.5:
            content = spoiled(self.rng, content)
        (self.data / "registry" / "bank" / "in" / "f.xml").write_bytes(content)
        asked = {
            "op": op,
            "file": self.rng.choice(("f.xml", "f.xml", "none", "../a")),
            "sha256": sha256(content).hexdigest(),
        }
        answer = self.callers["admin"].ask(asked)
        # It was read, or refused for what is in it or where it is: the request itself is sound.
        if answer is not None and asked["file"] == "f.xml":
            assert answer.get("code") not in ("BAD_REQUEST", "NO_SECOND_PERSON"), answer
            self.statements_read += answer["ok"] and op == "bank_statement"

    def bank_fetch(self):
        day = self.rng.choice((STATED, *NUMBERS))
        self.callers["admin"].ask({"op": "bank_fetch", "business_date": day})

    def endpoints_nonsense(self):
        name = self.rng.choice(("venue", *(server.name for server in self.servers)))
        path = self.data / name / "endpoints.json"
        content = self.rng.choice(
            (
                b"",
                b"[" * 100_000,
                b"\xff",
                b'{"settlement": "nowhere", "replay": 7, "bank": [], "link": {}}',
                b'{"settlement": "nowhere", "replay": "tcp://127.0.0.1:0", "link": "nowhere"}',
                b'{"settlement": "tcp://256.1.1.1:x", "replay": "\\u0000", "bank": "\\u0000"}',
            )
        )
        path.write_bytes(content)

    def endpoints_right(self):
        self.venue.endpoints_write()
        for server in self.servers:
            server.endpoints_write()

    def clock_nonsense(self):
        wrong = (0, -1, -(10**30), 10**30, 2**63, self.sane_ns + 10**18)
        self.said_ns["now"] = self.rng.choice(wrong)

    def clock_right(self):
        self.said_ns["now"] = self.sane_ns

    def disk_full(self):
        self.is_full = not self.is_full

    def end(self):
        if self.rng.random() < 0.5:
            self.stop()
            self.start()

    def step(self):
        acts = {
            self.publish: 14,
            self.stream_nonsense: 2,
            self.stream_record: 2,
            self.replay_nonsense: 2,
            self.replay_sense: 4,
            self.caller_nonsense: 8,
            self.bank_file: 4,
            self.bank_fetch: 4,
            self.endpoints_nonsense: 3,
            self.endpoints_right: 4,
            self.clock_nonsense: 2,
            self.clock_right: 4,
            self.disk_full: 3,
            self.end: 1,
        }
        act = self.rng.choices(list(acts), list(acts.values()))[0]
        act()
        time.sleep(self.rng.random() * 0.05)
        assert self.thread.is_alive() and not self.errors, (act.__name__, self.errors)
        for server in self.servers:
            assert not server.errors, (server.name, server.errors)

    # -- and once all have come to ----------------------------------------------------------------

    def come_to(self):
        self.is_full = False
        for server in self.servers:
            server.is_sane = True
        self.clock_right()
        self.replay_sense()
        self.endpoints_right()
        self.stop()
        assert not self.errors
        self.start()
        # A statement that did not come in time is asked for again by hand: this bank does answer.
        self.daemon._courier._client._timeout_ms = 10_000
        self.venue.publish(len(self.venue.records), 1)
        try:
            wait_until(self.is_done, 30)
        except AssertionError:
            raise AssertionError(self.ask(op="status"), self.stands()) from None
        answer = self.ask(op="status")
        assert answer["ok"], answer
        # An institution that contradicts itself stops its own link, and nothing else.
        troubles = {name: why.split(":")[0] for name, why in answer["troubles"].items()}
        # Why a statement was not read is told until one is.
        troubles.pop("bank_statement", None)
        assert troubles.items() <= {"platform": "stopped", "ccer": "stopped"}.items(), answer
        self.links_come_to()
        assert self.ask(op="bank_unapplied")["ok"]
        self.bank.statements_read = read = len(self.statements())
        answer = self.ask(op="bank_fetch", business_date=STATED)
        assert answer["ok"], answer
        wait_until(lambda: len(self.statements()) > read, 20)
        wait_until(lambda: "bank_statement" not in self.ask(op="status")["troubles"], 20)

    def links_come_to(self):
        """Check that a link has all there is, or was stopped by what nobody could take."""
        for server in self.servers:
            if server.name not in ("platform", "ccer"):
                continue
            wait_until(lambda server=server: self.link_stands(server) is not None, 20)
            words = self.link_stands(server)
            assert (words == "all is taken") != self.is_stopped(server), (server.name, words)

    def link_stands(self, server):
        """Return why a link has come to its end, None while it should go on."""
        with RegistryStore.open_reader(self.data) as store:
            kept = [bytes(item) for item in store.column(server.kept)]
            log_id = store.one("SELECT log_id FROM platform_stream")
        if server.name == "platform" and log_id not in (None, "platform"):
            return "another platform came first"
        return server.stands(kept)

    def is_stopped(self, server):
        return server.name in self.ask(op="status")["troubles"]

    def statements(self):
        """Return the days of the statements that were read."""
        answer = self.ask(op="bank_statements")
        return [each["business_date"] for each in answer["statements"]]

    def stands(self):
        """Return what is not done, for who looks why."""
        with RegistryStore.open_reader(self.data) as store:
            return {
                "batches": store.all("SELECT batch_id, is_answered FROM bank_batches"),
                "instructions": store.all(
                    "SELECT state, count(*) FROM bank_instructions GROUP BY state"
                ),
                "trades": store.all("SELECT state, failure, count(*) FROM trades"
                                    " GROUP BY state, failure"),
                "said": [str(server.errors) for server in self.servers],
            }  # fmt: skip

    def is_done(self):
        assert self.thread.is_alive() and not self.errors, self.errors
        with RegistryStore.open_reader(self.data) as store:
            is_answered = not store.one("SELECT 1 FROM bank_batches WHERE is_answered = 0")
            unposted = store.one("SELECT count(*) FROM trades WHERE state = 'received'")
            settled = store.last_seq == len(self.venue.records)
            # What a statement should have shown and did not waits for another one (CEA-BNK-08).
            is_late = store.one("SELECT 1 FROM bank_instructions WHERE state = 'late' LIMIT 1")
            is_posted = not unposted and store.confirmed_date == DATES[-1]
            return settled and is_answered and bool(is_posted or is_late)

    def close(self):
        self.stop()
        for server in self.servers:
            server.close()
        self.venue.close()


@pytest.mark.postgres_at_night
@pytest.mark.parametrize("mode", ["realtime", "end_of_day"])
@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_message_ends_the_registry_and_its_line_goes_on(
    tmp_path, database_address, mode, number, monkeypatch
):
    """CEA-BNK-15, CEA-STL-02: each record once, whatever was said between."""
    # Not earlier: the preparing registry notes the real time.
    said_ns = {"now": time.time_ns()}
    monkeypatch.setattr(Clock, "now_ns", lambda self: said_ns["now"])
    world = World(tmp_path, database_address, mode, number, said_ns)
    try:
        for _ in range(ACTS):
            world.step()
        world.come_to()
    finally:
        world.close()
    found = check_ledger(tmp_path)
    trades = int((world.venue.records["kind"] == EventKind.TRADE).sum())
    assert (found.differences, found.trades) == ([], trades)


def test_a_reserve_that_was_not_funded_ends_no_daemon_and_is_applied_once_it_is(
    tmp_path, database_address
):
    """CEA-BNK-15: nor at the next start; the statement that shows the cash applies the answer."""
    for name in ("registry", "venue", "admin", "bank", "platform", "ccer"):
        CurveKeys.new().save(tmp_path / "keys", name)
    folder = tmp_path / "registry" / "bank" / "in"
    folder.mkdir(parents=True)
    with Registry.open(tmp_path, database_address, admission="open") as registry:
        service = Staff(registry)
        service.default_noticed()
        statement = service.statement(("SUB-RESERVE", 0, [FUNDED]))
        (folder / "s.xml").write_bytes(statement)
    nowhere = "tcp://127.0.0.1:9"
    config = RegistryConfig(
        fronts=0,
        settlement_mode="end_of_day",
        database=database_address,
        bank=BankSetting(data=str(tmp_path)),
        clock=ClockSetting(kind="manual"),
        second_person=(),
        settlement=nowhere,
        replay=nowhere,
    )
    bank = FakeBank(tmp_path, random.Random(1))
    bank.is_sane = True
    try:
        for _ in range(2):
            with running(config, tmp_path) as ask:
                wait_until(lambda ask=ask: ask(op="status")["bank_unapplied"] == 1)
                (shown,) = ask(op="bank_unapplied")["unapplied"]
                assert shown["instruction_id"] == "R1" and "to hold 500" in shown["why"]
                assert ask(op="bank_retry") == {"ok": True, "applied": 0, "unapplied": 1}
        with running(config, tmp_path) as ask:
            assert ask(op="clock_move", at="2026-07-15T12:00:00+08:00")["ok"]
            answer = ask(op="bank_statement", file="s.xml", sha256=sha256(statement).hexdigest())
            assert (answer["pay_ins"], answer["unapplied"]) == (1, 0)
            (default,) = ask(op="default_list")["defaults"]
            assert default["state"] == "covered"
    finally:
        bank.close()
    assert check_ledger(tmp_path).differences == []
