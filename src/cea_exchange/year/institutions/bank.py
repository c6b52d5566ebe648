"""The settlement bank of a year: a simulated one that makes no mistakes, asked without a socket.

firm pays in --> bank --statement, camt.053--> registry books it
trades of the day --instructions, pain.001--> bank --report, pain.002--> registry
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from types import TracebackType

from cea_exchange.domain.calendar import date_number
from cea_exchange.protocol.bank.iso_20022 import pain_001
from cea_exchange.registry.bank.requests import PayIn
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.registry import Registry
from cea_exchange.simulators.bank.books import BankBooks
from cea_exchange.simulators.bank.faults import FaultRates

NAME = "bank"
NS_PER_S = 1_000_000_000


class SettlementBank(AbstractContextManager["SettlementBank"]):
    """The bank's books in ``bank/``, and the registry that reads them."""

    def __init__(self, data: Path, registry: Registry) -> None:
        folder = data / NAME
        folder.mkdir(exist_ok=True)
        self._registry = registry
        self.setting = BankSetting()
        registry.bank.setting = self.setting
        self._books = BankBooks(
            folder / f"{NAME}.sqlite",
            0,
            FaultRates(),
            clock=lambda: registry.now_ns() // NS_PER_S,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._books.close()

    def accounts_open(self, indexes: range) -> None:
        """Open the sub-accounts of accounts, and those of fees and reserve."""
        for name in (self.setting.fees, self.setting.reserve):
            self._books.account_open(name)
        for index in indexes:
            self._books.account_open(self._registry.bank.sub_account(index))

    def paid_in(self, day: date, cash: Mapping[int, int]) -> None:
        """Take cash in (index of an account -> fen), and tell the registry by a statement."""
        sub_account = self._registry.bank.sub_account
        for index, fen in cash.items():
            self._books.payment_take(payment(index, sub_account(index), fen, day))
        self._statement(day)

    def day_closed(self, day: date) -> None:
        """Send what the day's trades need, and let the registry take reports and statement."""
        bank = self._registry.bank
        with self._registry.transaction():
            while bank.instruct():
                pass
            while batches := bank.batches():
                for batch in batches:
                    report, _ = self._books.batch_take(pain_001.batch_write(batch))
                    bank.reports.answer_take(batch, report)

        self._statement(day)

    def _statement(self, day: date) -> None:
        number = date_number(day)
        before = self._registry.store.one(
            "SELECT count(*) FROM bank_statements WHERE business_date = ?", (number,)
        )
        content = self._books.statement(number, before + 1)
        self._registry.bank.books.statement_read(content, f"statement {number} {before + 1}")


def payment(index: int, sub_account: str, fen: int, day: date) -> PayIn:
    """Return what an account pays in on a day, at most once."""
    number = date_number(day)
    return PayIn(
        payment_id=f"I-{index}-{number}", account=sub_account, cash=fen, business_date=number
    )
