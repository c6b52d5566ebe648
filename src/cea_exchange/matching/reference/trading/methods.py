"""The three trading methods of a reference market, side by side."""

from __future__ import annotations

from cea_exchange.domain.records import CommandKind
from cea_exchange.matching.reference.inputs import Command
from cea_exchange.matching.reference.state import MarketState
from cea_exchange.matching.reference.trading.bidding_trading import BiddingTrading
from cea_exchange.matching.reference.trading.block_trading import BlockTrading
from cea_exchange.matching.reference.trading.listed_trading import Decision, ListedTrading


class TradingMethods:
    """Listed trading, block trading and bidding over one state."""

    def __init__(self, state: MarketState) -> None:
        self._state = state
        self.listed = ListedTrading(state)
        self.blocks = BlockTrading(state)
        self.biddings = BiddingTrading(state)

    def decision(self, command: Command) -> Decision:
        """What a command leads to; nothing has changed yet."""
        if command.kind <= CommandKind.AMEND:
            return self.listed.decision(command)
        refusal = self._negotiated(command).refusal(command)
        is_accepted = command.kind == CommandKind.BLOCK_ACCEPT and not refusal
        trades = is_accepted and not self._state.rules.block_confirmed
        return Decision(refusal, is_block_trade=trades)

    def carry_out(self, command: Command, decision: Decision) -> None:
        """Do what a command asks for, or say why not."""
        is_listed = command.kind <= CommandKind.AMEND
        if decision.refusal:
            method = self.listed if is_listed else self._negotiated(command)
            method.refuse(command, decision.refusal)
            return
        account = self._state.accounts[command.account_index]
        account.client_order_ids[command.operator_index] = command.client_order_id
        if is_listed:
            self.listed.carry_out(command, decision)
        else:
            self._negotiated(command).carry_out(command)

    def _negotiated(self, command: Command) -> BlockTrading | BiddingTrading:
        """Who takes a command that is not listed trading's."""
        return self.biddings if command.kind >= CommandKind.BID else self.blocks
