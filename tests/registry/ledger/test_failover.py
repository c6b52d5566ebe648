"""A ledger on two servers: the primary dies, the standby takes over, the one of old has no say."""

import re
import shutil
import subprocess
import threading
import time

import psycopg
import pytest

from cea_exchange.institution.maintenance.standby import Servers
from cea_exchange.ledger.chain import LinkBroken
from cea_exchange.ledger.database import (
    postgres_fence,
    postgres_servers,
    postgres_standbys,
)
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseLost, DatabaseTaken
from cea_exchange.ledger.store import DatabaseAway, StoreError
from cea_exchange.loadtest.local_exchange import PROGRAM
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.institution.kept_postgres import everybody_off, schema_emptied
from support.institution.postgres_pair import postgres_pair
from support.registry.settlement_records import LOG_ID, registry_prepare, venue_with_deposits
from support.venue.venue_process import command

pytestmark = pytest.mark.crash

BOTH = "ANY 1 (a, b)"


@pytest.fixture(scope="module")
def postgres_two():
    with postgres_pair() as pair:
        yield pair


@pytest.fixture
def pair(postgres_two):
    """Two servers, one of them a synchronous standby, and an empty database."""
    pair = postgres_two
    pair.commits_wait("", pair.primary)
    if not pair.is_streaming:
        pair.standby.kill()
        pair.standby_make()
    with psycopg.connect(pair.primary_address, autocommit=True) as connection:
        everybody_off(connection)
        schema_emptied(connection)
    pair.commits_wait(BOTH)
    return pair


@pytest.fixture
def data(tmp_path, pair):
    registry_prepare(tmp_path / "own", pair.address)
    return tmp_path / "own"


@pytest.fixture
def store(data, pair):
    with RegistryStore.open(data, pair.address, is_synchronous=True) as store:
        yield store


@pytest.fixture
def soon(monkeypatch):
    """What a test makes silent is asked after soon."""
    monkeypatch.setattr(postgres_servers, "SILENCE_MS", 500)
    monkeypatch.setattr(postgres_fence, "WRITER_WAIT_MS", 100)


def reconnected(store, until_s=60.0):
    deadline = time.monotonic() + until_s
    while True:
        try:
            store.reconnect()
            return
        except DatabaseError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_primary_killed_under_settlement_the_standby_goes_on_and_nothing_counts_twice(
    data, store, pair
):
    venue = venue_with_deposits()
    for number in range(400):
        venue.trade(1 + number % 3, buy_fee=number % 2)
    venue.checkpoint()
    records, kills = venue.records, 0
    gone_on, enough = threading.Event(), threading.Event()

    def fail_over_now_and_then():
        nonlocal kills
        for number in range(2):
            time.sleep(0.3)
            pair.fail_over()
            kills += 1
            pair.standby_make(is_rewound=number == 0)
            # The writer meets each of the two deaths, however slowly it connects again.
            gone_on.clear()
            gone_on.wait(60)
        enough.set()

    killer = threading.Thread(target=fail_over_now_and_then)
    killer.start()
    losses, last_seq, answered = 0, store.last_seq, 0
    settlement = Settlement(store)
    while last_seq < len(records) or not enough.is_set():
        try:
            # Three records in a run, so that it lasts; then acts, until all kills are done.
            if last_seq < len(records):
                settlement.apply(LOG_ID, records[last_seq : last_seq + 3])
            else:
                Registry(store).pay_in("bob", 1)
                answered += 1
            last_seq = store.last_seq
            gone_on.set()
        except DatabaseLost:
            losses += 1
            reconnected(store)
            assert store.last_seq in (last_seq, min(last_seq + 3, len(records)))
            last_seq = store.last_seq
    killer.join()
    assert kills == 2 and losses >= 2
    found = check_ledger(data)
    assert [] == found.differences
    assert (len(records), 400) == (found.last_seq, found.trades)
    booked = store.one("SELECT count(*) FROM entries WHERE kind = 2 AND amount = 1")
    # Of each loss one act may have been done whose answer was lost; none that was answered is not.
    assert answered <= booked <= answered + losses


def paid_in(store):
    return store.column("SELECT amount FROM entries WHERE kind = 2 AND amount < 9 ORDER BY 1")


@pytest.mark.nightly
def test_a_primary_of_old_that_comes_back_has_no_say(tmp_path, data, pair, soon):
    """Its writer's commit is never acknowledged, and is gone once it follows the new one."""
    old = pair.primary
    with RegistryStore.open(data, pair.address) as store:
        Registry(store).pay_in("bob", 1)
        old.freeze()
        pair.take_over()
        pair.commits_wait("", pair.primary)
        other = shutil.copytree(data, tmp_path / "other")
        with RegistryStore.open(other, pair.address) as second:
            Registry(second).pay_in("bob", 3)
            old.thaw()
            # Nothing tells the first writer yet that it was replaced.
            with pytest.raises(DatabaseLost, match=r"waited 500 ms for a synchronous standby"):
                Registry(store).pay_in("bob", 2)
            with pytest.raises(DatabaseTaken, match=r"process \(cea-exchange registry\) writes"):
                store.reconnect()
        # It is ended, and begun again without being told that it was replaced.
        old.kill()
        old.start(pair.primary)
        assert [(False,)] == old.asked("SELECT pg_is_in_recovery()")
        store.reconnect()
        assert f"postgresql://{pair.primary.sockets}/registry" == store.database.name
        assert [1, 3] == paid_in(store)
        alone = f"postgresql://postgres@/registry?host={old.sockets}"
        with pytest.raises(StoreError, match="another server was promoted after this one"):
            RegistryStore.open_reader(data, alone)
        old.kill()
        pair.standby_make(is_rewound=True)
        Registry(store).pay_in("bob", 4)
        assert [1, 3, 4] == paid_in(store)
    assert [] == check_ledger(data).differences


def test_where_commits_wait_for_nobody_the_same_loses_and_it_is_said(tmp_path, data, pair, soon):
    """The control: what the primary of old acknowledges is not at the new one."""
    pair.commits_wait("")
    with RegistryStore.open(data, pair.address) as store:
        pair.primary.freeze()
        old = pair.primary
        pair.take_over()
        old.thaw()
        Registry(store).pay_in("bob", 2)
        link = store.link.link_id
        with pytest.raises(LinkBroken, match=f"link {link} of the chain .*acts are missing"):
            store.reconnect()


@pytest.mark.nightly
def test_a_primary_that_stands_still_is_left(store, pair, soon):
    pair.primary.freeze()
    try:
        with pytest.raises(DatabaseLost, match="no answer within 500 ms, nor to a second"):
            Registry(store).pay_in("bob", 2)
    finally:
        pair.primary.thaw()
    store.reconnect()
    Registry(store).pay_in("bob", 3)
    assert 3 in paid_in(store)


def test_a_commit_that_is_told_not_to_wait_is_not_acknowledged(store, pair):
    """The server commits then, alone; it counts once a standby has it."""
    pair.standby.freeze()
    waiting = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    )
    cancelled = []

    def cancel():
        while not cancelled:
            cancelled.extend(pair.primary.asked(waiting))

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        with pytest.raises(DatabaseLost, match="whether a standby has it is not known"):
            Registry(store).pay_in("bob", 2)
    finally:
        canceller.join()
        pair.standby.thaw()
    store.reconnect()
    assert [2] == paid_in(store)
    pair.fail_over()
    pair.standby_make(is_rewound=True)
    store.reconnect()
    assert [2] == paid_in(store)


def test_who_took_the_next_epoch_writes_alone(data, store, pair):
    """Even where the server's lock was lost on the way, as behind a pool of connections."""
    Registry(store).pay_in("bob", 2)
    with psycopg.connect(pair.primary_address, autocommit=True) as other:
        taken = "UPDATE writer_epoch SET epoch = epoch + 1"
        with store.transaction():
            other.execute("SET lock_timeout = 100")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(taken)
        other.execute(taken)
    with pytest.raises(DatabaseLost, match="another writer has taken it"):
        Registry(store).pay_in("bob", 3)
    store.reconnect()
    assert [2] == paid_in(store)
    (epoch,) = store.column("SELECT epoch FROM writer_epoch")
    assert f"{epoch}\n" == (data / "registry" / "writer_epoch").read_text()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("synchronous_standby_names = ''", "synchronous_standby_names: expected standbys, got ''"),
        ("fsync = off", "fsync: expected on, got off"),
        ("full_page_writes = off", "full_page_writes: expected on, got off"),
    ],
)
def test_a_server_that_would_lose_is_refused_where_a_standby_is_asked_for(
    data, pair, setting, said
):
    pair.primary.asked(f"ALTER SYSTEM SET {setting}")
    pair.primary.asked("SELECT pg_reload_conf()")
    try:
        with pytest.raises(StoreError, match=said) as refused:
            RegistryStore.open(data, pair.address, is_synchronous=True)
        assert not isinstance(refused.value, DatabaseAway)
    finally:
        if "names" not in setting:
            pair.primary.asked(f"ALTER SYSTEM RESET {setting.split()[0]}")
            pair.primary.asked("SELECT pg_reload_conf()")


@pytest.mark.nightly
def test_a_standby_that_is_not_there_is_waited_for(tmp_path, data, pair):
    pair.standby.kill()
    with pytest.raises(DatabaseAway, match="expected a synchronous standby that streams, got none"):
        RegistryStore.open(data, pair.address, is_synchronous=True)
    with pytest.raises(StoreError, match="expected a PostgreSQL database, got SQLite"):
        RegistryStore.open(tmp_path / "elsewhere", is_synchronous=True)


# -- what an operator sees and does ---------------------------------------------------------------


@pytest.mark.nightly
def test_standbys_are_shown_and_one_takes_over_only_if_nothing_is_lost(data, pair):
    """The drill of contrib/failover.md."""

    def typed(*words):
        done = command("registry", "standby", *words, "--data", str(data))
        return done.returncode, done.stdout + done.stderr

    status, said = typed("show")
    assert status == 0 and f"{pair.standby.sockets} could take over" in said
    status, said = typed("promote", str(pair.standby.sockets))
    assert status == 2 and "expected no primary, it answers: stop it first" in said
    pair.primary.stop()
    status, said = typed("show")
    assert status == 1 and "no server may be written to: a standby is to be promoted" in said
    status, said = typed("promote", str(pair.standby.sockets))
    assert status == 0 and "primary, timeline" in said, said
    pair.places_change()
    status, said = typed("show")
    assert status == 1 and "no standby could take over without a loss" in said
    pair.standby_make(is_rewound=True)
    assert typed("show")[0] == 0
    with RegistryStore.open(data, pair.address, is_synchronous=True) as store:
        Registry(store).pay_in("bob", 2)
    assert [] == check_ledger(data).differences


def test_a_drill_lets_the_two_change_places_and_says_how_long_each_step_took(data, pair):
    """One is stopped by a command that the drill runs; the other step somebody else does."""
    old, server = str(pair.primary.sockets), str(pair.standby.sockets)
    stop = f"kill -INT {pair.primary.process_ids[0]}"
    typed = ["registry", "standby", "drill", server, "--data", str(data), "--stop", stop]
    said = []
    with subprocess.Popen([*PROGRAM, *typed], stdout=subprocess.PIPE, text=True) as drill:
        try:
            for line in drill.stdout:
                said.append(line.strip())
                if "make it a standby" in line:
                    # It is off by itself: the drill waits until nobody listens.
                    assert not pair.primary.is_running
                    pair.places_change()
                    pair.primary.asked("CHECKPOINT")
                    pair.standby.kill()
                    pair.standby_make(is_rewound=True)
        finally:
            if len(said) < 4:
                drill.kill()
    assert drill.returncode == 0
    assert [re.sub(r"\d+\.\d s", "N s", line) for line in said] == [
        f"{old}: off after N s",
        f"{server}: the primary N s later",
        f"{old}: make it a standby of {server} now",
        f"{old}: follows after N s, and could take over",
    ]
    assert pair.primary.called == server and pair.is_streaming


def test_a_drill_knows_what_was_acknowledged_when_it_promotes(data, pair):
    """Not what was known when it began: the daemon goes on until the primary is stopped."""
    servers = Servers(RegistryStore, data)
    with RegistryStore.open(data, pair.address, is_synchronous=True) as store:
        Registry(store).pay_in("bob", 2)
        link = store.link.link_id
    report = servers.look()
    assert report.link_known == link and [str(pair.standby.sockets)] == report.ready
    assert servers.listens(str(pair.primary.sockets))


def test_a_drill_that_can_not_go_on_says_so_and_what_has_happened(data, pair):
    def typed(server, *more):
        done = command("registry", "standby", "drill", server, *more, "--data", str(data))
        return done.returncode, done.stdout + done.stderr

    standby = str(pair.standby.sockets)
    status, said = typed(str(pair.primary.sockets))
    assert status == 2 and f"without a loss, got {standby}" in said
    status, said = typed(standby, "--stop", "false")
    assert status == 2 and "false: expected to end with 0, got 1" in said
    status, said = typed(standby, "--stop", "true", "--wait", "1")
    assert status == 2 and f"it still listens: {standby} was not promoted" in said
    for bad in ("no-such-program", "", "kill 'unended"):
        assert typed(standby, "--stop", bad)[0] == 2
    assert pair.is_streaming


@pytest.mark.nightly
def test_a_standby_that_lacks_what_was_acknowledged_is_not_promoted(data, pair):
    pair.commits_wait("")
    pair.standby.kill()
    with RegistryStore.open(data, pair.address) as store:
        Registry(store).pay_in("bob", 2)
        link = store.link.link_id
    pair.primary.kill()
    pair.standby.start(pair.primary)
    with pytest.raises(StoreError, match=f"expected link {link} of the chain .* got none"):
        Servers(RegistryStore, data).promote(str(pair.standby.sockets))
    pair.primary.start(pair.standby)


@pytest.mark.nightly
def test_a_standby_with_log_that_it_can_never_read_is_promoted_all_the_same(
    data, pair, monkeypatch
):
    """A primary that dies amid a record leaves its beginning; what was acknowledged is before."""
    monkeypatch.setattr(postgres_standbys, "REPLAY_S", 2)
    with RegistryStore.open(data, pair.address, is_synchronous=True) as store:
        Registry(store).pay_in("bob", 2)
        link = store.link.link_id
    while pair.standby.asked("SELECT pg_last_wal_replay_lsn() < pg_last_wal_receive_lsn()")[0][0]:
        time.sleep(0.02)
    pair.standby.asked("SELECT pg_wal_replay_pause()")
    pair.primary.asked("SELECT pg_logical_emit_message(true, 'cea', 'more')")
    pair.primary.kill()
    promoted = Servers(RegistryStore, data).promote(str(pair.standby.sockets))
    pair.places_change()
    assert ("primary", link) == (promoted.role, promoted.link_id)
    pair.standby_make(is_rewound=True)
    assert [2] == paid_in(RegistryStore.open_reader(data))
