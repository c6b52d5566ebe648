"""One product, two accounts, and a sequencer on the reference market: for journal tests."""

from collections.abc import Iterator
from itertools import count

import numpy as np

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, Phase, Side
from cea_exchange.journal import Journal
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.durability.sequencer import Sequencer

PROFILE = load_profile("cea")
TRADING_DATE = 20241231


def feed():
    """What the registry declares and pays in."""
    commands = [control.ProductDeclared(product="CEA23", reference_price=9749)]
    for account in ("alice", "bob"):
        commands.append(control.AccountDeclared(account=account))
        commands.append(control.TransferIn(account=account, amount=10_000_000_00))
        commands.append(control.TransferIn(account=account, product="CEA23", amount=5_000))
    return [
        control.FeedItem(transfer_seq=seq, command=command)
        for seq, command in enumerate(commands, 1)
    ]


def orders(*rows):
    """Make ENTER records of (account index, id, side, price in fen, tonnes)."""
    records = np.zeros(len(rows), COMMAND_DTYPE)
    for record, (account, order_id, side, price, tonnes) in zip(records, rows, strict=True):
        record["kind"] = CommandKind.ENTER
        record["account_index"] = account
        record["client_order_id"] = order_id
        record["side"] = side
        record["price"] = price
        record["tonnes"] = tonnes
        record["trading_date"] = TRADING_DATE
    return records


def pairs(first_id: int = 1) -> Iterator[np.ndarray]:
    """Yield batches of an offer and a bid without end; some trade, some rest."""
    for step in count(first_id):
        price = 9740 + step % 7
        yield orders((0, step, Side.SELL, price, 10), (1, step, Side.BUY, 9743, 7))


def sequencer_open(directory, **options):
    """Open a sequencer whose clock counts."""
    ticks = count(1_000)
    return Sequencer.open(
        directory, PROFILE, now_ns=lambda: next(ticks), core_class=ReferenceMarket, **options
    )


def day_begin(sequencer):
    """Declare everything and open the listed phase; return the events."""
    released = [sequencer.run_controls(feed())[0]]
    for act in (control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=Phase.LISTED)):
        released.append(sequencer.run_controls([act])[0])
    return np.concatenate(released)


def journal_unpadded(monkeypatch):
    """Let journals write no zeros ahead, so that a full disk shows at the next frame."""
    journal_open = Journal.open
    monkeypatch.setattr(
        Journal, "open", lambda *given, **named: journal_open(*given, padding_bytes=0, **named)
    )
