"""How firms behave. Nothing else decides it: replace this class by one of your own.

    cea-exchange year 2024 --firms my_firms:MyFirms

The rules:

1. A firm that will lack allowances buys, one that has more than it can bank sells, and one that
   needs neither quotes small lots, one day to buy, the next to sell. Before allowances are given
   nobody knows, and all quote.
2. The nearer the deadline, the larger the part of what is wanted that an order asks for, and the
   further its price goes to meet the other side. Each has a view of its own what an allowance is
   worth, within a fifth of the year's first price: nobody sells below it or buys above it, but that
   the deadline makes buyers pay up to half as much again, and sellers take a fifth less.
3. What can be banked is kept: of what it has beyond its duty a firm sells two parts of five, for
   then one and a half times its sales cover the other three (the carryover of 2024).
4. Who lacks, or can sell, a block's tonnes trades them as a block, first within its group, to whose
   firms it sells all that it has beyond its duty.
5. Four times a year the largest seller offers what it sells by single-direction bidding.
6. A firm surrenders as soon as it has everything, on a day of its own before the deadline; on the
   last day whoever has something gives what it has.
7. One firm in four that lacks allowances offsets as much by CCERs as the rules allow.
8. One firm of some thousand neglects it: it buys nothing, and surrenders only what it has.

A class of firms is made with the seed of the year, once, and keeps what it remembers of a firm in
`Firm.memory`: so that a year that was stopped goes on as if it had not been.
"""

from collections.abc import Iterator, Sequence

from cea_exchange.year.firms.draws import Draws
from cea_exchange.year.firms.firm import Bid, Block, Day, Firm, Offer, Order, Product

BLOCK_TONNES = 100_000
BLOCK_TONNES_MOST = 1_000_000
BANKED_BASE = 10_000
"""Tonnes that anybody may bank."""
QUOTED_TONNES = 200
"""Most of an order of who needs neither to buy nor to sell."""
BIDDING_MONTHS = (9, 10, 11, 12)
NEGLIGENT_ONE_IN = 1_500
PATIENCE_DAYS = 45
"""Before the deadline: the earliest day on which a firm surrenders."""
ATTEMPTS = 5
"""Firms that are asked for an order, for each that is to be entered: not everybody enters one."""
LAST_DAYS = 3
"""On which nobody waits any more."""
VIEWS = (800, 1_200)
"""Thousandths of the year's first price: the lowest and the highest view of an allowance."""


class Firms:
    """The firms of a nation.

    Parameters
    ----------
    seed
        Of the year.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    # -- what is brought to the venue -------------------------------------------------------------

    def cash_wanted(self, day: Day, firm: Firm) -> int:
        """Return fen that a firm wants to have at the venue on a day."""
        needed = QUOTED_TONNES * 5 if firm.lacks <= 0 else firm.lacks * 12 // 10
        return 0 if self._is_negligent(firm) else needed * day.products[-1].centre

    # -- trading ----------------------------------------------------------------------------------

    def listed(self, day: Day, firms: Sequence[Firm]) -> Iterator[Order]:
        """Yield the day's listed orders as they come; each must be paid for by what a firm has."""
        # What is free is what a firm has less what its orders of the day ask for.
        cash = {firm.index: firm.cash for firm in firms}
        stocks = {firm.index: dict(firm.at_venue) for firm in firms}
        entered = 0
        for _ in range(ATTEMPTS * day.orders):
            if entered == day.orders:
                return
            firm = firms[day.draws.below(len(firms))]
            order = self._order(day, firm, cash[firm.index], stocks[firm.index])
            if order is None:
                continue
            entered += 1
            if order.side == "buy":
                cash[firm.index] -= order.price * order.tonnes
            else:
                stocks[firm.index][order.product.name] -= order.tonnes
            yield order

    def blocks(self, day: Day, firms: Sequence[Firm]) -> list[Block]:
        """Return the day's blocks, each agreed on before."""
        sellers = [firm for firm in firms if -firm.lacks >= BLOCK_TONNES]
        buyers = [
            firm for firm in firms if firm.lacks >= BLOCK_TONNES and not self._is_negligent(firm)
        ]
        made: list[Block] = []
        for seller in sellers:
            if not day.draws.one_in(2 + day.days_left // 4):
                continue
            known = [firm for firm in buyers if firm.group and firm.group == seller.group]
            tonnes = -seller.lacks
            if not known:
                known, tonnes = buyers, self.may_sell(seller)
            if not known:
                continue
            buyer = known[day.draws.below(len(known))]
            block = self._block(day, seller, buyer, tonnes)
            if block is not None:
                made.append(block)
                buyers.remove(buyer)
        return made

    def bidding(self, day: Day, firms: Sequence[Firm]) -> Offer | None:
        """Return what is offered to all who bid on a day, with the bids; None: nothing is."""
        if not day.is_first_of_month or day.date // 100 % 100 not in BIDDING_MONTHS:
            return None
        seller = max(firms, key=lambda firm: (self.may_sell(firm), -firm.index))
        product = _largest(day, seller.at_venue)
        tonnes = min(self.may_sell(seller), seller.at_venue.get(product.name, 0))
        if tonnes < BLOCK_TONNES:
            return None
        least = product.low
        bids = [
            Bid(firm, least + day.draws.below(product.high - least + 1), firm.lacks // 4)
            for firm in firms
            if firm is not seller and firm.lacks >= 1_000 and not self._is_negligent(firm)
        ]
        payable = [bid for bid in bids if bid.price * bid.tonnes <= bid.firm.cash]
        return Offer(seller, product, least, tonnes, payable[:500]) if payable else None

    def may_sell(self, firm: Firm) -> int:
        """Return the tonnes that a firm sells in the end: two fifths of what it can't bank."""
        return max(0, (-firm.lacks - BANKED_BASE) * 2 // 5)

    # -- surrender and offset ---------------------------------------------------------------------

    def surrenders(self, day: Day, firm: Firm) -> bool:
        """Tell whether a firm surrenders what it owes on a day, or what of it there is."""
        if day.days_left == 0:
            return firm.held > 0
        if firm.held < firm.owed or self._is_negligent(firm):
            return False
        # The smaller of two numbers: most firms are late.
        own = Draws(self.seed, "surrenders", firm.account)
        return day.days_left <= min(own.below(PATIENCE_DAYS), own.below(PATIENCE_DAYS))

    def offset_wanted(self, day: Day, firm: Firm) -> int:
        """Return the tonnes of CCERs that a firm wants to count against what it owes, once a month.

        The rules' cap is seen to elsewhere.
        """
        own = Draws(self.seed, "offsets", firm.account)
        return max(0, firm.lacks) if own.one_in(4) and not self._is_negligent(firm) else 0

    # -- in detail --------------------------------------------------------------------------------

    def _order(self, day: Day, firm: Firm, cash: int, stock: dict[str, int]) -> Order | None:
        lacks, may_sell = firm.lacks, self.may_sell(firm)
        if lacks > 0 and day.is_owed:
            if self._is_negligent(firm):
                return None
            limit = self._limit(day, firm, self._urgency(day, 500))
            return self._buy(day, firm, self._part(day, lacks), cash, limit)
        if may_sell > 0 and day.is_owed:
            limit = self._limit(day, firm, -self._urgency(day, 200))
            return self._sell(day, firm, self._part(day, may_sell), stock, limit)
        tonnes = day.draws.within(1, QUOTED_TONNES // 10) * 10
        if (day.date + firm.index) % 2:
            return self._buy(day, firm, tonnes, cash)
        return self._sell(day, firm, tonnes, stock)

    def _part(self, day: Day, tonnes: int) -> int:
        """Return what an order asks for of all that is wanted: all of it on the last days.

        What is bought on the very last one comes too late: it leaves the venue the day after.
        """
        parts = 2 + 2 * max(0, day.days_left - LAST_DAYS)
        return max(min(tonnes, 10), tonnes * day.draws.within(1, 4) // (4 * parts))

    def _buy(
        self, day: Day, firm: Firm, tonnes: int, cash: int, limit: int | None = None
    ) -> Order | None:
        # Before the year's own allowances are given there are only older ones.
        known = day.products if day.is_owed else day.products[:1]
        product = known[day.draws.below(len(known))]
        price = self._price(product, day.draws.within(-30, 10) + self._urgency(day, 20))
        price = price if limit is None else min(price, limit)
        tonnes = min(tonnes, cash // price, BLOCK_TONNES - 1)
        is_entered = tonnes > 0 and price >= product.low
        return Order(firm, "buy", product, price, tonnes) if is_entered else None

    def _sell(
        self, day: Day, firm: Firm, tonnes: int, stock: dict[str, int], limit: int | None = None
    ) -> Order | None:
        there = [product for product in day.products if stock.get(product.name, 0)]
        if not there:
            return None
        product = there[day.draws.below(len(there))]
        price = self._price(product, day.draws.within(-10, 30) - self._urgency(day, 20))
        price = price if limit is None else max(price, limit)
        tonnes = min(tonnes, stock.get(product.name, 0), BLOCK_TONNES - 1)
        is_entered = tonnes > 0 and price <= product.high
        return Order(firm, "sell", product, price, tonnes) if is_entered else None

    def _block(self, day: Day, seller: Firm, buyer: Firm, most: int) -> Block | None:
        product = _largest(day, seller.at_venue)
        price = product.centre * (1_000 - day.draws.below(60)) // 1_000
        price = min(max(price, product.block_low), product.block_high)
        tonnes = min(
            most,
            seller.at_venue.get(product.name, 0),
            buyer.lacks,
            buyer.cash // price,
            BLOCK_TONNES_MOST,
        )
        return Block(seller, buyer, product, price, tonnes) if tonnes >= BLOCK_TONNES else None

    def _urgency(self, day: Day, most: int) -> int:
        """Return thousandths that go up to a most as the deadline comes, at first slowly."""
        passed = 1_000 * (day.days - day.days_left) // day.days
        return most * passed * passed // 1_000_000

    def _price(self, product: Product, thousandths: int) -> int:
        price = product.centre * (1_000 + thousandths) // 1_000
        return min(max(price, product.low), product.high)

    def _limit(self, day: Day, firm: Firm, thousandths: int) -> int | None:
        """Return a firm's view of a price, moved by thousandths; None where closes steer."""
        if day.is_steered:
            return None
        if "view" not in firm.memory:
            own = Draws(self.seed, "view", firm.account)
            firm.memory["view"] = own.within(*VIEWS)
        return day.first_price * firm.memory["view"] * (1_000 + thousandths) // 1_000_000

    def _is_negligent(self, firm: Firm) -> bool:
        if "negligent" not in firm.memory:
            own = Draws(self.seed, "negligent", firm.account)
            firm.memory["negligent"] = int(own.one_in(NEGLIGENT_ONE_IN))
        return bool(firm.memory["negligent"])


def _largest(day: Day, stock: dict[str, int]) -> Product:
    """Return the product of which most is there."""
    return max(day.products, key=lambda product: (stock.get(product.name, 0), product.name))
