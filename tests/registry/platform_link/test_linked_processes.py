"""Platform and registry as processes, either killed at random: each item is posted once."""

import random
import time

import pytest

from cea_exchange.platform.rehearsal import NOW
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore
from support.platform.platform_process import PlatformProcess
from support.registry.fake_venue import wait_until
from support.registry.registry_process import Daemon
from support.rounds import ROUNDS

pytestmark = [pytest.mark.e2e, pytest.mark.random]

YEAR, ZHEJIANG, PRODUCT = 2024, 33, "CEA24"
SETTINGS = f"""{{database}}second_person = []
fronts = 0

[platform]

[clock]
kind = "manual"
start = "{NOW}"
"""


class Both:
    """Both daemons on one folder."""

    def __init__(self, data, addresses):
        self.data, (self.at_platform, self.at_registry) = data, addresses
        self.platform = PlatformProcess(data, self.at_platform)
        for name in ("venue", "admin"):
            CurveKeys.new().save(data / "keys", name)
        at = self.at_registry
        database = "" if at is None else f'database = "{at}"\n'
        (data / "registry.toml").write_text(SETTINGS.format(database=database))
        with Registry(RegistryStore.open(data, at)) as registry, registry.transaction():
            registry.product_declare(PRODUCT, 9_000)
            registry.account_open(
                *("P001",),
                entity="Power 1",
                credit_code="91330100000000001C",
                province=ZHEJIANG,
                sector="power",
            )
        self.registry = Daemon(data)
        self.random = random.Random(2024)

    def __enter__(self):
        self.platform.start()
        self.registry.start()
        return self

    def __exit__(self, *_exception):
        for process in (self.platform.process, self.registry.process):
            if process.poll() is None:
                process.kill()
                process.wait()

    def kill_one(self):
        """End one of them with SIGKILL after a moment, and start it again."""
        time.sleep(self.random.random() / 20)
        killed = self.random.choice((self.platform, self.registry))
        killed.kill()
        killed.start()

    def judged(self):
        """Wait until there is a verdict on every item, and return how far the stream is."""

        def is_judged():
            status = self.platform.ask("an", "status")
            return status["judged_seq"] == status["link_seq"]

        wait_until(is_judged, 30)
        return self.platform.ask("an", "link_show")["last_seq"]

    def given(self):
        """Let the province give what the year comes to; return the allocation and its tonnes."""
        terms = {"province": ZHEJIANG, "year": YEAR, "stage": "final"}
        made = self.platform.ask("sun", "allocation_compute", **terms)
        self.platform.ask("qian", "allocation_approve", allocation=made["allocation"])
        self.platform.ask("sun", "allocation_distribute", allocation=made["allocation"])
        return made["allocation"], made["tonnes"]


@pytest.fixture
def both(tmp_path, two_addresses):
    with Both(tmp_path / "data", two_addresses) as found:
        yield found


def items(both):
    with RegistryStore.open_reader(both.data, both.at_registry) as store:
        sql = "SELECT link_seq, is_posted, head FROM platform_items ORDER BY link_seq"
        here = store.execute(sql).fetchall()
        held = store.one("SELECT coalesce(sum(amount), 0) FROM balances WHERE account_index = 0")
        entries = store.one("SELECT count(*) FROM entries")
    with PlatformStore.open_reader(both.data, both.at_platform) as store:
        sql = (
            "SELECT item.link_seq, is_posted, head FROM link_items AS item"
            " JOIN link_verdicts ON link_verdicts.link_seq = item.link_seq ORDER BY item.link_seq"
        )
        there = store.execute(sql).fetchall()
    assert [tuple(row) for row in here] == [tuple(row) for row in there]
    return [bool(row[1]) for row in here], held, entries


@pytest.mark.postgres_at_night
def test_what_is_given_and_recalled_is_posted_once_whoever_is_killed(both):
    """CEA-PLK-01, CEA-PLK-02, CEA-PLK-04: and the books agree."""
    both.platform.year_verified()
    rounds = 3 * ROUNDS
    for number in range(rounds):
        allocation, tonnes = both.given()
        both.kill_one()
        both.judged()
        if number + 1 < rounds:
            both.platform.ask("sun", "allocation_recall", allocation=allocation, reason="once more")
            both.kill_one()
            both.judged()
    both.platform.ask("sun", "obligations_set", province=ZHEJIANG, year=YEAR)
    both.kill_one()
    last_seq = both.judged()
    both.registry.stop()
    both.platform.stop()
    posted, held, entries = items(both)
    assert posted == [True] * last_seq
    assert last_seq == 1 + rounds + (rounds - 1) + 1
    assert held == tonnes
    # Issued, to the province, to the entity; and back, province, authority and out.
    assert entries == 3 * rounds + 3 * (rounds - 1)
    found = check_ledger(both.data, both.at_registry)
    assert found.differences == []
