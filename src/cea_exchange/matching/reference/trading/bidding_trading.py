"""Single-direction bidding of a `ReferenceMarket`: one applicant, many sealed bids, one award.

    announced -> window opens -> bids, taken back while it is open -> award: trades, bidding_closed
        |             |                                            -> halted at its close,
        +-------------+--- the operator, a suspension -------------->  cancelled: bidding_canceled

With `side` SELL the applicant sells to the highest bids; with BUY all is mirrored, one path for
both. A bidding that has ended stays known until the next day opens, for its name is used.
"""

from __future__ import annotations

import numpy as np

from cea_exchange.domain.records import (
    BIDDING_OPENED_DTYPE,
    BiddingState,
    CommandKind,
    EventKind,
    Method,
    Operation,
    Pricing,
    Reason,
    Side,
)
from cea_exchange.matching.award import AwardRules, award
from cea_exchange.matching.award import Bid as RankedBid
from cea_exchange.matching.reference.inputs import Command
from cea_exchange.matching.reference.rows.biddings import Bid, Bidding, Notice
from cea_exchange.matching.reference.rows.funds import Need
from cea_exchange.matching.reference.rows.products import amount_too_large, price_band
from cea_exchange.matching.reference.state import MarketState


class BiddingTrading:
    """What may be done with biddings and bids."""

    def __init__(self, state: MarketState) -> None:
        self._state = state

    def bids_of(self, bidding_id: int) -> list[Bid]:
        """The live bids of a bidding, in order of time."""
        return [bid for bid in self._state.bids.values() if bid.bidding_id == bidding_id]

    def needs(self) -> list[Need]:
        """What each open bidding, and each bid, has locked."""
        live = [bidding for bidding in self._state.biddings.values() if not bidding.has_ended]
        bids = self._state.bids.values()
        return [*map(self._need_of_bidding, live), *map(self._need_of_bid, bids)]

    # -- Refusals ----------------------------------------------------------------------------------

    def refusal(self, command: Command) -> Reason:
        """The first reason against a BID or BID_CANCEL; NONE if it will be carried out."""
        if command.kind == CommandKind.BID:
            return self._bid_refusal(command)
        return self._cancel_refusal(command)

    def _bid_refusal(self, command: Command) -> Reason:
        """What stands against a bid.

        Notes
        -----
        Rules: CEA-BID-03 (window), CEA-BID-05 (terms and locks), CEA-BID-12 (number),
        CEA-ORD-10 (precedence).
        """
        state = self._state
        if not state.operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        bidding = self._state.biddings.get(command.order_id)
        if bidding is None:
            return Reason.BIDDING_UNKNOWN
        refusal = state.sender_refusal(command) or self._session_refusal(bidding.product_index)
        if refusal:
            return refusal
        if bidding.state != BiddingState.OPEN:
            return Reason.BIDDING_NOT_OPEN
        refusal = self._bid_terms_refusal(self._bid_of(command), bidding)
        if not refusal and not self._has_room(command.account_index):
            return Reason.CAPACITY
        return refusal

    def _has_room(self, account_index: int) -> bool:
        """Whether the market, and an account, may have one more bid.

        Notes
        -----
        Rules: CEA-BID-12.
        """
        if len(self._state.bids) >= self._state.order_count_max:
            return False
        most = self._state.rules.bids_open_max
        return not most or most > sum(
            bid.account_index == account_index for bid in self._state.bids.values()
        )

    def _bid_terms_refusal(self, bid: Bid, bidding: Bidding) -> Reason:
        state = self._state
        if bid.tonnes <= 0:
            return Reason.TONNES_NOT_POSITIVE
        if amount_too_large(bid.price, bidding.price_most(bid) * bid.tonnes):
            return Reason.AMOUNT_TOO_LARGE
        if bid.tonnes < state.rules.bid_tonnes_min:
            return Reason.BIDDING_TONNES_TOO_SMALL
        if not self.price_in_range(bid, bidding):
            return Reason.BID_OUT_OF_RANGE
        refusal = self._cover_refusal(self._need_of_bid(bid))
        if not refusal and bid.account_index == bidding.account_index:
            return Reason.SELF_TRADE
        return refusal

    def price_in_range(self, bid: Bid, bidding: Bidding) -> bool:
        """Whether a bid's price lies in its bidding's range, or it needs none.

        Notes
        -----
        Rules: CEA-BID-05, CEA-AWD-08.
        """
        if bid.price == 0:
            return self._state.rules.noncompetitive_max_bp > 0
        return bidding.floor <= bid.price <= bidding.ceiling

    def _cancel_refusal(self, command: Command) -> Reason:
        """What stands against taking a bid back.

        Notes
        -----
        Rules: CEA-BID-05, CEA-BID-08 (halts).
        """
        state = self._state
        if not state.operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        bid = self._own_bid(command)
        if bid is None:
            return Reason.ORDER_UNKNOWN
        product_index = self._state.biddings[bid.bidding_id].product_index
        return state.sender_refusal(command) or self._session_refusal(product_index)

    def _notice_refusal(self, notice: Notice, bidding: Bidding | None) -> Reason:
        """What stands against a bidding; `bidding` is what it would be, if its product is known.

        Notes
        -----
        Rules: CEA-BID-01 (size), CEA-BID-02 (limit), CEA-BID-03 (window), CEA-BID-04 (locks),
        CEA-ORD-10 (precedence).
        """
        state = self._state
        if bidding is None or not state.is_listed(notice.product_index):
            return Reason.PRODUCT_UNKNOWN
        if notice.account_index >= len(state.accounts):
            return Reason.ACCOUNT_UNKNOWN
        if any(notice.bidding_key == other.bidding_key for other in self._state.biddings.values()):
            return Reason.ORDER_ID_DUPLICATE
        if state.accounts[notice.account_index].suspended:
            return Reason.ACCOUNT_SUSPENDED
        refusal = self._session_refusal(notice.product_index)
        if refusal:
            return refusal
        if notice.window == BiddingState.ENDED:
            return Reason.BIDDING_NOT_OPEN
        if notice.tonnes <= 0:
            return Reason.TONNES_NOT_POSITIVE
        if amount_too_large(notice.limit, bidding.ceiling * notice.tonnes):
            return Reason.AMOUNT_TOO_LARGE
        if notice.tonnes < state.rules.bidding_tonnes_min:
            return Reason.BIDDING_TONNES_TOO_SMALL
        if not self._limit_allowed(notice) or not self.reserve_allowed(bidding):
            return Reason.BIDDING_FLOOR_NOT_ALLOWED
        refusal = self._cover_refusal(self._need_of_bidding(bidding))
        if not refusal and len(self._state.biddings) >= state.order_count_max:
            return Reason.CAPACITY
        return refusal

    def _end_refusal(self, bidding_id: int, *, must_be_open: bool) -> Reason:
        """What stands against ending a bidding."""
        bidding = self._state.biddings.get(bidding_id)
        if bidding is None:
            return Reason.BIDDING_UNKNOWN
        if not self._state.day_is_open:
            return Reason.PHASE_CLOSED
        if bidding.has_ended or (must_be_open and bidding.state != BiddingState.OPEN):
            return Reason.BIDDING_NOT_OPEN
        return Reason.NONE

    def _session_refusal(self, product_index: int) -> Reason:
        """No phase is needed, but an open day; a halt stops all.

        Notes
        -----
        Rules: CEA-BID-03, CEA-BID-08.
        """
        state = self._state
        is_open = state.day_is_open and state.rules.bidding_allowed
        return state.session_refusal(is_open, product_index)

    def _limit_allowed(self, notice: Notice) -> bool:
        """Whether the applicant's limit is the previous close, or the far end of the range.

        Notes
        -----
        Rules: CEA-BID-02.
        """
        product = self._state.products[notice.product_index]
        width = self._state.rules.bidding_band_bp
        low, high = price_band(self._state.rules, product, width)
        if width == 0:
            return low <= notice.limit <= high
        far_end = low if notice.side == Side.SELL else high
        return notice.limit in (product.reference_price, far_end)

    @staticmethod
    def reserve_allowed(bidding: Bidding) -> bool:
        """Whether the reserve price, if there is one, lies within the range.

        Notes
        -----
        Rules: CEA-AWD-06.
        """
        reserve = bidding.reserve_price
        return reserve == 0 or bidding.floor <= reserve <= bidding.ceiling

    def _cover_refusal(self, need: Need) -> Reason:
        where = need.account_index, need.product_index
        bid = self._state.tonnes_bid(*where)
        stands = self._state.stands_against(*where, need.side)
        elsewhere = self._state.held_elsewhere(*where)
        return self._state.funds.cover_refusal(need, 0, bid, stands, elsewhere)

    # -- Bids --------------------------------------------------------------------------------------

    def carry_out(self, command: Command) -> None:
        """Do what a command that is not refused asks for."""
        if command.kind == CommandKind.BID:
            bid = self._bid_of(command)
            bid.bid_id = self._state.order_id_give()
            self.bid_put_on(bid)
            self._emit_of_bid(EventKind.BID_ACCEPTED, bid, tonnes_open=bid.tonnes)
            return
        self._bid_end(
            self._state.bids[command.order_id],
            Reason.REQUESTED,
            client_order_id=command.client_order_id,
            operator_index=command.operator_index,
        )

    def refuse(self, command: Command, reason: Reason) -> None:
        """Say why a command changes nothing."""
        bid = self._own_bid(command) if command.kind == CommandKind.BID_CANCEL else None
        bidding = self._state.biddings.get(bid.bidding_id if bid else command.order_id)
        if command.kind == CommandKind.BID_CANCEL and bid is None:
            bidding = None
        product_index = bidding.product_index if bidding else command.product_index
        self._state.command_refuse(
            command, reason, product_index=product_index, order_id=command.order_id
        )

    def _bid_end(self, bid: Bid, reason: Reason, **answered: int) -> None:
        """Take a bid out; `answered` names the command that did it, if any did."""
        self._bid_release(bid)
        by_nobody = {"client_order_id": 0, "reason": reason}
        self._emit_of_bid(EventKind.BID_CANCELED, bid, **(by_nobody | answered))

    def _bid_release(self, bid: Bid) -> None:
        self._state.funds.release(self._need_of_bid(bid))
        del self._state.bids[bid.bid_id]

    # -- Biddings ----------------------------------------------------------------------------------

    def announce(self, notice: Notice) -> None:
        """Announce a bidding, or say why not.

        Notes
        -----
        Rules: CEA-BID-04.
        """
        state = self._state
        is_known = notice.product_index < len(state.products)
        bidding = self._bidding_of(notice) if is_known else None
        refusal = self._notice_refusal(notice, bidding)
        if refusal or bidding is None:
            state.refuse(
                Operation.BIDDING_OPEN,
                refusal,
                account_index=notice.account_index,
                product_index=notice.product_index,
                side=notice.side,
                price=notice.limit,
                tonnes=notice.tonnes,
            )
            return
        bidding.bidding_id = state.order_id_give()
        self.put_on(bidding)
        row = self._emit_of_bidding(EventKind.BIDDING_OPENED, bidding, method=Method.BIDDING)
        terms = row.view(BIDDING_OPENED_DTYPE)
        for name in "bidding_key pricing floor tonnes ceiling opens_at closes_at".split():
            terms[name] = getattr(bidding, name)

    def window_open(self, bidding_id: int) -> None:
        """Take bids from now on, in one that is announced."""
        bidding = self._state.biddings.get(bidding_id)
        if bidding and bidding.state == BiddingState.ANNOUNCED:
            bidding.state = BiddingState.OPEN

    def close(self, bidding_id: int) -> None:
        """Award an open bidding, or say why not."""
        refusal = self._end_refusal(bidding_id, must_be_open=True)
        if refusal:
            self._end_refuse(Operation.BIDDING_CLOSE, bidding_id, refusal)
        else:
            self._finish(self._state.biddings[bidding_id])

    def cancel(self, bidding_id: int) -> None:
        """End a bidding without an award, or say why not."""
        refusal = self._end_refusal(bidding_id, must_be_open=False)
        if refusal:
            self._end_refuse(Operation.BIDDING_CANCEL, bidding_id, refusal)
        else:
            self._cancel(self._state.biddings[bidding_id], Reason.REQUESTED)

    def finish_all(self) -> None:
        """Award what the day's close finds, oldest first.

        Notes
        -----
        Rules: CEA-BID-03.
        """
        for bidding in self._state.biddings.values():
            if not bidding.has_ended:
                self._finish(bidding)

    def end_all_of(self, account_index: int) -> None:
        """End a suspended account's bids, then its own biddings with the others' bids.

        Notes
        -----
        Rules: CEA-BID-08, CEA-DAY-06.
        """
        for bid in list(self._state.bids.values()):
            if bid.account_index == account_index:
                self._bid_end(bid, Reason.SUSPENDED)
        for bidding in self._state.biddings.values():
            if bidding.account_index == account_index and not bidding.has_ended:
                self._cancel(bidding, Reason.SUSPENDED)

    def end_all_in(self, product_index: int) -> None:
        """End the biddings in a product that is delisted, with their bids, oldest first.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        for bidding in self._state.biddings.values():
            if bidding.product_index == product_index and not bidding.has_ended:
                self._cancel(bidding, Reason.PRODUCT_DELISTED)

    def _end_refuse(self, operation: Operation, bidding_id: int, reason: Reason) -> None:
        bidding = self._state.biddings.get(bidding_id)
        found = {"product_index": bidding.product_index} if bidding else {}
        self._state.refuse(operation, reason, order_id=bidding_id, **found)

    def _finish(self, bidding: Bidding) -> None:
        """Award a bidding; one that is halted is cancelled, and one the award itself cancels.

        Notes
        -----
        Rules: CEA-BID-06 (award), CEA-BID-08 (halts), CEA-AWD-04, CEA-AWD-06.
        """
        state = self._state
        if state.market_halted or state.products[bidding.product_index].halted:
            self._cancel(bidding, Reason.HALTED)
            return
        bids = self.bids_of(bidding.bidding_id)
        rules = self._award_rules(bidding)
        ranked = [self._ranked(bid) for bid in bids]
        awarded = award(ranked, bidding.tonnes, rules)
        if awarded.cancelled_reason:
            self._cancel(bidding, Reason[awarded.cancelled_reason])
            return
        for bid in bids:
            self._bid_release(bid)
        self._state.funds.release(self._need_of_bidding(bidding))
        bidding.clearing_price = awarded.clearing_price or 0
        bidding.tonnes_awarded = awarded.tonnes
        traded = 0
        # Those without a price, then the best, at one price the earliest: sorting keeps the order
        # of time.
        worse = -1 if bidding.side == Side.SELL else 1
        for bid, tonnes in sorted(
            zip(bids, awarded.fills, strict=True),
            key=lambda fill: (fill[0].price > 0, worse * fill[0].price),
        ):
            if tonnes:
                price = rules.paid(self._ranked(bid), bidding.clearing_price)
                self._trade(bidding, bid, price, tonnes, traded)
                traded += price * tonnes
        bidding.state = BiddingState.ENDED
        self._emit_of_bidding(
            EventKind.BIDDING_CLOSED,
            bidding,
            price=bidding.clearing_price,
            tonnes=bidding.tonnes_awarded,
            tonnes_open=bidding.tonnes - bidding.tonnes_awarded,
            cash=traded,
            counter_order_id=len({bid.account_index for bid in bids}),
        )

    def _ranked(self, bid: Bid) -> RankedBid:
        """A bid as the award takes it."""
        group_index = self._state.accounts[bid.account_index].group_index
        return RankedBid(bid.price, bid.tonnes, bid.account_index, group_index, bid.price > 0)

    def _award_rules(self, bidding: Bidding) -> AwardRules:
        """What a bidding is awarded by.

        Notes
        -----
        Rules: CEA-BID-06 (the lots' seed is the key of the bidding's name).
        """
        settings = self._state.rules
        return AwardRules(
            side=Side(bidding.side).name.lower(),
            pricing=Pricing(bidding.pricing).name.lower(),
            tie=settings.bidding_tie,
            tie_seed=bidding.bidding_key,
            undersubscription=settings.bidding_undersubscription,
            reserve_price_fen=bidding.reserve_price,
            reserve_rule=settings.bidding_reserve,
            bidder_cap_bp=settings.bidder_cap_bp,
            group_cap_bp=settings.bidder_group_cap_bp,
            noncompetitive_max_bp=settings.noncompetitive_max_bp,
        )

    def _cancel(self, bidding: Bidding, reason: Reason) -> None:
        """End a bidding and its bids; what was locked returns.

        Notes
        -----
        Rules: CEA-BID-08.
        """
        for bid in self.bids_of(bidding.bidding_id):
            self._bid_end(bid, reason)
        self._state.funds.release(self._need_of_bidding(bidding))
        bidding.state = BiddingState.ENDED
        self._emit_of_bidding(
            EventKind.BIDDING_CANCELED, bidding, tonnes=bidding.tonnes, reason=reason
        )

    def _trade(self, bidding: Bidding, bid: Bid, price: int, tonnes: int, traded: int) -> None:
        """One winner's trade; `traded` is what the bidding has brought before, in fen.

        Notes
        -----
        Rules: CEA-BID-07 (fees), CEA-BID-09 (statistics), CEA-FEE-01.
        """
        state, where = self._state, bidding.product_index
        if bidding.side == Side.SELL:
            parties, before = (bid.account_index, bidding.account_index), (0, traded)
        else:
            parties, before = (bidding.account_index, bid.account_index), (traded, 0)
        buy_fee, sell_fee = state.funds.deliver(
            parties, where, price, tonnes, Method.BIDDING, before
        )
        state.products[where].bidding_count(price * tonnes, tonnes)
        state.trade_id += 1
        self._emit_of_bid(
            EventKind.TRADE,
            bid,
            method=Method.BIDDING,
            counter_account_index=bidding.account_index,
            price=price,
            tonnes=tonnes,
            trade_id=state.trade_id,
            cash=price * tonnes,
            buy_fee=buy_fee,
            sell_fee=sell_fee,
        )

    # -- Locks and events --------------------------------------------------------------------------

    def put_on(self, bidding: Bidding) -> None:
        """Let a bidding be known, and lock what it needs unless it has ended."""
        self._state.biddings[bidding.bidding_id] = bidding
        if not bidding.has_ended:
            self._state.funds.hold(self._need_of_bidding(bidding))

    def bid_put_on(self, bid: Bid) -> None:
        """Let a bid be live, and lock what it needs."""
        self._state.bids[bid.bid_id] = bid
        self._state.funds.hold(self._need_of_bid(bid))

    def _need_of_bid(self, bid: Bid) -> Need:
        """What a bid must have behind it, and locks.

        Notes
        -----
        Rules: CEA-BID-05.
        """
        bidding = self._state.biddings[bid.bidding_id]
        where = bid.account_index, bidding.product_index
        return self._need(where, bidding.bid_side, bidding.price_most(bid), bid.tonnes)

    def _need_of_bidding(self, bidding: Bidding) -> Need:
        """What an applicant must have, and locks: as a buyer, all of it at the ceiling.

        Notes
        -----
        Rules: CEA-BID-04.
        """
        where = bidding.account_index, bidding.product_index
        return self._need(where, Side(bidding.side), bidding.ceiling, bidding.tonnes)

    def _need(self, where: tuple[int, int], side: Side, price: int, tonnes: int) -> Need:
        lock = tonnes
        if side == Side.BUY:
            lock = price * tonnes + self._state.funds.buy_fee(price * tonnes, Method.BIDDING)
        return Need(*where, side, tonnes, lock if self._state.rules.holdings_checked else 0)

    def _emit_of_bid(self, kind: EventKind, bid: Bid, **fields: int) -> None:
        """Emit an event about a bid; `fields` add to, or replace, what the bid says."""
        bidding = self._state.biddings[bid.bidding_id]
        of_bid = {
            "side": bidding.bid_side,
            "product_index": bidding.product_index,
            "account_index": bid.account_index,
            "operator_index": bid.operator_index,
            "order_id": bid.bid_id,
            "counter_order_id": bid.bidding_id,
            "price": bid.price,
            "tonnes": bid.tonnes,
            "client_order_id": bid.client_order_id,
        }
        self._state.emit(kind, **(of_bid | fields))

    def _emit_of_bidding(self, kind: EventKind, bidding: Bidding, **fields: int) -> np.ndarray:
        return self._state.emit(
            kind,
            side=bidding.side,
            product_index=bidding.product_index,
            account_index=bidding.account_index,
            order_id=bidding.bidding_id,
            **fields,
        )

    @staticmethod
    def _bid_of(command: Command) -> Bid:
        """The bid that a command asks for; it has no id yet."""
        return Bid(
            bid_id=0,
            bidding_id=command.order_id,
            client_order_id=command.client_order_id,
            price=command.price,
            tonnes=command.tonnes,
            account_index=command.account_index,
            operator_index=command.operator_index,
        )

    def _own_bid(self, command: Command) -> Bid | None:
        """The bid that a BID_CANCEL names, if it is the account's."""
        bid = self._state.bids.get(command.order_id)
        return bid if bid and bid.account_index == command.account_index else None

    def _bidding_of(self, notice: Notice) -> Bidding:
        """The bidding that would be announced; it has no id yet. Its range is that of now."""
        state = self._state
        product = state.products[notice.product_index]
        floor, ceiling = price_band(state.rules, product, state.rules.bidding_band_bp)
        is_sale = notice.side == Side.SELL
        return Bidding(
            bidding_id=0,
            bidding_key=notice.bidding_key,
            opens_at=notice.opens_at,
            closes_at=notice.closes_at,
            tonnes=notice.tonnes,
            floor=notice.limit if is_sale else floor,
            ceiling=ceiling if is_sale else notice.limit,
            tonnes_awarded=0,
            clearing_price=0,
            account_index=notice.account_index,
            product_index=notice.product_index,
            side=notice.side,
            pricing=notice.pricing,
            state=notice.window,
            reserve_price=notice.reserve_price,
        )
