"""Block trading of a `ReferenceMarket`: enquiries, offers and their negotiation.

    enquiry (locks nothing)  <-  offer -> counter -> counter ... -> accept: one trade
                                   |         |             |     -> reject, withdraw, lapse
                                   |         |             v
                                   +---------+---> agreed, where the exchange confirms blocks:
                                                   one trade, refused, lapse

An offer locks what it would deliver. What a counter-offer leaves of the other side's lock depends
on what was said before, so a block keeps its locks, and they are part of the market's state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    BlockFlag,
    CommandKind,
    EventKind,
    Method,
    Operation,
    Phase,
    Reason,
    Side,
)
from cea_exchange.matching.reference.inputs import Command
from cea_exchange.matching.reference.rows.blocks import Block, Locks
from cea_exchange.matching.reference.rows.book import opposite
from cea_exchange.matching.reference.rows.funds import Need
from cea_exchange.matching.reference.rows.products import amount_too_large, price_band
from cea_exchange.matching.reference.state import MarketState

ENTRIES = (CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER)
ADDRESSED = BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP
COMMAND_FLAGS = ADDRESSED | BlockFlag.PRICE_OPEN | BlockFlag.TONNES_OPEN
SHOWN_FLAGS = COMMAND_FLAGS | BlockFlag.ENQUIRY | BlockFlag.COUNTERED
"""What events repeat of a block's flags."""


class BlockTrading:
    """What may be done with block offers and enquiries."""

    def __init__(self, state: MarketState) -> None:
        self._state = state

    # -- Refusals ----------------------------------------------------------------------------------

    def refusal(self, command: Command) -> Reason:
        """The first reason against a block command; NONE if it will be carried out."""
        if command.kind in ENTRIES:
            return self._entry_refusal(command)
        return self._answer_refusal(command)

    def found(self, command: Command) -> Block | None:
        """The block that an answer names: offers only, but an enquiry may be withdrawn."""
        block: Block | None = self._state.blocks.get(command.order_id)
        if block and block.is_enquiry and command.kind != CommandKind.BLOCK_WITHDRAW:
            return None
        return block

    def _entry_refusal(self, command: Command) -> Reason:
        """What stands against an enquiry or an offer.

        Notes
        -----
        Rules: CEA-BLK-01 (size), CEA-BLK-02 (band), CEA-BLK-03 (session), CEA-BLK-05 (locks),
        CEA-BLK-07, CEA-BLK-12 (enquiries), CEA-ORD-10 (precedence), PLT-BLK-01 (fixed terms).
        """
        state = self._state
        if not state.is_listed(command.product_index):
            return Reason.PRODUCT_UNKNOWN
        if not state.operator_known(command) or not self._addressee_known(command):
            return Reason.ACCOUNT_UNKNOWN
        enquiry = None
        if command.order_id:
            enquiry = self._state.blocks.get(command.order_id)
            if enquiry is None or not enquiry.is_enquiry:
                return Reason.BLOCK_UNKNOWN
        block = self._block_of(command)
        refusal = state.sender_refusal(command) or self._session_refusal(block)
        if refusal:
            return refusal
        if block.other_party == block.account_index:
            return Reason.COUNTERPARTY_MISMATCH
        if enquiry and not self._answers(block, enquiry):
            return Reason.COUNTERPARTY_MISMATCH
        if block.is_enquiry and state.rules.block_terms_fixed:
            return Reason.TERMS_FIXED
        refusal = self._terms_refusal(block)
        if not refusal and not block.is_enquiry:
            refusal = self._cover_refusal(block, block.account_index)
        if not refusal and not self._has_room(block):
            return Reason.CAPACITY
        return refusal

    def _has_room(self, block: Block) -> bool:
        """Whether the market, and of an enquiry its account, may have one more open.

        Notes
        -----
        Rules: CEA-BLK-12.
        """
        if len(self._state.blocks) >= self._state.order_count_max:
            return False
        most = self._state.rules.enquiries_open_max
        return not (block.is_enquiry and most) or most > sum(
            other.is_enquiry and other.account_index == block.account_index
            for other in self._state.blocks.values()
        )

    def _answer_refusal(self, command: Command) -> Reason:
        """What stands against an answer to a block, or its withdrawal.

        Notes
        -----
        Rules: CEA-BLK-03 (session), CEA-BLK-04 (who may), CEA-BLK-06 (counters), CEA-DAY-05,
        PLT-BLK-01 (fixed terms).
        """
        state = self._state
        if not state.operator_known(command):
            return Reason.ACCOUNT_UNKNOWN
        block = self.found(command)
        if block is None:
            return Reason.BLOCK_UNKNOWN
        refusal = state.sender_refusal(command)
        if refusal:
            return refusal
        if command.kind in (CommandKind.BLOCK_REJECT, CommandKind.BLOCK_WITHDRAW):
            if state.phase == Phase.CLOSED:
                return Reason.PHASE_CLOSED
        elif refusal := self._session_refusal(block):
            return refusal
        if not self._may_act(command, block):
            return Reason.COUNTERPARTY_MISMATCH
        if command.kind == CommandKind.BLOCK_COUNTER:
            if state.rules.block_terms_fixed:
                return Reason.TERMS_FIXED
            wanted = _with_terms(block, command)
            return self._terms_refusal(wanted) or self._cover_refusal(
                wanted, command.account_index
            )
        if command.kind == CommandKind.BLOCK_ACCEPT:
            return self._cover_refusal(block, command.account_index)
        return Reason.NONE

    def _addressee_known(self, command: Command) -> bool:
        accounts = self._state.accounts
        if command.flags & BlockFlag.TO_ACCOUNT:
            return command.pick_order_id < len(accounts)
        if command.flags & BlockFlag.TO_GROUP:
            # 0 is no group.
            groups = {account.group_index for account in accounts} - {0}
            return command.pick_order_id in groups
        return True

    def _session_refusal(self, block: Block) -> Reason:
        state = self._state
        is_open = state.phase == Phase.LISTED_AND_BLOCK and state.rules.block_allowed
        return state.session_refusal(is_open, block.product_index)

    def _agreed_refusal(self, block_id: int) -> Reason:
        """What stands against the exchange's word on a block: it must wait for that."""
        block = self._state.blocks.get(block_id)
        return Reason.NONE if block and block.agreed else Reason.BLOCK_UNKNOWN

    def _may_act(self, command: Command, block: Block) -> bool:
        account_index = command.account_index
        if block.agreed:
            return False
        if command.kind == CommandKind.BLOCK_WITHDRAW:
            return account_index in block.owners
        if block.flags & BlockFlag.TO_ACCOUNT:
            parties = (block.account_index, block.other_party)
            return account_index in parties and account_index != block.speaker
        return (
            command.kind == CommandKind.BLOCK_ACCEPT
            and account_index != block.account_index
            and self._is_for(block, account_index)
        )

    def _is_for(self, block: Block, account_index: int) -> bool:
        """Whether an account is one of those that a block addresses."""
        if block.flags & BlockFlag.TO_ACCOUNT:
            return account_index == block.counterparty_index
        if block.flags & BlockFlag.TO_GROUP:
            group_index = self._state.accounts[account_index].group_index
            return group_index == block.counterparty_index
        return True

    def seen_by(self, account_index: int, first: int) -> Iterator[int]:
        """Ids of the blocks that an account made or is asked in, from an id on.

        Notes
        -----
        Rules: CEA-BLK-04, CEA-BLK-07.
        """
        for block_id in self._state.blocks.irange(first):
            block = self._state.blocks[block_id]
            if block.account_index == account_index or self._is_for(block, account_index):
                yield block_id

    def _answers(self, block: Block, enquiry: Block) -> bool:
        """Whether an offer is what an enquiry asks for, from one of those it asks.

        Notes
        -----
        Rules: CEA-BLK-07.
        """
        return (
            self._is_for(enquiry, block.account_index)
            and block.other_party == enquiry.account_index
            and block.product_index == enquiry.product_index
            and block.side == opposite(Side(enquiry.side))
        )

    def _terms_refusal(self, block: Block) -> Reason:
        """The first reason against tonnes and price, as far as they are named.

        Notes
        -----
        Rules: PLT-BLK-02 (no band above a size).
        """
        state = self._state
        tonnes_named = not block.flags & BlockFlag.TONNES_OPEN
        if tonnes_named and block.tonnes <= 0:
            return Reason.TONNES_NOT_POSITIVE
        if amount_too_large(block.price, block.price * block.tonnes):
            return Reason.AMOUNT_TOO_LARGE
        if tonnes_named and block.tonnes < state.rules.block_tonnes_min:
            return Reason.BLOCK_TONNES_TOO_SMALL
        free_tonnes = state.rules.block_free_tonnes
        is_free = tonnes_named and 0 < free_tonnes < block.tonnes
        width = 0 if is_free else state.rules.block_band_bp
        low, high = price_band(state.rules, state.products[block.product_index], width)
        if not block.flags & BlockFlag.PRICE_OPEN and not low <= block.price <= high:
            return Reason.PRICE_OUT_OF_BAND
        return Reason.NONE

    def _cover_refusal(self, block: Block, account_index: int) -> Reason:
        """Whether an account has what it would deliver; its own lock in the block is free.

        Notes
        -----
        Rules: CEA-BLK-05.
        """
        state, side = self._state, block.side_of(account_index)
        freed = tonnes_freed = 0
        if account_index in (block.account_index, block.other_party):
            freed = block.cash_locked if side == Side.BUY else block.tonnes_locked
            tonnes_freed = block.tonnes_bid if side == Side.BUY else 0
        locks = self._locks_of(block, side)
        lock = locks.cash if side == Side.BUY else locks.tonnes
        need = Need(account_index, block.product_index, side, block.tonnes, lock)
        bid = state.tonnes_bid(account_index, block.product_index) - tonnes_freed
        stands = state.stands_against(account_index, block.product_index, side)
        elsewhere = state.held_elsewhere(account_index, block.product_index)
        return state.funds.cover_refusal(need, freed, bid, stands, elsewhere)

    def _locks_of(self, block: Block, side: Side) -> Locks:
        """What a side must lock to deliver at the terms of a block.

        Notes
        -----
        Rules: CEA-BLK-05.
        """
        if not self._state.rules.holdings_checked:
            return Locks()
        if side == Side.SELL:
            return Locks(tonnes=block.tonnes)
        amount = block.price * block.tonnes
        return Locks(amount + self._state.funds.buy_fee(amount, Method.BLOCK), block.tonnes)

    def locks_fit(self, block: Block) -> bool:
        """Say if who spoke last has locked all that the terms ask, and the other no more.

        Notes
        -----
        Rules: CEA-BLK-05, CEA-BLK-06, CEA-BLK-07.
        """
        present = block.locks
        if block.is_enquiry:
            return present == Locks() and not block.agreed
        spoken = block.side_of(block.speaker)
        asked, others = self._locks_of(block, spoken), self._locks_of(block, opposite(spoken))
        most = Locks(*map(sum, zip(asked, others, strict=True)))
        least = most if block.agreed else asked
        ranges = zip(least, present, most, strict=True)
        return all(low <= locked <= high for low, locked, high in ranges)

    # -- Carrying out ------------------------------------------------------------------------------

    def carry_out(self, command: Command) -> None:
        """Do what a command that is not refused asks for."""
        if command.kind in ENTRIES:
            self._enter(command)
            return
        block = self._state.blocks[command.order_id]
        if command.kind == CommandKind.BLOCK_COUNTER:
            self._counter(command, block)
        elif command.kind == CommandKind.BLOCK_ACCEPT and self._state.rules.block_confirmed:
            self._agree(command, block)
        elif command.kind == CommandKind.BLOCK_ACCEPT:
            self._trade(
                block,
                command.account_index,
                operator_index=command.operator_index,
                client_order_id=command.client_order_id,
            )
        else:
            self._take_off(block)
            withdraws = command.kind == CommandKind.BLOCK_WITHDRAW
            self._emit(
                EventKind.BLOCK_WITHDRAWN if withdraws else EventKind.BLOCK_REJECTED,
                block,
                command.account_index,
                reason=Reason.REQUESTED if withdraws else Reason.NONE,
                client_order_id=command.client_order_id,
                operator_index=command.operator_index,
            )

    def refuse(self, command: Command, reason: Reason) -> None:
        """Say why a command changes nothing."""
        terms = {"product_index": command.product_index, "order_id": command.order_id}
        if command.kind in ENTRIES:
            terms |= {"side": command.side, "flags": command.flags}
        elif block := self.found(command):
            terms["product_index"] = block.product_index
        self._state.command_refuse(command, reason, **terms)

    def _enter(self, command: Command) -> None:
        block = self._block_of(command)
        block.block_id = self._state.order_id_give()
        locks = Locks() if block.is_enquiry else self._locks_of(block, Side(block.side))
        self.put_on(block, locks)
        self._emit(
            EventKind.BLOCK_ENQUIRED if block.is_enquiry else EventKind.BLOCK_OFFERED,
            block,
            block.account_index,
            tonnes_open=0 if block.is_enquiry else block.tonnes,
            operator_index=command.operator_index,
        )

    def _counter(self, command: Command, block: Block) -> None:
        """Put other terms on the table.

        Notes
        -----
        Rules: CEA-BLK-06.
        """
        block.price, block.tonnes = command.price, command.tonnes
        block.client_order_id = command.client_order_id
        side = block.side_of(command.account_index)
        own, others = self._locks_of(block, side), self._locks_of(block, opposite(side))
        present = block.locks
        lowered = map(min, others, present)
        self._locks_set(block, Locks(*map(sum, zip(own, lowered, strict=True))))
        if command.account_index == block.account_index:
            block.flags &= ~BlockFlag.BY_COUNTERPARTY
        else:
            block.flags |= BlockFlag.BY_COUNTERPARTY | BlockFlag.COUNTERED
        self._emit(
            EventKind.BLOCK_COUNTERED,
            block,
            command.account_index,
            tonnes_open=block.tonnes,
            operator_index=command.operator_index,
        )

    def _agree(self, command: Command, block: Block) -> None:
        """Lock the acceptor's side too, and let the exchange have the last word.

        From here on the block is the two parties' only; who else was asked hears that it is gone.

        Notes
        -----
        Rules: CCER-BLK-01.
        """
        taker = command.account_index
        self._emit(
            EventKind.BLOCK_AGREED,
            block,
            taker,
            tonnes_open=block.tonnes,
            client_order_id=command.client_order_id,
            operator_index=command.operator_index,
        )
        if block.other_party == ACCOUNT_NONE:
            block.flags = block.flags & ~ADDRESSED | BlockFlag.TO_ACCOUNT
            block.counterparty_index = taker
        block.agreed, block.operator_index = 1, command.operator_index
        locks = map(sum, zip(*(self._locks_of(block, side) for side in Side), strict=True))
        self._locks_set(block, Locks(*locks))

    def confirm(self, block_id: int) -> None:
        """Let the exchange confirm what both sides agreed on: it trades; or say why not.

        Notes
        -----
        Rules: CCER-BLK-01.
        """
        state = self._state
        block = state.blocks.get(block_id)
        reason = self._agreed_refusal(block_id) or self._session_refusal(block)
        if reason:
            self._word_refuse(Operation.BLOCK_CONFIRM, block_id, reason)
            return
        taker = block.account_index if block.speaker != block.account_index else block.other_party
        self._trade(block, taker, operator_index=block.operator_index, client_order_id=0)

    def turn_down(self, block_id: int) -> None:
        """Let the exchange refuse what both sides agreed on: it is over; or say why not.

        Notes
        -----
        Rules: CCER-BLK-01.
        """
        reason = self._agreed_refusal(block_id)
        if reason:
            self._word_refuse(Operation.BLOCK_REFUSE, block_id, reason)
            return
        block = self._state.blocks[block_id]
        self._take_off(block)
        reason = Reason.NOT_CONFIRMED
        self._emit(EventKind.BLOCK_WITHDRAWN, block, block.account_index, reason=reason)

    def _word_refuse(self, operation: Operation, block_id: int, reason: Reason) -> None:
        block = self._state.blocks.get(block_id)
        found = {"product_index": block.product_index} if block else {}
        self._state.refuse(operation, reason, order_id=block_id, **found)

    def _trade(
        self, block: Block, taker: int, *, operator_index: int, client_order_id: int
    ) -> None:
        """Trade at the terms on the table.

        Notes
        -----
        Rules: CEA-BLK-04, CEA-BLK-08 (statistics), CEA-BLK-09 (one group).
        """
        state = self._state
        self._take_off(block)
        maker = block.speaker
        side = block.side_of(taker)
        parties = (taker, maker) if side == Side.BUY else (maker, taker)
        buy_fee, sell_fee = state.funds.deliver(
            parties, block.product_index, block.price, block.tonnes, Method.BLOCK
        )
        is_intra_group = state.is_intra_group(taker, maker)
        state.products[block.product_index].block_count(
            block.price * block.tonnes, block.tonnes, is_intra_group
        )
        state.trade_id += 1
        flags = block.flags & SHOWN_FLAGS
        state.emit(
            EventKind.TRADE,
            side=side,
            method=Method.BLOCK,
            product_index=block.product_index,
            operator_index=operator_index,
            account_index=taker,
            counter_account_index=maker,
            order_id=block.block_id,
            counter_order_id=block.block_id,
            price=block.price,
            tonnes=block.tonnes,
            client_order_id=client_order_id,
            counter_client_order_id=block.client_order_id,
            trade_id=state.trade_id,
            cash=block.price * block.tonnes,
            buy_fee=buy_fee,
            sell_fee=sell_fee,
            flags=flags | BlockFlag.INTRA_GROUP if is_intra_group else flags,
        )

    def withdraw_all_of(self, account_index: int, reason: Reason) -> None:
        """End what an account, or everybody, has offered, asked, countered or agreed on.

        Oldest first.

        Notes
        -----
        Rules: CEA-DAY-06, CEA-DAY-07.
        """
        for block in list(self._state.blocks.values()):
            actor = block.account_index if account_index == ACCOUNT_NONE else account_index
            if actor in block.owners:
                self._take_off(block)
                self._emit(EventKind.BLOCK_WITHDRAWN, block, actor, reason=reason)

    def withdraw_all_in(self, product_index: int) -> None:
        """End what is open in a product that is delisted, oldest first.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        for block in list(self._state.blocks.values()):
            if block.product_index == product_index:
                self._take_off(block)
                reason = Reason.PRODUCT_DELISTED
                self._emit(EventKind.BLOCK_WITHDRAWN, block, block.account_index, reason=reason)

    def lapse(self) -> None:
        """End all that is open, oldest first: the day is over.

        Notes
        -----
        Rules: CEA-BLK-10.
        """
        for block in list(self._state.blocks.values()):
            self._take_off(block)
            self._emit(EventKind.BLOCK_LAPSED, block, block.account_index)

    # -- Locks and events --------------------------------------------------------------------------

    def put_on(self, block: Block, locks: Locks) -> None:
        """Let a block be open, with what it locks."""
        self._state.blocks[block.block_id] = block
        self._locks_set(block, locks)

    def _take_off(self, block: Block) -> None:
        """Return the locks; the terms stay on the record of who ends it."""
        self._locks_set(block, Locks())
        del self._state.blocks[block.block_id]

    def _locks_set(self, block: Block, locks: Locks) -> None:
        """Lock this much for its two sides, instead of what is locked now."""
        accounts = self._state.accounts
        if locks.cash != block.cash_locked:
            buyer = accounts[block.party(Side.BUY)]
            buyer.cash_locked += locks.cash - block.cash_locked
        if locks.tonnes != block.tonnes_locked:
            seller = accounts[block.party(Side.SELL)]
            seller.holding(block.product_index).locked += locks.tonnes - block.tonnes_locked
        block.cash_locked, block.tonnes_bid, block.tonnes_locked = locks

    def _emit(self, kind: EventKind, block: Block, actor: int, **fields: int) -> None:
        """Emit an event about a block; `actor` acts in it, or has offered it."""
        by_counterparty = 0 if actor == block.account_index else BlockFlag.BY_COUNTERPARTY
        is_to_group = block.flags & BlockFlag.TO_GROUP
        # The id of the terms on the table, unless they are the other party's: that is its affair.
        spoken_id = block.client_order_id if actor == block.speaker else 0
        of_block = {
            "side": block.side,
            "product_index": block.product_index,
            "account_index": actor,
            "counter_account_index": block.account_index if by_counterparty else block.other_party,
            "order_id": block.block_id,
            "counter_order_id": block.enquiry_id,
            "price": block.price,
            "tonnes": block.tonnes,
            "client_order_id": spoken_id,
            "counter_client_order_id": block.counterparty_index if is_to_group else 0,
            "flags": block.flags & SHOWN_FLAGS | by_counterparty,
        }
        self._state.emit(kind, **(of_block | fields))

    def _block_of(self, command: Command) -> Block:
        """What an enquiry or an offer asks for; it has no id and no lock yet.

        Notes
        -----
        Rules: CEA-BLK-07 (an answer to an enquiry is for who asked).
        """
        flags, counterparty_index = command.flags, command.pick_order_id
        if command.kind == CommandKind.BLOCK_ENQUIRY:
            flags |= BlockFlag.ENQUIRY
        elif command.order_id in self._state.blocks and not flags & ADDRESSED:
            flags |= BlockFlag.TO_ACCOUNT
            counterparty_index = self._state.blocks[command.order_id].account_index
        return Block(
            block_id=0,
            enquiry_id=command.order_id,
            client_order_id=command.client_order_id,
            price=command.price,
            tonnes=command.tonnes,
            cash_locked=0,
            tonnes_bid=0,
            tonnes_locked=0,
            account_index=command.account_index,
            counterparty_index=counterparty_index,
            product_index=command.product_index,
            side=command.side,
            flags=flags,
        )


def _with_terms(block: Block, command: Command) -> Block:
    """The block with the terms that a counter-offer puts on the table."""
    wanted = Block(*astuple(block))
    wanted.price, wanted.tonnes = command.price, command.tonnes
    return wanted
