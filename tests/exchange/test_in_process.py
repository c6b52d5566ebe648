"""A registry and a market in one process, asked in Python."""

import numpy as np
import pytest

from cea_exchange import Side
from cea_exchange.domain.records import EventKind
from cea_exchange.in_process.exchange import Exchange


def test_a_side_is_named_or_itself_and_another_is_refused(tmp_path):
    with Exchange.open(tmp_path, date="2025-07-15", admission="open") as exchange:
        registry = exchange.registry
        registry.product_declare("CEA24", 9_749)
        registry.account_open("alice")
        registry.issue("alice", "CEA24", 100)
        registry.transfer_in("alice", "CEA24", 100)
        exchange.open_day("2025-07-16")
        exchange.phase("listed")
        for side in (Side.SELL, "sell", np.str_("sell")):
            events = exchange.enter("alice", "CEA24", side, price="97.50", tonnes=10)
            assert events["kind"].tolist() == [EventKind.ORDER_ACCEPTED, EventKind.ORDER_RESTED]
            assert set(events["side"].tolist()) == {Side.SELL}
        for side, error, says in [
            ("hold", ValueError, "side: expected one of buy, sell, got 'hold'"),
            (2, TypeError, "side: expected str or Side, got int"),
        ]:
            with pytest.raises(error, match=says):
                exchange.enter("alice", "CEA24", side, price="97.50", tonnes=10)
