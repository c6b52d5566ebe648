"""Nodes of a cluster in this process: each follows, and leads on demand."""

import contextlib
import time
from itertools import count

import msgspec
import numpy as np

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.log_nodes.local import LogNodes
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, Phase, Side
from cea_exchange.journal import OsStorage
from cea_exchange.protocol import control
from cea_exchange.venue.replication.member import ClusterMember
from support.patience import patience

WAIT_S = 30.0
DATE = 20241231
PRICE = 9749


class Nodes:
    """Nodes of one cluster, all in this process."""

    def __init__(self, folder, log_nodes, settings):
        self.folder = folder
        self.log_nodes = log_nodes
        self.settings = settings
        self.opened = []

    def open(self, name, folder=None):
        settings = self.log_nodes.cluster_settings(name) | self.settings
        config = msgspec.convert(settings, ClusterConfig)
        data = self.folder / (folder or name)
        data.mkdir(exist_ok=True)
        member = ClusterMember.open(
            *(config, data, load_profile("cea")),
            storage=OsStorage(),
            archive=None,
            now_ns=count(1_000).__next__,
            checks_later=True,
        )
        self.opened.append(member)
        return member

    def leader(self, name):
        member = self.open(name)
        end_s = time.monotonic() + WAIT_S * patience()
        while not member.lead_if_due():
            assert time.monotonic() < end_s, f"{name} does not lead: {member.why}"
            member.follow(0.05)
        return member

    def level(self, member):
        """Follow until there is nothing more: what one of the others wrote, this one has."""
        end_s = time.monotonic() + WAIT_S * patience()
        while member.lag or member.log_seq < max(each.log_seq for each in self.opened):
            assert time.monotonic() < end_s, f"{member.log_seq} of the log, {member.lag} behind"
            member.follow(1.1)

    def close(self, member):
        self.opened.remove(member)
        member.close()
        member.sequencer.close()


@contextlib.contextmanager
def members_open(folder, **settings):
    """Begin three log nodes, and let members of a cluster of these settings be opened on them."""
    with LogNodes(folder / "log") as log_nodes:
        log_nodes.start()
        made = Nodes(folder, log_nodes, settings)
        yield made
        for member in list(made.opened):
            made.close(member)


def day_begin(sequencer):
    feed = [control.ProductDeclared(product="CEA24", reference_price=PRICE)]
    for account in ("alice", "bob"):
        feed.append(control.AccountDeclared(account=account))
        feed.append(control.TransferIn(account=account, amount=10**12))
        feed.append(control.TransferIn(account=account, product="CEA24", amount=10**6))
    acts = [control.FeedItem(transfer_seq=seq, command=each) for seq, each in enumerate(feed, 1)]
    acts += [control.DayOpen(date=DATE), control.PhaseSet(phase=Phase.LISTED)]
    _, refusals = sequencer.run_controls(acts)
    assert not any(refusals), refusals


def orders(first, number, account):
    """Return orders of an account, each for a tonne, at the reference price."""
    rows = np.zeros(number, COMMAND_DTYPE)
    rows["kind"] = CommandKind.ENTER
    rows["side"] = (Side.BUY, Side.SELL)[account]
    rows["account_index"] = account
    rows["client_order_id"] = np.arange(first, first + number)
    rows["price"], rows["tonnes"], rows["trading_date"] = PRICE, 1, DATE
    return rows
