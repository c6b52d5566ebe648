"""Control messages: every kind survives the way there and back, and nothing else is understood."""

import msgspec
import pytest

from cea_exchange.domain.records import Phase
from cea_exchange.protocol import control
from cea_exchange.protocol.control import ControlError, control_decode, control_encode

KEY = "k" * 40
MESSAGES = [
    control.ProductDeclared(product="CEA24", reference_price=9749),
    control.AccountDeclared(account="alice", group="north"),
    control.AccountSuspended(account="alice"),
    control.AccountRestored(account="alice"),
    control.KeyGranted(key=KEY, account="alice", operator_index=15, role="reader"),
    control.KeyGranted(key=KEY, account="alice", role="canceller", cancel_on_disconnect=False),
    control.KeyRevoked(key=KEY),
    control.TransferIn(account="alice", amount=1),
    control.TransferOut(account="alice", product="CEA24", amount=-(2**63)),
    control.DayOpen(date=20241231),
    control.DayClose(),
    control.PhaseSet(phase=Phase.LISTED),
    control.Halt(product="CEA24"),
    control.Resume(),
    control.Suspend(account="alice"),
    control.Restore(account="alice"),
    control.Kill(account="alice", by="ops1", why="runaway orders"),
    control.SessionLost(account="alice", operator_index=15),
    control.SessionLost("alice", 0, (control.LostOperator("bob", 15),)),
    control.ReferencePriceSet(product="CEA24", price=1),
    control.Checkpoint(state_hash=2**64 - 1, holdings_hash=0, settlement_seq=2**62),
    control.SettlementConfirmed(settlement_seq=1, trading_date=20241231),
    control.LagLevelSet(level="cancel_only", lag_records=2**62, lag_s=0),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_there_and_back(message):
    assert control_decode(control_encode(message)) == message


def test_an_act_of_before_there_was_a_by_and_a_why_reads_on():
    payload = msgspec.msgpack.encode({"t": "halt", "product": None, "at_ns": 7})
    assert control_decode(payload) == control.Halt(at_ns=7, by="", why="")


def test_a_grant_of_before_orders_went_with_their_session_reads_on():
    payload = msgspec.msgpack.encode({"t": "key_granted", "key": KEY, "account": "alice"})
    assert control_decode(payload) == control.KeyGranted(
        key=KEY, account="alice", operator_index=0, role="trader", cancel_on_disconnect=True
    )


@pytest.mark.parametrize("command", MESSAGES[:9], ids=lambda message: type(message).__name__)
def test_every_registry_command_travels_in_a_feed_item(command):
    item = control.FeedItem(transfer_seq=1, command=command, at_ns=5)
    assert control_decode(control_encode(item)) == item


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"t": "halt", "produkt": "CEA24"}, "unknown field"),
        ({"t": "halted"}, "Invalid value 'halted'"),
        ({"product": "CEA24"}, "missing required field `t`"),
        ({"t": "phase_set", "phase": 9}, "Invalid enum value 9"),
        ({"t": "transfer_in", "account": "a", "amount": 1.5}, "Expected `int`, got `float`"),
        ({"t": "transfer_in", "account": "a", "amount": 2**63}, "Expected `int` <="),
        ({"t": "product_declared", "product": "", "reference_price": 1}, "length >= 1"),
        ({"t": "product_declared", "product": "x", "reference_price": 0}, "Expected `int` >= 1"),
        ({"t": "feed_item", "transfer_seq": 1, "command": {"t": "day_close"}}, "Invalid value"),
        ({"t": "suspend", "account": None}, "Expected `str`, got `None`"),
    ],
)
def test_anything_else_is_refused_with_its_place(fields, complaint):
    with pytest.raises(ControlError, match=complaint):
        control_decode(msgspec.msgpack.encode(fields))


DEEP = b"\x82\xa1a" + b"\x91" * 100_000 + b"\xc0\xa1t\xa4halt"


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x81\xa1t\xa1\xff", b"\x80\x80", DEEP])
def test_broken_bytes_are_refused(payload):
    with pytest.raises(ControlError):
        control_decode(payload)
