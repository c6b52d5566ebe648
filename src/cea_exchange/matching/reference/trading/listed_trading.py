"""Listed trading of a `ReferenceMarket`: orders come in, meet others, rest, and leave the books.

    order -> refusal? -> its walk through the other side -> refusal? -> Decision -> trades -> rests

An amend keeps an order's place only where it takes tonnes away at the same price.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass, field

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    OPERATOR_ANY,
    CommandKind,
    EventKind,
    Method,
    OrderFlag,
    Phase,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.reference.inputs import Command
from cea_exchange.matching.reference.rows.book import (
    Meeting,
    Order,
    Walk,
    opposite,
    price_crosses,
)
from cea_exchange.matching.reference.rows.products import LastTrade, amount_too_large, price_band
from cea_exchange.matching.reference.state import LISTED_PHASES, MarketState


@dataclass(slots=True)
class Decision:
    """What a well-formed command leads to, worked out before anything changes."""

    refusal: Reason = Reason.NONE
    walk: Walk = field(default_factory=Walk)
    cancel_reason: Reason = Reason.NONE
    """why what is left does not rest"""
    keeps_place: bool = False
    """an amend that stays where it is"""
    is_block_trade: bool = False
    """an acceptance that trades at once"""

    def row_count(self, kind: int, trades_only: bool, tells_large: bool) -> int:
        """How many events it gives at most; `tells_large`: each trade may make a large holder."""
        if kind > CommandKind.AMEND:
            if trades_only or not self.is_block_trade:
                return int(self.is_block_trade or not trades_only)
            return 1 + tells_large
        if trades_only:
            return self.walk.trade_count
        if self.refusal or kind == CommandKind.CANCEL or self.keeps_place:
            return 1
        notices = self.walk.trade_count if tells_large else 0
        return 1 + len(self.walk.meetings) + (self.walk.tonnes_left > 0) + notices


class ListedTrading:
    """What may be done with listed orders."""

    def __init__(self, state: MarketState) -> None:
        self._state = state

    # -- Deciding ----------------------------------------------------------------------------------

    def decision(self, command: Command) -> Decision:
        """What an ENTER, a CANCEL or an AMEND leads to."""
        if command.kind == CommandKind.ENTER:
            refusal = self._enter_refusal(command)
            return Decision(refusal) if refusal else self._enter_decision(command)
        refusal = self._cancel_refusal(command)
        if command.kind == CommandKind.AMEND:
            refusal = refusal or self._amend_refusal(command)
            return Decision(refusal) if refusal else self._amend_decision(command)
        return Decision(refusal)

    def _enter_refusal(self, command: Command) -> Reason:
        """The first reason against an ENTER that does not depend on the other side's orders.

        Notes
        -----
        Rules: CEA-ORD-06 (phases), CEA-ORD-08 (ids), CEA-ORD-10 (precedence), CEA-DAY-05 (halts).
        """
        state = self._state
        if not state.is_listed(command.product_index):
            return Reason.PRODUCT_UNKNOWN
        if not state.operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        return (
            state.sender_refusal(command)
            or self._session_refusal(command.product_index)
            or self._terms_refusal(self._order_of(command), replaced=None)
        )

    def _cancel_refusal(self, command: Command) -> Reason:
        """The first reason against a CANCEL; an AMEND shares them all.

        Notes
        -----
        Rules: CEA-ORD-06, CEA-ORD-08.
        """
        state = self._state
        if not state.operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        order = self._state.orders.get(command.order_id)
        if order is None or order.account_index != command.account_index:
            return Reason.ORDER_UNKNOWN
        refusal = state.sender_refusal(command)
        if not refusal and state.phase == Phase.CLOSED:
            return Reason.PHASE_CLOSED
        return refusal

    def _amend_refusal(self, command: Command) -> Reason:
        """What stands against an AMEND beyond what would stand against a CANCEL."""
        order = self._state.orders[command.order_id]
        return self._session_refusal(order.product_index) or self._terms_refusal(
            _amended(order, command), replaced=order
        )

    def _session_refusal(self, product_index: int) -> Reason:
        return self._state.session_refusal(self._state.phase in LISTED_PHASES, product_index)

    def _terms_refusal(self, wanted: Order, replaced: Order | None) -> Reason:
        """The first reason against an order's size, price and cover.

        Parameters
        ----------
        wanted : Order
            The order with the terms asked for.
        replaced : Order or None
            The same order as it is on the book, if it is an amend: its own lock counts as free.

        Notes
        -----
        Rules: CEA-ORD-02 (tonnes), CEA-ORD-04 (amounts), CEA-LST-01 (size), CEA-LST-02 (band).
        """
        state, rules = self._state, self._state.rules
        if wanted.tonnes_open <= 0:
            return Reason.TONNES_NOT_POSITIVE
        amount = wanted.price * wanted.tonnes_open + wanted.amount_traded
        if amount_too_large(wanted.price, amount):
            return Reason.AMOUNT_TOO_LARGE
        if 0 < rules.listed_tonnes_most < wanted.tonnes_open:
            return Reason.LISTED_TONNES_TOO_LARGE
        product = state.products[wanted.product_index]
        band_low, band_high = price_band(rules, product, rules.listed_band_bp)
        if not band_low <= wanted.price <= band_high:
            return Reason.PRICE_OUT_OF_BAND
        freed = state.funds.lock_of(replaced) if replaced else 0
        where = wanted.account_index, wanted.product_index
        bid = state.tonnes_bid(*where, without=replaced)
        stands = state.stands_against(*where, wanted.side)
        need, elsewhere = state.funds.need_of(wanted), state.held_elsewhere(*where)
        return state.funds.cover_refusal(need, freed, bid, stands, elsewhere)

    def _enter_decision(self, command: Command) -> Decision:
        """What an ENTER with good terms meets, and what becomes of the rest.

        Notes
        -----
        Rules: CEA-LST-05 (five levels), CEA-LST-06 (the taker's choice), CEA-LST-07 (self-trade),
        CEA-LST-10 (self-trade prevented), CEA-ORD-05, CEA-ORD-12 and CEA-ORD-13 (capacity),
        CEA-ORD-09 (ioc, fok, post_only).
        """
        taker = self._order_of(command)
        if command.pick_order_id:
            if not self._pick_available(taker, command.pick_order_id):
                return Decision(Reason.PICK_NOT_AVAILABLE)
            maker = self._state.orders[command.pick_order_id]
            tonnes = min(taker.tonnes_open, maker.tonnes_open)
            walk = Walk([Meeting(maker, tonnes)], taker.tonnes_open - tonnes)
            cancel_reason = Reason.PICK_REMAINDER
        else:
            walk = self._walk(taker)
            cancel_reason = walk.end or (Reason.IOC if command.tif == Tif.IOC else Reason.NONE)
        if walk.end == Reason.SELF_TRADE:
            return Decision(Reason.SELF_TRADE)
        if walk.meets_any and command.flags & OrderFlag.POST_ONLY:
            return Decision(Reason.POST_ONLY_WOULD_TRADE)
        if walk.tonnes_left and command.tif == Tif.FOK:
            return Decision(Reason.FOK_NOT_FILLABLE)
        if walk.tonnes_left and not cancel_reason:
            has_room = self._room_after(walk, leaving=0)
            if not (has_room and self._account_has_room(command.account_index)):
                return Decision(Reason.CAPACITY)
        return Decision(walk=walk, cancel_reason=cancel_reason)

    def _amend_decision(self, command: Command) -> Decision:
        """What an AMEND with good terms meets, and what becomes of the rest.

        Notes
        -----
        Rules: CEA-ORD-07.
        """
        order = self._state.orders[command.order_id]
        if command.price == order.price and command.tonnes < order.tonnes_open:
            return Decision(keeps_place=True)
        walk = self._walk(_amended(order, command))
        if walk.end == Reason.SELF_TRADE:
            return Decision(Reason.SELF_TRADE)
        if walk.meets_any and order.flags & OrderFlag.POST_ONLY:
            return Decision(Reason.POST_ONLY_WOULD_TRADE)
        if walk.tonnes_left and not walk.end and not self._room_after(walk, leaving=1):
            return Decision(Reason.CAPACITY)
        return Decision(walk=walk, cancel_reason=walk.end)

    def _walk(self, taker: Order) -> Walk:
        rules, book = self._state.rules, self._state.books[taker.product_index]
        return book.walk(taker, rules.levels_max, rules.self_trade)

    def _pick_available(self, taker: Order, pick_order_id: int) -> bool:
        maker = self._state.orders.get(pick_order_id)
        return (
            self._state.rules.pick_allowed
            and maker is not None
            and maker.product_index == taker.product_index
            and maker.side == opposite(taker.side)
            and maker.price == self._state.books[taker.product_index].best(maker.side)
            and price_crosses(taker.side, taker.price, maker.price)
            and maker.account_index != taker.account_index
        )

    def _room_after(self, walk: Walk, leaving: int) -> bool:
        orders_after = len(self._state.orders) - leaving - walk.leaving_count + 1
        return orders_after <= self._state.order_count_max

    def _account_has_room(self, account_index: int) -> bool:
        """Whether an account may have one more order on the books.

        Notes
        -----
        Rules: CEA-ORD-12, CEA-ORD-13.
        """
        state, rules = self._state, self._state.rules
        open_count = len(state.accounts[account_index].order_ids)
        if rules.orders_open_max and open_count >= rules.orders_open_max:
            return False
        if not rules.orders_kept_bp or open_count < rules.orders_kept_each:
            return True
        kept = state.order_count_max * rules.orders_kept_bp // 10_000
        return state.order_count_max - len(self._state.orders) > kept

    # -- Carrying out ------------------------------------------------------------------------------

    def carry_out(self, command: Command, decision: Decision) -> None:
        """Do what a command that is not refused asks for."""
        if command.kind == CommandKind.ENTER:
            self._enter(command, decision)
        elif command.kind == CommandKind.AMEND:
            self._amend(command, decision)
        else:
            self._cancel(
                self._state.orders[command.order_id],
                Reason.REQUESTED,
                client_order_id=command.client_order_id,
                operator_index=command.operator_index,
            )

    def refuse(self, command: Command, reason: Reason) -> None:
        """Say why a command changes nothing."""
        terms: dict[str, int] = {"product_index": command.product_index}
        if command.kind == CommandKind.ENTER:
            terms |= {"side": command.side, "tif": command.tif, "flags": command.flags}
        else:
            order = self._state.orders.get(command.order_id)
            if order is not None and order.account_index == command.account_index:
                terms["product_index"] = order.product_index
            terms["order_id"] = command.order_id
        self._state.command_refuse(command, reason, **terms)

    def _enter(self, command: Command, decision: Decision) -> None:
        state = self._state
        order = self._order_of(command)
        order.order_id = state.order_id_give()
        self._emit(
            EventKind.ORDER_ACCEPTED,
            order,
            tonnes=order.tonnes_open,
            tonnes_open=order.tonnes_open,
            counter_order_id=command.pick_order_id,
            tif=command.tif,
            flags=command.flags,
            operator_index=command.operator_index,
        )
        state.funds.lock(order)
        self._trade_and_rest(order, decision, command.operator_index)

    def _amend(self, command: Command, decision: Decision) -> None:
        state = self._state
        order = self._state.orders[command.order_id]
        state.funds.unlock(order)
        if decision.keeps_place:
            order.tonnes_open = command.tonnes
        else:
            self._take_off(order)
            order.price, order.tonnes_open = command.price, command.tonnes
        state.funds.lock(order)
        self._emit(
            EventKind.ORDER_AMENDED,
            order,
            tonnes=order.tonnes_open,
            tonnes_open=order.tonnes_open,
            client_order_id=command.client_order_id,
            operator_index=command.operator_index,
        )
        if not decision.keeps_place:
            self._trade_and_rest(order, decision, command.operator_index)

    def _trade_and_rest(self, taker: Order, decision: Decision, operator_index: int) -> None:
        """Trade with, or cancel, whom it meets; then rest, or cancel, what is left."""
        state = self._state
        for maker, tonnes, prevented in decision.walk.meetings:
            if prevented:
                self._cancel(maker, Reason.SELF_TRADE_PREVENTED, operator_index=operator_index)
            else:
                self._trade(taker, maker, tonnes, operator_index)
        if not taker.tonnes_open:
            return
        if decision.cancel_reason:
            state.funds.unlock(taker)
            self._emit(
                EventKind.ORDER_CANCELED,
                taker,
                tonnes=taker.tonnes_open,
                reason=decision.cancel_reason,
                operator_index=operator_index,
            )
            return
        state.priority_last += 1
        taker.priority = state.priority_last
        self.put_on(taker)
        self._emit(
            EventKind.ORDER_RESTED,
            taker,
            tonnes=taker.tonnes_open,
            tonnes_open=taker.tonnes_open,
            operator_index=operator_index,
        )

    def _trade(self, taker: Order, maker: Order, tonnes: int, operator_index: int) -> None:
        """One trade at the maker's price: holdings, statistics and the event.

        Notes
        -----
        Rules: CEA-LST-04.
        """
        state = self._state
        price, amount = maker.price, maker.price * tonnes
        buy, sell = (taker, maker) if taker.side == Side.BUY else (maker, taker)
        buy_fee, sell_fee = state.funds.exchange(buy, sell, price, tonnes)
        product, rules = state.products[maker.product_index], state.rules
        product.listed_count(price, tonnes, rules.open_at_close)
        if not maker.tonnes_open:
            self._take_off(maker)
        state.trade_id += 1
        product.last_note(LastTrade(state.trade_id, price, tonnes), rules.close_trades_last)
        self._emit(
            EventKind.TRADE,
            taker,
            method=Method.LISTED,
            operator_index=operator_index,
            price=price,
            tonnes=tonnes,
            tonnes_open=taker.tonnes_open,
            counter_account_index=maker.account_index,
            counter_order_id=maker.order_id,
            counter_client_order_id=maker.client_order_id,
            counter_tonnes_open=maker.tonnes_open,
            trade_id=state.trade_id,
            cash=amount,
            buy_fee=buy_fee,
            sell_fee=sell_fee,
        )

    def _cancel(self, order: Order, reason: Reason, **answered: int) -> None:
        """Take a resting order off the book; `answered` names the command that did it."""
        self._state.funds.unlock(order)
        self._take_off(order)
        self._emit(
            EventKind.ORDER_CANCELED, order, tonnes=order.tonnes_open, reason=reason, **answered
        )

    def _cancel_by_act(self, order: Order, reason: Reason) -> None:
        """Take it off where no command is answered: it is reported to whoever entered the order."""
        self._cancel(order, reason, operator_index=order.operator_index)

    # -- By the operator, the day and a suspension -------------------------------------------------

    def cancel_all_of(
        self, account_index: int, reason: Reason, operator_index: int = OPERATOR_ANY
    ) -> None:
        """Cancel what an operator of an account, an account, or everybody has open, oldest first.

        Notes
        -----
        Rules: CEA-DAY-06, CEA-DAY-07, CEA-ORD-11.
        """
        for order in list(self._state.orders.values()):
            if account_index in (ACCOUNT_NONE, order.account_index):
                if operator_index in (OPERATOR_ANY, order.operator_index):
                    self._cancel_by_act(order, reason)

    def cancel_lost(
        self, operators: Collection[tuple[int, int]], ids: range, orders_max: int
    ) -> None:
        """Cancel what operators have open whose sessions were lost, oldest first.

        Notes
        -----
        Rules: CEA-ORD-11.
        """
        lost = [
            order
            for order in self._state.orders.values()
            if (order.account_index, order.operator_index) in operators and order.order_id in ids
        ]
        for order in lost[: orders_max or None]:
            self._cancel_by_act(order, Reason.DISCONNECTED)

    def cancel_all_in(self, product_index: int) -> None:
        """Cancel what is open in a product that is delisted, oldest first.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        for order in list(self._state.orders.values()):
            if order.product_index == product_index:
                self._cancel_by_act(order, Reason.PRODUCT_DELISTED)

    def expire(self) -> None:
        """End all that is open, oldest first: the day is over.

        Notes
        -----
        Rules: CEA-ORD-03.
        """
        for order in list(self._state.orders.values()):
            self._state.funds.unlock(order)
            self._take_off(order)
            self._emit(
                EventKind.ORDER_EXPIRED,
                order,
                tonnes=order.tonnes_open,
                operator_index=order.operator_index,
            )

    # -- Books and events --------------------------------------------------------------------------

    def put_on(self, order: Order) -> None:
        """Rest an order at the back of its level."""
        self._state.books[order.product_index].add(order)
        self._state.orders[order.order_id] = order
        self._state.accounts[order.account_index].order_ids.add(order.order_id)

    def _take_off(self, order: Order) -> None:
        self._state.books[order.product_index].remove(order)
        del self._state.orders[order.order_id]
        self._state.accounts[order.account_index].order_ids.remove(order.order_id)

    def _emit(self, kind: EventKind, order: Order, **fields: int) -> None:
        """Emit an event about an order; `fields` add to, or replace, what the order says."""
        of_order = {
            "side": order.side,
            "product_index": order.product_index,
            "account_index": order.account_index,
            "order_id": order.order_id,
            "price": order.price,
            "client_order_id": order.client_order_id,
        }
        self._state.emit(kind, **(of_order | fields))

    @staticmethod
    def _order_of(command: Command) -> Order:
        """The order an ENTER asks for; it has no id yet."""
        return Order(
            order_id=0,
            account_index=command.account_index,
            product_index=command.product_index,
            side=Side(command.side),
            price=command.price,
            tonnes_open=command.tonnes,
            client_order_id=command.client_order_id,
            flags=command.flags,
            operator_index=command.operator_index,
        )


def _amended(order: Order, command: Command) -> Order:
    """The order with the terms an AMEND asks for."""
    return dataclasses.replace(order, price=command.price, tonnes_open=command.tonnes)
