"""A registry that is started from an older copy of its folder moves nothing, and says what is lost.

Real processes: the folder is copied while both daemons run, and put back after more was done.
"""

import shutil

import pytest

from cea_exchange.cli.main import main
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.control.admin_client import InstitutionRefused
from cea_exchange.institution.venue_link.feed import feed_last_seq
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.registry.control.admin_client import registry_ask
from cea_exchange.registry.store import RegistryStore
from support.registry.fake_venue import wait_until

pytestmark = pytest.mark.crash

PRODUCT = "CEA24"
ACCOUNT = "P001"
VALUE_ACTS = [
    {"op": "pay_in", "account": ACCOUNT, "cash": 500},
    {"op": "transfer_in", "account": ACCOUNT, "product": None, "amount": 7},
    {"op": "transfer_out", "account": ACCOUNT, "product": None, "amount": 9},
]


class Rollback:
    """An exchange whose registry's folder was copied before the last transfer."""

    def __init__(self, folder):
        self.exchange = LocalExchange(folder)
        self.data = folder
        members = population(2, {PRODUCT: 9_749}, seed=1, orders_each=10)
        self.account = members[0].name
        self.exchange.prepare(
            members, {PRODUCT: 9_749}, start="2025-01-02T08:30:00+08:00", fronts=0, relay=False
        )
        self.exchange.start()
        await_transfers(self.exchange)
        wait_until(self.is_settled)
        shutil.copytree(folder / "registry", folder / "older")
        self.do({"op": "pay_in", "account": self.account, "cash": 1_000})
        self.do({"op": "transfer_in", "account": self.account, "product": None, "amount": 900})
        await_transfers(self.exchange)
        wait_until(self.is_settled)

    def is_settled(self):
        with RegistryStore.open_reader(self.data) as store:
            return not store.has("transfers", state="pending")

    def swap(self):
        """End the registry, and put the other folder in its place."""
        if self.exchange.is_running("registry"):
            self.exchange.kill("registry")
        (self.data / "registry").rename(self.data / "newer")
        (self.data / "older").rename(self.data / "registry")
        (self.data / "newer").rename(self.data / "older")

    def do(self, request):
        return registry_ask(self.data, request, key="admin")

    def code(self, request):
        try:
            self.do(request)
        except InstitutionRefused as error:
            return error.answer["code"]
        return ""

    def last_feed_seq(self):
        with RegistryStore.open_reader(self.data) as store:
            return feed_last_seq(store)

    def close(self):
        self.exchange.close()


@pytest.fixture
def rollback(tmp_path):
    made = Rollback(tmp_path)
    yield made
    made.close()


def ended(*arguments):
    """Return the exit status of a command."""
    try:
        main([str(each) for each in arguments])
    except SystemExit as end:
        return end.code or 0
    return 0


def test_a_registry_from_an_older_copy_moves_nothing_and_names_what_is_lost(rollback, capsys):
    """CEA-REG-09: no number of a lost transfer is given once more."""
    data = rollback.data
    assert ended("registry", "verify", "--data", data, "--venue", data) == 0
    rollback.swap()
    rollback.exchange.start_registry()
    last = rollback.last_feed_seq()
    wait_until(lambda: rollback.do({"op": "status"})["state"].startswith("stopped: "))
    assert f"only up to {last}" in rollback.do({"op": "status"})["state"]
    for request in (
        *({**each, "account": rollback.account} for each in VALUE_ACTS),
        {"op": "account_suspend", "account": rollback.account, "why": "lost"},
    ):
        assert rollback.code(request) == RegistryRefusal.LEDGER_STOPPED.name, request
    assert rollback.last_feed_seq() == last
    for command in (("reconcile",), ("verify",), ("verify", "--venue", data)):
        capsys.readouterr()
        assert ended("registry", *command, "--data", data) == 1, command
    shown = " ".join(capsys.readouterr().out.split())
    assert f"item {last + 1} of the feed, transfer_in" in shown and "amount 900" in shown
    # With the newer folder again, all is as before.
    rollback.swap()
    rollback.exchange.start_registry()
    wait_until(lambda: rollback.do({"op": "status"})["state"] == "ok")
    rollback.do({"op": "transfer_out", "account": rollback.account, "product": None, "amount": 1})
    await_transfers(rollback.exchange)
    assert ended("registry", "verify", "--data", data, "--venue", data) == 0
    assert ended("registry", "reconcile", "--data", data) == 0


def test_without_a_word_of_the_venue_no_number_is_given(rollback):
    """CEA-REG-09: the venue may have what a registry lacks, and can't say so while it is away."""
    rollback.exchange.stop("venue")
    rollback.swap()
    rollback.exchange.start_registry()
    last = rollback.last_feed_seq()
    transfer = {"op": "transfer_out", "account": rollback.account, "product": None, "amount": 7}
    assert rollback.code(transfer) == RegistryRefusal.PARTNER_AWAITED.name
    assert rollback.last_feed_seq() == last
    # What the venue has nothing to do with is done.
    rollback.do({"op": "pay_in", "account": rollback.account, "cash": 500})
    rollback.exchange.start_venue()
    wait_until(lambda: rollback.code(transfer) == RegistryRefusal.LEDGER_STOPPED.name)
    assert rollback.last_feed_seq() == last
