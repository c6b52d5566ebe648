"""Requests about the settlement bank: files out and in, pay-outs, differences.

Files are in the registry's own folder: a day's statement is more than a request may have.
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, Place, page_at
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Account, Cash, FileName
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import INITIATOR, OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class BankBatches(Request, tag="bank_batches"):
    """Make the batches that are due; write those the bank has not answered to files (pain.001).

    They are in DIR/registry/bank/out.
    """

    roles = (OPERATOR,)
    command = "bank write"
    example = "bank write"

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"files": registry.bank_files.batches_write()}


Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$"), field(is_hidden=True)]
"""Of the file that is meant: what a second person approves is what is read."""
FileIn = Annotated[
    FileName,
    field("The file's name in DIR/registry/bank/in.", typed="file", folder="registry/bank/in"),
]


class BankReport(Request, tag="bank_report"):
    """Take the bank's status report, a pain.002; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "bank read-report"
    example = "bank read-report 20260715-1.xml"

    file: FileIn
    sha256: Sha256

    def act(self, registry: "Registry") -> dict[str, Any]:
        report, unapplied = registry.bank_files.report_read(self.file, self.sha256)
        return {"statuses": len(report.statuses), "unapplied": len(unapplied)}


class BankStatement(Request, tag="bank_statement"):
    """Read the bank's statement, a camt.053, whole or not at all; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "bank read-statement"
    example = "bank read-statement 20260715-1.xml"

    file: FileIn
    sha256: Sha256

    def act(self, registry: "Registry") -> dict[str, Any]:
        found = registry.bank_files.statement_read(self.file, self.sha256)
        return {
            "pay_ins": len(found.pay_ins),
            "unknown": len(found.unknown),
            "difference_sum": found.difference_sum,
            "unapplied": registry.bank.reports.open_count(),
        }


class BankFetch(Request, tag="bank_fetch"):
    """Fetch a day's next statement at the bank and read it; the daemon does so once a working day.

    It is read soon after the answer, which says which; the command waits for it.
    """

    roles = (OPERATOR,)
    command = "bank fetch"
    example = "bank fetch"

    business_date: Annotated[
        int | None, field("Of which day; left out, today's", typed="date", name="date")
    ] = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        return registry.bank.statement_ask(self.business_date)._asdict()


class BankStatements(Request, tag="bank_statements"):
    """Print which of the bank's statements were read, the latest first."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False
    command = "bank statements"
    example = "bank statements"
    rows = ("statements",)

    first: Place = 0
    count: PageCount = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        found = registry.bank.statements(self.first, self.count)
        further = self.first + self.count if len(found) == self.count else None
        return {"statements": found, "next": further}


class BankReconcile(Request, tag="bank_reconcile"):
    """Print each sub-account: the bank's balance, the ledger's, and what lies between."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False
    command = "bank reconcile"
    rows = ("accounts",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.bank.books.reconcile()
        found, further = page_at(rows, self.first, self.count)
        return {"accounts": found, "next": further}


class BankDifferences(Request, tag="bank_differences"):
    """Print what the bank has booked otherwise than instructed."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False
    command = "bank differences"
    rows = ("findings", "unknown", "differences")

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        wrong = msgspec.to_builtins(registry.bank.books.wrong())
        rows = [("findings", each) for each in wrong["findings"]]
        rows += [("unknown", each) for each in wrong["unknown"]]
        rows += [("differences", each) for each in wrong["differences"].items()]
        found, further = page_at(rows, self.first, self.count)
        shown = {name: [each for kind, each in found if kind == name] for name in wrong}
        return shown | {"differences": dict(shown["differences"]), "next": further}


class BankAgain(Request, tag="bank_again"):
    """Instruct again what the bank has refused, under a new id; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "bank again"
    example = "bank again I000012"

    instruction_id: Annotated[str, field("A refused instruction.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"instruction_id": registry.bank.again(self.instruction_id)}


class BankUnapplied(Request, tag="bank_unapplied"):
    """Print what the bank said that could not be applied, and what keeps it."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False
    command = "bank unapplied"

    first: Annotated[Number, field("From this number on.")] = 1
    count: Annotated[PageCount, field("How many at most.")] = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        found, further = registry.bank.reports.listed(first=self.first, count=self.count)
        return {"unapplied": found, "next": further}


class BankRetry(Request, tag="bank_retry"):
    """Try again what the bank said and could not be applied, once its cause is mended."""

    roles = (OPERATOR,)
    command = "bank retry"

    def act(self, registry: "Registry") -> dict[str, Any]:
        reports = registry.bank.reports
        return {"applied": reports.retry(), "unapplied": reports.open_count()}


class BankUnappliedClose(Request, tag="bank_unapplied_close"):
    """End what never can be applied, once the bank was asked."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "bank close"
    example = 'bank close 3 "sent in error, letter of 2026-07-20"'

    unapplied_id: Annotated[Number, field("Its number.")]
    why: Annotated[str, field("What the bank says to it.", is_option=False)]

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.bank.reports.close(self.unapplied_id, self.why)
        return {"unapplied": registry.bank.reports.open_count()}


class PayOut(Request, tag="pay_out"):
    """Pay cash out of a sub-account; a representative of the account approves."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "cash pay-out"
    example = "cash pay-out P001 1000.00 6222000000000001"

    account: Account
    cash: Cash
    creditor: Annotated[str, field("The participant's own account at its bank.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"pay_out_id": registry.bank.pay_out(self.account, self.cash, self.creditor)}
