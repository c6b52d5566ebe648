"""Transfers between registration and trading accounts: begun here, ended by the venue's answer."""

from cea_exchange.institution.checks import amount_checked
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.protocol.control import TransferIn, TransferOut
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.settlement.defaults import Defaults


class Transfers:
    """Begins transfers; settlement ends them."""

    def __init__(self, ledger: Ledger, defaults: Defaults) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._defaults = defaults

    def to_venue(self, account: str, product: str | None, amount: int) -> int:
        """Send tonnes of a product, or without one fen of cash, to the account at the venue.

        They are in transit until the venue's answer comes on the settlement stream.

        Returns the `transfer_seq` under which the venue answers.
        """
        with self._store.transaction():
            index, asset = self._ledger.account_moving(account), self._ledger.asset(product)
            amount = amount_checked(amount, "cash" if asset == CASH_ASSET else "tonnes")
            if asset == CASH_ASSET:
                self._defaults.free_cash_check(index, amount)
            self._ledger.move(EntryKind.TRANSFER_BEGUN, index, index, asset, amount)
            command = TransferIn(account=account, product=product, amount=amount)
            return self._transfer("in", command)

    def from_venue(self, account: str, product: str | None, amount: int) -> int:
        """Ask the venue to let tonnes of a product, or without one fen of cash, go.

        Nothing moves before the venue's answer comes on the settlement stream: until then they are
        still at the venue, and may just have been sold.

        Returns the `transfer_seq` under which the venue answers.
        """
        amount = amount_checked(amount, "amount")
        with self._store.transaction():
            command = TransferOut(account=account, product=product, amount=amount)
            return self._transfer("out", command)

    def _transfer(self, direction: str, command: TransferIn | TransferOut) -> int:
        account_index, amount = self._ledger.account_moving(command.account), command.amount
        asset_index = self._ledger.asset(command.product)
        transfer_seq = self._ledger.feed(command)
        self._store.insert(
            "transfers (transfer_seq, direction, account_index, asset_index, amount, state,"
            " reason, settlement_seq)",
            [(transfer_seq, direction, account_index, asset_index, amount, "pending", 0, 0)],
        )
        return transfer_seq
