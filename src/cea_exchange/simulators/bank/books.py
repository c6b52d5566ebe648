"""The simulated bank's books: one SQLite file, every act one transaction on disk.

Each sub-account has two balances. `balance` is what the bank's entries say, errors included;
`true_balance` is what they should say, by which cover is judged. Once all errors are put right and
all delays are over, both agree.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import apsw

from cea_exchange.domain.bank_identifiers import account_check, date_check, id_check
from cea_exchange.domain.refusals import BankRefusal
from cea_exchange.protocol.bank.instructions import CASH_LIMIT, Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001, pain_002
from cea_exchange.protocol.bank.statements import (
    REFERENCE_CHARACTERS_MAX,
    AccountStatement,
    Entry,
    InstructionStatus,
    Statement,
    Status,
    StatusReport,
    text_check,
)
from cea_exchange.registry.bank.requests import PayIn, Withdraw
from cea_exchange.simulators.bank.faults import (
    Fault,
    FaultRates,
    draw,
    fault_of,
    misstated_cash,
)

BALANCE_LIMIT = CASH_LIMIT // 1_000
"""Sub-accounts hold less, so that errors, a digit too many at worst, stay within the format."""

_SCHEMA = """
CREATE TABLE accounts (
    account TEXT PRIMARY KEY,
    balance INTEGER NOT NULL,
    true_balance INTEGER NOT NULL CHECK (true_balance >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE batches (
    batch_id TEXT PRIMARY KEY,
    content_hash BLOB NOT NULL,
    report_count INTEGER NOT NULL,
    report BLOB NOT NULL                -- the first answer, given again to who asks again
) STRICT, WITHOUT ROWID;
CREATE TABLE instructions (
    instruction_id TEXT PRIMARY KEY,
    batch_id TEXT NOT NULL,
    place INTEGER NOT NULL,             -- in the batch
    debtor TEXT NOT NULL,
    creditor TEXT NOT NULL,
    cash INTEGER NOT NULL,
    business_date INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    fault TEXT NOT NULL,
    corrected INTEGER NOT NULL,         -- 1: what went wrong is put right, or nothing did
    statement_no INTEGER                -- of the first statement made after it was taken
) STRICT, WITHOUT ROWID;
CREATE INDEX instructions_by_batch ON instructions (batch_id, place);
CREATE INDEX instructions_to_correct ON instructions (statement_no) WHERE corrected = 0;
CREATE INDEX instructions_new ON instructions (instruction_id) WHERE statement_no IS NULL;
CREATE TABLE entries (
    entry_no INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    cash INTEGER NOT NULL CHECK (cash <> 0),
    business_date INTEGER NOT NULL,
    instruction_id TEXT NOT NULL,
    counter_account TEXT NOT NULL,
    reference TEXT NOT NULL,
    reverses INTEGER,                   -- the entry it undoes
    statement_no INTEGER                -- NULL: not stated yet
) STRICT;
CREATE INDEX entries_new ON entries (account) WHERE statement_no IS NULL;
CREATE INDEX entries_by_instruction ON entries (instruction_id);
CREATE TABLE statements (
    statement_no INTEGER PRIMARY KEY,
    business_date INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (business_date, sequence)
) STRICT;
CREATE TABLE payments (
    payment_id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    cash INTEGER NOT NULL,
    business_date INTEGER NOT NULL,
    reference TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


class BankActError(ValueError):
    """The bank will not do it; says why, what was expected and what was got."""

    def __init__(self, code: BankRefusal, words: str) -> None:
        super().__init__(words)
        self.code = code


class BankBooks:
    """The books in a file.

    Parameters
    ----------
    path
        The database; made if it is not there.
    seed, rates
        What goes wrong.
    clock
        The time in whole seconds since 1970, for messages.
    """

    def __init__(
        self, path: Path | str, seed: int, rates: FaultRates, clock: Callable[[], int]
    ) -> None:
        self._seed = seed
        self._rates = rates
        self._clock = clock
        self._database = apsw.Connection(str(path))
        self._database.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        with self._transaction():
            if self._one("SELECT count(*) FROM sqlite_master")[0] == 0:
                self._database.execute(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    # -- accounts, and cash that comes and goes without the registry ---------------------------

    def account_open(self, account: str) -> None:
        """Open a sub-account; nothing happens if there is one."""
        account_check(account, "account")
        with self._transaction():
            self._database.execute(
                "INSERT INTO accounts (account, balance, true_balance) VALUES (?, 0, 0)"
                " ON CONFLICT DO NOTHING",
                (account,),
            )

    def payment_take(self, payment: PayIn | Withdraw) -> None:
        """Book what a participant pays in or withdraws; the same payment counts once."""
        id_check(payment.payment_id, "payment_id")
        date_check(payment.business_date, "business_date")
        reference = payment.account if payment.reference is None else payment.reference
        text_check(reference, "reference", REFERENCE_CHARACTERS_MAX)
        if not 0 < payment.cash < CASH_LIMIT:
            raise BankActError(
                BankRefusal.VALUE_UNSOUND, f"cash: expected positive fen, got {payment.cash}"
            )
        cash = payment.cash if isinstance(payment, PayIn) else -payment.cash
        content = (payment.account, cash, payment.business_date, reference)
        with self._transaction():
            before = self._one(
                "SELECT account, cash, business_date, reference FROM payments WHERE payment_id = ?",
                payment.payment_id,
            )
            if before is not None:
                if before != content:
                    raise BankActError(
                        BankRefusal.PAYMENT_REUSED,
                        f"payment_id: expected a new one, got another's {payment.payment_id}",
                    )
                return
            balance = self._true_balance(payment.account)
            if balance is None:
                raise BankActError(
                    BankRefusal.ACCOUNT_UNKNOWN,
                    f"account: expected a sub-account, got {payment.account}",
                )
            if not 0 <= balance + cash < BALANCE_LIMIT:
                raise BankActError(
                    BankRefusal.BALANCE_OUT_OF_RANGE,
                    f"account {payment.account}: expected within 0..{BALANCE_LIMIT - 1} fen, got"
                    f" {balance + cash}",
                )
            if payment.business_date < self._last_date():
                raise BankActError(
                    BankRefusal.DAY_OUT_OF_ORDER,
                    f"business_date: expected a day from {self._last_date()} on, got"
                    f" {payment.business_date}",
                )
            self._database.execute(
                "INSERT INTO payments (payment_id, account, cash, business_date, reference)"
                " VALUES (?, ?, ?, ?, ?)",
                (payment.payment_id, *content),
            )
            self._true_move(payment.account, cash)
            self._book(payment.account, cash, payment.business_date, reference=reference)

    # -- batches -------------------------------------------------------------------------------

    def batch_take(self, content: bytes) -> tuple[bytes, str | None]:
        """Carry out a batch and return the report, and the batch's id if it is a new one.

        Raises
        ------
        BankFileError
            It is no batch.

        Notes
        -----
        Rules: CEA-BNK-01, CEA-BNK-02.
        """
        batch = pain_001.batch_read(content, "batch")
        content_hash = blake2b(content, digest_size=32).digest()
        with self._transaction():
            before = self._one(
                "SELECT content_hash, report FROM batches WHERE batch_id = ?", batch.batch_id
            )
            if before is not None and before[0] == content_hash:
                return before[1], None
            if before is not None:
                refusal = StatusReport(
                    report_id=f"{batch.batch_id}-DU01",
                    created_s=self._clock(),
                    batch_id=batch.batch_id,
                    refusal="DU01",
                    refusal_text="the message id was another batch's before",
                )
                return pain_002.report_write(refusal), None
            statuses = tuple(
                self._instruction_take(batch, place, instruction)
                for place, instruction in enumerate(batch.instructions)
            )
            report = self._report(batch.batch_id, 1, statuses)
            self._database.execute(
                "INSERT INTO batches (batch_id, content_hash, report_count, report)"
                " VALUES (?, ?, 1, ?)",
                (batch.batch_id, content_hash, report),
            )
        return report, batch.batch_id

    def status_report(self, batch_id: str) -> bytes:
        """Return a report of how a batch's instructions stand by now."""
        with self._transaction():
            row = self._one("SELECT report_count, report FROM batches WHERE batch_id = ?", batch_id)
            if row is None:
                raise BankActError(
                    BankRefusal.BATCH_UNKNOWN,
                    f"batch_id: expected a batch that was sent, got {batch_id}",
                )
            number = row[0] + 1
            self._database.execute(
                "UPDATE batches SET report_count = ? WHERE batch_id = ?", (number, batch_id)
            )
            # What the first report refused without taking it stays so.
            first = pain_002.report_read(row[1], f"report of {batch_id}")
            return self._report(batch_id, number, tuple(map(self._status_now, first.statuses)))

    def _status_now(self, before: InstructionStatus) -> InstructionStatus:
        if before.status is Status.REFUSED:
            return before
        (status,) = self._one(
            "SELECT status FROM instructions WHERE instruction_id = ?", before.instruction_id
        )
        return InstructionStatus(instruction_id=before.instruction_id, status=Status(status))

    def _report(self, batch_id: str, number: int, statuses: tuple[InstructionStatus, ...]) -> bytes:
        report = StatusReport(
            report_id=f"{batch_id}-{number}",
            created_s=self._clock(),
            batch_id=batch_id,
            statuses=statuses,
        )
        return pain_002.report_write(report)

    def _instruction_take(
        self, batch: Batch, place: int, instruction: Instruction
    ) -> InstructionStatus:
        before = self._one(
            "SELECT debtor, creditor, cash, business_date, purpose, status, reason"
            " FROM instructions WHERE instruction_id = ?",
            instruction.instruction_id,
        )
        content = (
            instruction.debtor,
            instruction.creditor,
            instruction.cash,
            instruction.business_date,
            instruction.purpose.value,
        )
        if before is not None:
            if before[:5] != content:
                return _status(instruction, Status.REFUSED, "DU04")
            return _status(instruction, Status(before[5]), before[6])
        reason, fault = self._objection(instruction), Fault.NONE
        if not reason:
            fault = self._fault(instruction)
            reason = "MS03" if fault is Fault.REFUSE else ""
        status = Status.REFUSED if reason else Status.ACCEPTED
        if fault is Fault.DELAY:
            status = Status.PENDING
        is_corrected = fault in (Fault.NONE, Fault.REFUSE)
        self._database.execute(
            "INSERT INTO instructions (instruction_id, batch_id, place, debtor, creditor, cash,"
            " business_date, purpose, status, reason, fault, corrected)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(instruction.instruction_id, batch.batch_id, place, *content),
                *(status.value, reason, fault.value, int(is_corrected)),
            ),
        )
        if not reason:
            for account, cash in self._legs(instruction).items():
                self._true_move(account, cash)
            self._carry_out(instruction, fault)
        return _status(instruction, status, reason)

    def _objection(self, instruction: Instruction) -> str:
        """Return the standard's code of why it can't be carried out, empty if it can."""
        covered = self._true_balance(instruction.debtor)
        to_sub_account = self._true_balance(instruction.creditor) is not None
        if covered is None:
            return "AC01"
        if to_sub_account == (instruction.purpose is Purpose.PAY_OUT):
            return "AC03"
        if instruction.business_date < self._last_date():
            return "DT01"
        return "AM04" if covered < instruction.cash else ""

    def _fault(self, instruction: Instruction) -> Fault:
        fault = fault_of(self._seed, instruction.instruction_id, self._rates)
        if fault is Fault.MISDIRECT and self._wrong_account(instruction) is None:
            return Fault.NONE
        return fault

    def _wrong_account(self, instruction: Instruction) -> str | None:
        """Return the sub-account a misdirected instruction goes to, None where there is none."""
        others = [
            account
            for (account,) in self._database.execute("SELECT account FROM accounts ORDER BY 1")
            if account not in (instruction.debtor, instruction.creditor)
        ]
        if not others or instruction.purpose is Purpose.PAY_OUT:
            return None
        return others[draw(self._seed, "account", instruction.instruction_id) % len(others)]

    # -- booking -------------------------------------------------------------------------------

    def _legs(self, instruction: Instruction) -> dict[str, int]:
        legs = {instruction.debtor: -instruction.cash}
        if instruction.purpose is not Purpose.PAY_OUT:
            legs[instruction.creditor] = instruction.cash
        return legs

    def _carry_out(self, instruction: Instruction, fault: Fault) -> None:
        """Book an instruction, rightly or with its fault."""
        if fault is Fault.DELAY:
            return
        booked = instruction
        if fault is Fault.MISSTATE:
            wrong = misstated_cash(self._seed, instruction.instruction_id, instruction.cash)
            booked = _changed(instruction, cash=wrong)
        if fault is Fault.MISDIRECT:
            booked = _changed(instruction, creditor=self._wrong_account(instruction))
        for _ in range(2 if fault is Fault.DOUBLE else 1):
            self._instruction_book(booked, instruction.business_date)

    def _instruction_book(self, instruction: Instruction, business_date: int) -> None:
        for account, cash in self._legs(instruction).items():
            is_debtor = account == instruction.debtor
            self._book(
                account,
                cash,
                business_date,
                instruction_id=instruction.instruction_id,
                counter_account=instruction.creditor if is_debtor else instruction.debtor,
            )

    def _book(
        self,
        account: str,
        cash: int,
        business_date: int,
        *,
        instruction_id: str = "",
        counter_account: str = "",
        reference: str = "",
        reverses: int | None = None,
    ) -> None:
        self._database.execute(
            "INSERT INTO entries (account, cash, business_date, instruction_id, counter_account,"
            " reference, reverses) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (account, cash, business_date, instruction_id, counter_account, reference, reverses),
        )
        self._database.execute(
            "UPDATE accounts SET balance = balance + ? WHERE account = ?", (cash, account)
        )

    # -- statements ----------------------------------------------------------------------------

    def statement(self, business_date: int, sequence: int) -> bytes:
        """Return a statement's file: the one made before, or a new one if it is the next.

        Notes
        -----
        What earlier statements showed wrongly, or not at all, is put right first, with entries of
        this statement's day. Rules: CEA-BNK-05.
        """
        date_check(business_date, "business_date")
        with self._transaction():
            row = self._one(
                "SELECT content FROM statements WHERE business_date = ? AND sequence = ?",
                business_date,
                sequence,
            )
            if row is not None:
                return row[0]
            last_date = self._last_date()
            (of_day,) = self._one(
                "SELECT count(*) FROM statements WHERE business_date = ?", business_date
            )
            if business_date < last_date or sequence != of_day + 1:
                raise BankActError(
                    BankRefusal.DAY_OUT_OF_ORDER,
                    f"expected a day from {last_date} on, and its statement {of_day + 1},"
                    f" got {business_date} and {sequence}",
                )
            (number,) = self._one("SELECT 1 + count(*) FROM statements")
            self._put_right(business_date)
            content = camt_053.statement_write(self._stated(number, business_date, sequence))
            self._database.execute(
                "INSERT INTO statements (statement_no, business_date, sequence, content)"
                " VALUES (?, ?, ?, ?)",
                (number, business_date, sequence, content),
            )
        return content

    def _put_right(self, business_date: int) -> None:
        rows = self._database.execute(
            "SELECT instruction_id, debtor, creditor, cash, business_date, purpose, fault"
            " FROM instructions WHERE corrected = 0 AND statement_no IS NOT NULL"
            " ORDER BY instruction_id"
        ).fetchall()
        for instruction_id, debtor, creditor, cash, day, purpose, fault in rows:
            instruction = Instruction(
                instruction_id=instruction_id,
                debtor=debtor,
                creditor=creditor,
                cash=cash,
                business_date=day,
                purpose=Purpose(purpose),
            )
            self._reverse(instruction, Fault(fault), business_date)
            if fault != Fault.DOUBLE:
                self._instruction_book(instruction, business_date)
            self._database.execute(
                "UPDATE instructions SET corrected = 1, status = ? WHERE instruction_id = ?",
                (Status.ACCEPTED.value, instruction_id),
            )

    def _reverse(self, instruction: Instruction, fault: Fault, business_date: int) -> None:
        """Undo an instruction's entries; of a doubled one the second half."""
        entries = self._database.execute(
            "SELECT entry_no, account, cash, counter_account FROM entries"
            " WHERE instruction_id = ? ORDER BY entry_no",
            (instruction.instruction_id,),
        ).fetchall()
        for entry_no, account, cash, counter_account in (
            entries[len(entries) // 2 :] if fault is Fault.DOUBLE else entries
        ):
            self._book(
                account,
                -cash,
                business_date,
                instruction_id=instruction.instruction_id,
                counter_account=counter_account,
                reverses=entry_no,
            )

    def _stated(self, number: int, business_date: int, sequence: int) -> Statement:
        """Mark what is due up to the day as stated, and return it."""
        rows = self._database.execute("SELECT account, balance FROM accounts ORDER BY 1").fetchall()
        if not rows:
            raise BankActError(
                BankRefusal.ACCOUNT_UNKNOWN, "statement: expected a sub-account, got none"
            )
        accounts = tuple(self._account_stated(*row, business_date) for row in rows)
        for table in ("entries", "instructions"):
            self._database.execute(
                f"UPDATE {table} SET statement_no = ?"
                " WHERE statement_no IS NULL AND business_date <= ?",
                (number, business_date),
            )
        return Statement(
            statement_id=f"STMT-{business_date}-{sequence}",
            created_s=self._clock(),
            business_date=business_date,
            sequence=sequence,
            accounts=accounts,
        )

    def _account_stated(self, account: str, balance: int, business_date: int) -> AccountStatement:
        new = self._database.execute(
            "SELECT entry_no, cash, business_date, instruction_id, counter_account, reference,"
            " reverses FROM entries WHERE account = ? AND statement_no IS NULL ORDER BY entry_no",
            (account,),
        ).fetchall()
        opening = balance - sum(row[1] for row in new)
        entries = tuple(
            Entry(
                entry_ref=f"E{entry_no}",
                cash=cash,
                instruction_id=instruction_id,
                counter_account=counter_account,
                reference=reference,
                reverses="" if reverses is None else f"E{reverses}",
            )
            for entry_no, cash, day, instruction_id, counter_account, reference, reverses in new
            if day <= business_date
        )
        closing = opening + sum(entry.cash for entry in entries)
        return AccountStatement(account=account, opening=opening, entries=entries, closing=closing)

    # -- the truth -----------------------------------------------------------------------------

    def truth(self) -> dict[str, Any]:
        """Return what is really so: balances, and what went wrong with each instruction."""
        accounts = self._database.execute("SELECT account, balance, true_balance FROM accounts")
        instructions = self._database.execute(
            "SELECT instruction_id, status, reason, fault, corrected FROM instructions"
        )
        return {
            "accounts": {
                account: {"balance": balance, "true_balance": true_balance}
                for account, balance, true_balance in accounts
            },
            "instructions": {
                instruction_id: {
                    "status": status,
                    "reason": reason,
                    "fault": fault,
                    "corrected": bool(corrected),
                }
                for instruction_id, status, reason, fault, corrected in instructions
            },
        }

    def _true_balance(self, account: str) -> int | None:
        row = self._one("SELECT true_balance FROM accounts WHERE account = ?", account)
        return None if row is None else row[0]

    def _true_move(self, account: str, cash: int) -> None:
        self._database.execute(
            "UPDATE accounts SET true_balance = true_balance + ? WHERE account = ?",
            (cash, account),
        )

    def _last_date(self) -> int:
        return self._one("SELECT coalesce(max(business_date), 0) FROM statements")[0]

    # -- the database --------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _one(self, statement: str, *values: Any) -> tuple | None:
        return self._database.execute(statement, values).fetchone()


def _status(instruction: Instruction, status: Status, reason: str) -> InstructionStatus:
    return InstructionStatus(
        instruction_id=instruction.instruction_id, status=status, reason=reason
    )


def _changed(instruction: Instruction, **fields: Any) -> Instruction:
    return Instruction(
        **{
            name: fields.get(name, getattr(instruction, name))
            for name in instruction.__struct_fields__
        }
    )
