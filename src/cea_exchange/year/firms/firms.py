"""How firms behave. Nothing else decides it: replace this class by one of your own.

    cea-exchange year 2024 --firms my_firms:MyFirms

The rules:

1. A firm that will lack allowances buys, one that has more than it can bank sells, and one that
   needs neither quotes small lots, one day to buy, the next to sell. Before allowances are given
   nobody knows, and all quote.
2. A day's orders ask together for that part of what is wanted that the day has of all that is still
   to be traded, by the months of the published volume (`shape.toml`), so nobody hurries before the
   market does; on the last days for all of it. The nearer the deadline, the further a price goes to
   meet the other side. Each has a view of its own what an allowance is
   worth, within a fifth of the year's first price: nobody sells below it or buys above it, but that
   the deadline makes buyers pay up to half as much again, and sellers take a fifth less.
3. What can be banked is kept: of what it has beyond its duty a firm sells two parts of five, for
   then one and a half times its sales cover the other three (the carryover of 2024).
4. Who lacks a fair part of a block's tonnes buys a block, and banks the rest; who has a block's
   tonnes beyond its duty sells at least one, and to firms of its own group all of it. They wait for
   it until the last week; on which day, the months decide.
5. Each tenth day of the last eighty, eight times a year as in 2025, who has most beyond its duty
   offers what it sells of it, or as much as a bidding needs, by single-direction bidding; its least
   price is the lowest that it may ask for, and who lacks allowances bids what it thinks they are
   worth.
6. A firm surrenders as soon as it has everything, on a day of its own before the deadline; on the
   last day whoever has something gives what it has.
7. One firm in four that lacks allowances offsets as much by CCERs as the rules allow.
8. One firm of some thousand neglects it: it buys nothing, and surrenders only what it has.

A class of firms is made with the seed of the year, once, and keeps what it remembers of a firm in
`Firm.memory`: so that a year that was stopped goes on as if it had not been. What of its rules a
year may have otherwise are the fields of its `behaviour`.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from cea_exchange.domain.ruled import BasisPoints
from cea_exchange.year.firms.draws import Draws
from cea_exchange.year.firms.firm import Bid, Block, Day, Firm, Offer, Order, Product

BLOCK_TONNES_MOST = 1_000_000
BLOCK_LACKED = 4
"""Who lacks one part of so many of a block's least tonnes buys one."""
BLOCK_DAYS_LEFT = 6
"""Until so many days are left, who can trade a block enters no listed order."""
BANKED_BASE = 10_000
"""Tonnes that anybody may bank."""
QUOTED_TONNES = 200
"""Most of an order of who needs neither to buy nor to sell."""
BIDDING_DAYS, BIDDING_EACH = 80, 10
"""Trading days before the deadline on which there are biddings, and how many lie between two."""
BIDDING_PART = 4
"""A firm bids for one part of so many of what it lacks."""
BIDDERS_MAX = 500
PATIENCE_DAYS = 45
"""Before the deadline: the earliest day on which a firm surrenders."""
ATTEMPTS = 5
"""Firms that are asked for an order, for each that is to be entered: not everybody enters one."""
WHOLE_PPM = 1_000_000
WHOLE_BP = 10_000
LAST_DAYS = 3
"""On which nobody waits any more."""
VIEWS = (800, 1_200)
"""Thousandths of the year's first price: the lowest and the highest view of an allowance."""
OneIn = Annotated[int, Meta(ge=1, le=1_000_000)]


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be another in a year; the defaults are the rules above.

    Attributes
    ----------
    sold_bp
        Of what it has beyond what anybody may bank, a firm sells so much (rule 3).
    auction_share_bp
        Of that, so much is offered by bidding, where it is that firm's turn; 0: no bidding is held
        (rule 5).
    offset_one_in
        One firm of so many that lack allowances offsets (rule 7).
    negligent_one_in
        One firm of so many neglects what it owes (rule 8).
    """

    sold_bp: BasisPoints = 4_000
    auction_share_bp: BasisPoints = 10_000
    offset_one_in: OneIn = 4
    negligent_one_in: OneIn = 1_500


class Firms:
    """The firms of a nation.

    Parameters
    ----------
    seed
        Of the year.
    """

    behaviour = Behaviour()

    def __init__(self, seed: int) -> None:
        self.seed = seed

    # -- what is brought to the venue -------------------------------------------------------------

    def cash_wanted(self, day: Day, firm: Firm) -> int:
        """Return fen that a firm wants to have at the venue on a day."""
        needed = QUOTED_TONNES * 5
        if firm.lacks > 0:
            needed = max(firm.lacks, self._block_bought(day, firm)) * 12 // 10
        return 0 if self._is_negligent(firm) else needed * day.products[-1].centre

    # -- trading ----------------------------------------------------------------------------------

    def listed(self, day: Day, firms: Sequence[Firm]) -> Iterator[Order]:
        """Yield the day's listed orders as they come; each must be paid for by what a firm has."""
        # What is free is what a firm has less what its orders of the day ask for.
        cash = {firm.index: firm.cash for firm in firms}
        stocks = {firm.index: dict(firm.at_venue) for firm in firms}
        entered, each = 0, max(1, day.orders // len(firms))
        for _ in range(ATTEMPTS * day.orders):
            if entered == day.orders:
                return
            firm = firms[day.draws.below(len(firms))]
            order = self._order(day, firm, each, cash[firm.index], stocks[firm.index])
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
        sellers = [firm for firm in firms if -firm.lacks >= self._block_tonnes(day)]
        buyers = [
            firm
            for firm in firms
            if self._block_bought(day, firm) and not self._is_negligent(firm)
        ]
        made: list[Block] = []
        for seller in sellers:
            if day.draws.below(WHOLE_PPM) >= day.part_ppm:
                continue
            known = [firm for firm in buyers if firm.group and firm.group == seller.group]
            tonnes = -seller.lacks
            if not known:
                known, tonnes = buyers, max(self.may_sell(seller), self._block_tonnes(day))
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
        is_day = day.days_left < BIDDING_DAYS and day.days_left % BIDDING_EACH == BIDDING_EACH // 2
        share_bp = self.behaviour.auction_share_bp
        if not (is_day and day.is_owed and share_bp):
            return None
        seller = max(firms, key=lambda firm: (-firm.lacks, -firm.index))
        product = _largest(day, seller.at_venue)
        least = max(1, day.bidding_tonnes)
        beyond = min(-seller.lacks, seller.at_venue.get(product.name, 0))
        if beyond < least:
            return None
        bids = [
            self._bid(day, firm, product)
            for firm in firms
            if firm.lacks >= 1_000 and not self._is_negligent(firm)
        ]
        payable = [bid for bid in bids if 0 < bid.price * bid.tonnes <= bid.firm.cash]
        if not payable:
            return None
        tonnes = min(beyond, max(least, self.may_sell(seller) * share_bp // WHOLE_BP))
        return Offer(seller, product, product.bidding_low, tonnes, payable[:BIDDERS_MAX])

    def may_sell(self, firm: Firm) -> int:
        """Return the tonnes that a firm sells in the end: a part of what it can't bank."""
        return max(0, (-firm.lacks - BANKED_BASE) * self.behaviour.sold_bp // WHOLE_BP)

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
        is_offsetting = own.one_in(self.behaviour.offset_one_in) and not self._is_negligent(firm)
        return max(0, firm.lacks) if is_offsetting else 0

    # -- in detail --------------------------------------------------------------------------------

    def _bid(self, day: Day, firm: Firm, product: Product) -> Bid:
        """Return what a firm bids; nothing where that is less than may be bid."""
        worth = self._limit(day, firm, self._urgency(day, 500))
        price = min(self._price(product, day.draws.within(-60, 20)), worth or product.high)
        price = min(price, product.bidding_high)
        return Bid(firm, price if price >= product.bidding_low else 0, firm.lacks // BIDDING_PART)

    def _block_tonnes(self, day: Day) -> int:
        return max(1, day.block_tonnes)

    def _block_bought(self, day: Day, firm: Firm) -> int:
        """Return the tonnes that a firm would buy as a block; 0 where it lacks too little."""
        least = self._block_tonnes(day)
        return max(least, firm.lacks) if firm.lacks * BLOCK_LACKED >= least else 0

    def _order(
        self, day: Day, firm: Firm, each: int, cash: int, stock: dict[str, int]
    ) -> Order | None:
        """Return an order of a firm, one of so many that each enters on the day."""
        lacks, may_sell = firm.lacks, self.may_sell(firm)
        if day.is_owed and day.days_left >= BLOCK_DAYS_LEFT:
            has_block = -lacks >= self._block_tonnes(day)
            if has_block or self._block_bought(day, firm):
                return None
        if lacks > 0 and day.is_owed:
            if self._is_negligent(firm):
                return None
            limit = self._limit(day, firm, self._urgency(day, 500))
            return self._buy(day, firm, self._part(day, lacks, each), cash, limit)
        if may_sell > 0 and day.is_owed:
            limit = self._limit(day, firm, -self._urgency(day, 200))
            return self._sell(day, firm, self._part(day, may_sell, each), stock, limit)
        tonnes = day.draws.within(1, QUOTED_TONNES // 10) * 10
        if (day.date + firm.index) % 2:
            return self._buy(day, firm, tonnes, cash)
        return self._sell(day, firm, tonnes, stock)

    def _part(self, day: Day, tonnes: int, each: int) -> int:
        """Return what an order asks for of all that is wanted: half of it on the last days.

        What is bought on the very last one comes too late: it leaves the venue the day after.
        """
        part = 2 * day.part_ppm * day.draws.within(1, 4) // (5 * each)
        if day.days_left <= LAST_DAYS:
            part = WHOLE_PPM * day.draws.within(1, 4) // 8
        return max(min(tonnes, 10), min(tonnes, tonnes * part // WHOLE_PPM))

    def _buy(
        self, day: Day, firm: Firm, tonnes: int, cash: int, limit: int | None = None
    ) -> Order | None:
        # Before the year's own allowances are given there are only older ones.
        known = day.products if day.is_owed else day.products[:1]
        product = known[day.draws.below(len(known))]
        price = self._price(product, day.draws.within(-30, 10) + self._urgency(day, 20))
        price = price if limit is None else min(price, limit)
        tonnes = min(tonnes, cash // price, day.listed_tonnes or tonnes)
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
        tonnes = min(tonnes, stock.get(product.name, 0), day.listed_tonnes or tonnes)
        is_entered = tonnes > 0 and price <= product.high
        return Order(firm, "sell", product, price, tonnes) if is_entered else None

    def _block(self, day: Day, seller: Firm, buyer: Firm, most: int) -> Block | None:
        product = _largest(day, seller.at_venue)
        price = product.centre * (1_000 - day.draws.below(60)) // 1_000
        price = min(max(price, product.block_low), product.block_high)
        tonnes = min(
            most,
            seller.at_venue.get(product.name, 0),
            self._block_bought(day, buyer),
            buyer.cash // price,
            BLOCK_TONNES_MOST,
        )
        is_block = tonnes >= self._block_tonnes(day)
        return Block(seller, buyer, product, price, tonnes) if is_block else None

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
            firm.memory["negligent"] = int(own.one_in(self.behaviour.negligent_one_in))
        return bool(firm.memory["negligent"])


def _largest(day: Day, stock: dict[str, int]) -> Product:
    """Return the product of which most is there."""
    return max(day.products, key=lambda product: (stock.get(product.name, 0), product.name))
