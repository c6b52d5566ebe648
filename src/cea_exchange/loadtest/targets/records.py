"""The harness's commands as Command records, for whoever takes those: venue and embedded market."""

from dataclasses import dataclass, field

from cea_exchange.domain.records import BlockFlag, CommandKind
from cea_exchange.loadtest.population import command_record
from cea_exchange.loadtest.targets.target import Command


@dataclass
class Ids:
    """What the other side calls things.

    Attributes
    ----------
    products : list of int
        By product.
    accounts : dict
        By participant.
    biddings : dict
        The open bidding by product.
    orders, numbers : dict
        Its id of an order or a bid by the number of the command that entered it, and back.
    """

    products: list[int] = field(default_factory=list)
    accounts: dict[int, int] = field(default_factory=dict)
    biddings: dict[int, int] = field(default_factory=dict)
    orders: dict[int, int] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)

    def entered(self, number: int, order_id: int) -> None:
        """Note an order."""
        self.orders[number] = order_id
        self.numbers[order_id] = number

    def ended(self, order_id: int) -> int:
        """Forget an order; return the number of its command, 0 if it is none of ours."""
        number = self.numbers.pop(order_id, 0)
        self.orders.pop(number, None)
        return number

    def traded(self, order_id: int, tonnes_open: int) -> int:
        """Return the number of an order's command; nothing is left of it where nothing is open."""
        return self.numbers.get(order_id, 0) if tonnes_open else self.ended(order_id)


def record_of(command: Command, ids: Ids, *, client_order_id: int, trading_date: int) -> bytes:
    """Return the record of a command; an order that is not known is order 0."""
    kind, order_id, counterparty, flags = command.kind, 0, 0, command.flags
    product, price, tonnes = ids.products[command.product], command.price, command.tonnes
    if kind in (CommandKind.CANCEL, CommandKind.AMEND, CommandKind.BID_CANCEL):
        order_id, product = ids.orders.get(command.order, 0), 0
        if kind != CommandKind.AMEND:
            price = tonnes = 0
    elif kind == CommandKind.BID:
        order_id, product = ids.biddings.get(command.product, 0), 0
    elif command.block:
        order_id, product = command.block, 0
    elif kind == CommandKind.BLOCK_OFFER and command.counterparty >= 0:
        counterparty = ids.accounts[command.counterparty]
        flags |= BlockFlag.TO_ACCOUNT
    is_new = kind in (CommandKind.ENTER, CommandKind.BLOCK_OFFER)
    return command_record(
        kind,
        trading_date,
        client_order_id,
        side=command.side if is_new else 0,
        tif=command.tif if kind == CommandKind.ENTER else 0,
        flags=flags if is_new else 0,
        product_index=product,
        order_id=order_id,
        pick_order_id=counterparty,
        price=price,
        tonnes=tonnes,
    )
