"""Commands as records, for an embedded market whose own event records a test wants."""

import numpy as np

from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind


def entered(market, event):
    """Enter the order that `event` names; return what comes of it as records."""
    command = np.zeros(1, COMMAND_DTYPE)
    account = market.account_index(event["account"])
    command["kind"] = CommandKind.ENTER
    command["side"] = 1 if event["side"] == "buy" else 2
    command["account_index"] = account
    command["product_index"] = market.product_index(event["product"])
    command["trading_date"] = market.core.trading_date
    command["client_order_id"] = market.core.last_client_order_id(account, 0) + 1
    command["price"] = int(event["price"].replace(".", ""))
    command["tonnes"] = event["tonnes"]
    produced = np.zeros(64, EVENT_DTYPE)
    _, count = market.process(command, produced)
    return produced[:count].copy()
