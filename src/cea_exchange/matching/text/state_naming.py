"""The state of a market in words: a core's numbers as names, yuan and text ids."""

from cea_exchange.domain.documents.html_table import ROWS_SHOWN, Cell, html_table
from cea_exchange.domain.records import BiddingState, BlockFlag, OrderFlag, Phase, Pricing, Side
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.matching import events as named
from cea_exchange.matching.market_core import MarketCore
from cea_exchange.matching.text.event_naming import (
    date_text,
    restrictions_named,
    time_text,
)
from cea_exchange.matching.text.names import Names

_PRICES = ("reference_price", "band_low", "band_high")
_PRODUCT_HEADS = (
    *("product", "", "reference", "band low", "band high"),
    *("bid", "t bid", "ask", "t asked"),
)
_ACCOUNT_HEADS = ("account", "", "cash", "locked", "holdings")


class StateNaming:
    """A market's state by names, yuan and text ids."""

    def __init__(self, core: MarketCore, names: Names) -> None:
        self._core = core
        self._names = names

    def state(self, seq: int) -> named.State:
        """Return the whole market as an event, with its hash."""
        core, names = self._core, self._names
        return named.State(
            seq=seq,
            day=date_text(core.trading_date) if core.day_is_open else None,
            phase=Phase(core.phase).name.lower(),
            halted=core.market_halted,
            books={name: self._book(index) for index, name in enumerate(names.products)},
            accounts={name: self.account(index) for index, name in enumerate(names.accounts)},
            blocks=[self._open_block(each) for each in map(core.block, core.block_ids()) if each],
            biddings=[
                self._open_bidding(bidding)
                for bidding in map(core.bidding, core.bidding_ids())
                if bidding and bidding["state"] != BiddingState.ENDED
            ],
            state_hash=f"{core.state_hash():016x}",
        )

    def html(self, caption: str) -> str:
        """Return products with their best prices, and accounts with what they have, as tables."""
        products, accounts = self._names.products, self._names.accounts
        shown = map(self._account_cells, range(min(len(accounts), ROWS_SHOWN)))
        return html_table(
            _PRODUCT_HEADS,
            map(self._product_cells, range(min(len(products), ROWS_SHOWN))),
            caption=caption,
            count=len(products),
        ) + html_table(_ACCOUNT_HEADS, shown, count=len(accounts))

    def _product_cells(self, index: int) -> list[Cell]:
        """Return a product's row; two levels are looked at, however deep its book is."""
        product = self._core.product(index)
        state = "halted" if product["halted"] else "" if product["listed"] else "not listed"
        cells: list[Cell] = [self._names.products[index], state]
        cells += [price_format(product[name]) for name in _PRICES]
        for side in (Side.BUY, Side.SELL):
            levels = self._core.depth(index, side, 1)
            for price, tonnes, _ in levels:
                cells += [price_format(price), f"{tonnes:,}"]
            cells += [] if levels else ["", ""]
        return cells

    def _account_cells(self, index: int) -> list[Cell]:
        account = self.account(index)
        held = (f"{name} {holding.tonnes:,} t" for name, holding in account.holdings.items())
        state = "suspended" if account.suspended else ""
        name = self._names.accounts[index]
        return [name, state, account.cash, account.cash_locked, ", ".join(held)]

    def order_text(self, order_id: int) -> str:
        """Return the id of a live order as its owner knows it."""
        order = self._core.order(order_id)
        return self._names.order_text(order_id, order["client_order_id"] if order else 0)

    def _open_block(self, block: dict[str, int]) -> named.OpenBlock:
        names = self._names
        flags, whom = block["flags"], block["counterparty_index"]
        account, counterparty = names.accounts[block["account_index"]], None
        if flags & BlockFlag.TO_ACCOUNT:
            counterparty = names.accounts[whom]
        return named.OpenBlock(
            id=names.block_text(block["block_id"]),
            account=account,
            product=names.products[block["product_index"]],
            side=Side(block["side"]).name.lower(),
            price=None if flags & BlockFlag.PRICE_OPEN else price_format(block["price"]),
            tonnes=None if flags & BlockFlag.TONNES_OPEN else block["tonnes"],
            counterparty=counterparty,
            to_group=names.groups[whom] if flags & BlockFlag.TO_GROUP else None,
            enquiry=bool(flags & BlockFlag.ENQUIRY),
            countered=bool(flags & BlockFlag.COUNTERED),
            speaker=(counterparty if flags & BlockFlag.BY_COUNTERPARTY else None) or account,
            cash_locked=cash_format(block["cash_locked"]),
            tonnes_locked=block["tonnes_locked"],
            agreed=bool(block["agreed"]),
        )

    def _open_bidding(self, bidding: dict[str, int]) -> named.OpenBidding:
        names = self._names
        return named.OpenBidding(
            id=names.block_text(bidding["bidding_id"]),
            account=names.accounts[bidding["account_index"]],
            product=names.products[bidding["product_index"]],
            side=Side(bidding["side"]).name.lower(),
            tonnes=bidding["tonnes"],
            floor=price_format(bidding["floor"]),
            ceiling=price_format(bidding["ceiling"]),
            pricing=Pricing(bidding["pricing"]).name.lower(),
            opens_at=time_text(bidding["opens_at"]),
            closes_at=time_text(bidding["closes_at"]),
            reserve_price=_price_or_none(bidding["reserve_price"]),
            state=BiddingState(bidding["state"]).name.lower(),
            bids=[
                named.OpenBid(
                    id=names.order_text(bid["bid_id"], bid["client_order_id"]),
                    account=names.accounts[bid["account_index"]],
                    price=_price_or_none(bid["price"]),
                    tonnes=bid["tonnes"],
                )
                for bid in self._core.bids(bidding["bidding_id"])
            ],
        )

    def _book(self, product_index: int) -> named.BookState:
        product = self._core.product(product_index)
        return named.BookState(
            reference_price=price_format(product["reference_price"]),
            band_low=price_format(product["band_low"]),
            band_high=price_format(product["band_high"]),
            halted=bool(product["halted"]),
            listed=bool(product["listed"]),
            buy=self._resting(product_index, Side.BUY),
            sell=self._resting(product_index, Side.SELL),
        )

    def _resting(self, product_index: int, side: Side) -> list[named.RestingOrder]:
        resting = []
        levels = max(1, self._core.live_order_count)
        for price, _, _ in self._core.depth(product_index, side, levels):
            for order_id in self._core.orders_at(product_index, side, price):
                if order := self._core.order(order_id):
                    resting.append(
                        named.RestingOrder(
                            id=self._names.order_text(order_id, order["client_order_id"]),
                            account=self._names.accounts[order["account_index"]],
                            price=price_format(price),
                            tonnes=order["tonnes_open"],
                            post_only=bool(order["flags"] & OrderFlag.POST_ONLY),
                        )
                    )
        return resting

    def account(self, account_index: int) -> named.AccountState:
        """Return what an account has."""
        account = self._core.account(account_index)
        holdings = {
            self._names.products[product_index]: named.HoldingState(*holding)
            for product_index, holding in sorted(account["holdings"].items())
            if any(holding)
        }
        return named.AccountState(
            cash=cash_format(account["cash"]),
            cash_locked=cash_format(account["cash_locked"]),
            proceeds_today=cash_format(account["proceeds_today"]),
            suspended=bool(account["suspended"]),
            holdings=holdings,
            gaps={
                self._names.products[product_index]: named.GapState(*gap)
                for product_index, gap in account["gaps"].items()
            },
            barred=restrictions_named(account["restricted"]),
            allocation=account["allocation"],
        )


def _price_or_none(price: int) -> str | None:
    """Write fen as yuan; 0 is no price."""
    return price_format(price) if price else None
