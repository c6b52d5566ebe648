"""The settlement bank: files out and in, pay-outs, what differs.

Files are in the registry's own folder: a day's statement is more than a request may have.
"""

from typing import Annotated, Any

import msgspec

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.requests.request import Request


class BankBatches(Request, tag="bank_batches"):
    """Make the batches that are due; write those the bank has not answered to files."""

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"files": registry.bank_files.batches_write()}


Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
"""Of the file that is meant: what a second person approves is what is read."""


class BankReport(Request, tag="bank_report"):
    """Take the bank's status report, a pain.002."""

    file: str
    sha256: Sha256

    def act(self, registry: Registry) -> dict[str, Any]:
        report = registry.bank_files.report_read(self.file, self.sha256)
        return {"statuses": len(report.statuses)}


class BankStatement(Request, tag="bank_statement"):
    """Read the bank's statement, a camt.053, whole or not at all."""

    file: str
    sha256: Sha256

    def act(self, registry: Registry) -> dict[str, Any]:
        found = registry.bank_files.statement_read(self.file, self.sha256)
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

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"pay_out_id": registry.bank.pay_out(self.account, self.cash, self.creditor)}
