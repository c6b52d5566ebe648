"""The settlement bank: files out and in, pay-outs, what differs."""

from typing import Any

import msgspec

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.bank import pain_001, pain_002
from cea_exchange.registry.bank.xml_reading import BankFileError
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.requests.request import Request


class BankBatches(Request, tag="bank_batches"):
    """Make the batches that are due; the files of those the bank has not answered."""

    def act(self, registry: Registry) -> dict[str, Any]:
        while registry.bank.instruct():
            pass
        batches = registry.bank.batches()
        return {"files": {batch.batch_id: pain_001.batch_write(batch) for batch in batches}}


class BankReport(Request, tag="bank_report"):
    """Take the bank's status report, a pain.002."""

    file: str
    content: bytes

    def act(self, registry: Registry) -> dict[str, Any]:
        try:
            report = pain_002.report_read(self.content, self.file)
        except BankFileError as error:
            raise ActError(str(error)) from None
        registry.bank.report_take(report)
        return {"statuses": len(report.statuses)}


class BankStatement(Request, tag="bank_statement"):
    """Read the bank's statement, a camt.053, whole or not at all."""

    file: str
    content: bytes

    def act(self, registry: Registry) -> dict[str, Any]:
        try:
            found = registry.bank.books.statement_read(self.content, self.file)
        except BankFileError as error:
            raise ActError(str(error)) from None
        return {
            "pay_ins": len(found.pay_ins),
            "unknown": len(found.unknown),
            "difference_sum": found.difference_sum,
        }


class BankReconcile(Request, tag="bank_reconcile"):
    """Each sub-account: the bank's balance, the ledger's, and what lies between."""

    is_look = True
    is_scoped = False

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"accounts": registry.bank.books.reconcile()}


class BankDifferences(Request, tag="bank_differences"):
    """What the bank has not booked as it was told, and what nobody can account for."""

    is_look = True
    is_scoped = False

    def act(self, registry: Registry) -> dict[str, Any]:
        return msgspec.to_builtins(registry.bank.books.wrong())


class BankAgain(Request, tag="bank_again"):
    """Instruct again what the bank has refused, under a new id."""

    instruction_id: str

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"instruction_id": registry.bank.again(self.instruction_id)}


class PayOut(Request, tag="pay_out"):
    """Pay cash from a sub-account to the participant's own account."""

    account: str
    cash: int
    creditor: str
    needs_second = True

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"pay_out_id": registry.bank.pay_out(self.account, self.cash, self.creditor)}
