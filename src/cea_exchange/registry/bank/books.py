"""What the bank has booked: statements read whole, pay-ins taken once, differences kept and shown.

The work grows with the statement and with what is not settled, not with all that ever was.

Per sub-account, at any moment::

    bank's closing balance = cash in the ledger + what is open + what is wrong

Open is what one side has done and the other not yet: an instruction not booked, a trade not posted.
Wrong is what the bank booked otherwise than instructed, until it corrects it.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, refused_as
from cea_exchange.ledger.database.interface import ConstraintViolated
from cea_exchange.ledger.double_entry import BETWEEN_ACCOUNTS, CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import CONTRA, Institution
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.bank.instructions import Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import camt_053
from cea_exchange.protocol.bank.iso_20022.camt_053 import Known
from cea_exchange.protocol.bank.statements import (
    AccountStatement,
    Entry,
    InstructionStatus,
    Statement,
    Status,
)
from cea_exchange.registry.bank.lifecycle import LifecycleError, State, after_outcome
from cea_exchange.registry.bank.matching import Finding, Matching, Outcome, match
from cea_exchange.registry.bank.payments import BankPayments
from cea_exchange.registry.bank.reports import BankReports, Unapplied
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.mergers import successors

RESERVE_REFERENCE = "risk reserve"
"""What whoever funds the reserve writes."""

_INSTRUCTION = (
    "instruction_id, debtor, creditor, cash, business_date, purpose, state, reason, kind, subject,"
    " attempt"
)


_PAID_IN_TO = "account_index >= 0 AND state <> 'closed'"
"""Whose pay-ins are booked; of a merged account they go on to who has taken it over."""


class BankBooks:
    """The bank's side of the cash, as its statements show it."""

    def __init__(
        self,
        ledger: Ledger,
        payments: BankPayments,
        reports: BankReports,
        setting: BankSetting,
    ) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._payments = payments
        self._reports = reports
        self._setting = setting

    # -- statements ---------------------------------------------------------------------------

    def statement_read(
        self, content: bytes, name: str, asked: tuple[int, int] | None = None
    ) -> Matching:
        """Read a statement, whole or not at all, and take what comes of it.

        Raises BankFileError: file, line and reason. Nothing was changed.

        Raises ActError: it shows what can't be.

        Rules: CEA-BNK-03, CEA-BNK-06, CEA-BNK-07, CEA-BNK-12 (a pay-in is booked once).

        Parameters
        ----------
        content
            The file, a camt.053.
        name
            Its name, for a refusal.
        asked
            Day and sequence that the bank was asked for; None if it was not.
        """
        store = self._store
        with self._ledger.transaction():
            statement = camt_053.statement_read(content, name, self._statement_known(asked))
            where = (statement.statement_id, statement.business_date, statement.sequence)
            store.insert(
                "bank_statements (statement_id, business_date, sequence, content)",
                [(*where, content)],
            )
            for account in statement.accounts:
                store.execute(
                    "INSERT INTO bank_accounts (account, closing) VALUES (?, ?)"
                    " ON CONFLICT (account) DO UPDATE SET closing = excluded.closing",
                    (account.account, account.closing),
                )
                self._entries_keep(statement.statement_id, account)
            found = self.matching(statement)
            # What came in first: it may be what an instruction needs, of this statement or of an
            # answer that could not be applied for want of it.
            self._pay_ins_take(found)
            self._unexplained_keep(found)
            self._reports.retry()
            self._findings_take(statement.statement_id, found)
        return found

    def _entries_keep(self, statement_id: str, stated: AccountStatement) -> None:
        rows = [_entry_row(statement_id, stated.account, entry) for entry in stated.entries]
        try:
            self._store.insert(
                "bank_entries (entry_ref, statement_id, account, cash, instruction_id,"
                " counter_account, reference, reverses)",
                rows,
            )
        except ConstraintViolated:
            raise ActError(
                RegistryRefusal.BANK_STATED_TWICE,
                f"statement {statement_id}: expected a new AcctSvcrRef each, got one of account"
                f" {stated.account} that was stated before",
            ) from None

    def _statement_known(self, asked: tuple[int, int] | None) -> Known:
        store = self._store
        last = store.one(
            "SELECT business_date, sequence FROM bank_statements"
            " ORDER BY business_date DESC, sequence DESC LIMIT 1"
        )
        closings: dict[str, int] = dict(store.all("SELECT account, closing FROM bank_accounts"))
        return Known(
            statement_ids=_Stored(store, "SELECT 1 FROM bank_statements WHERE statement_id = ?"),
            instruction_ids=_Stored(
                store,
                "SELECT 1 FROM bank_instructions WHERE instruction_id = ? AND state <> 'made'",
            ),
            closings=closings,
            last=last,
            asked=asked,
            today=self._ledger.business_date(),
        )

    def matching(self, latest: Statement | None = None) -> Matching:
        """Hold what is not settled with the bank, and what a statement touches, against entries."""
        entries = [] if latest is None else [e for each in latest.accounts for e in each.entries]
        # One that was refused is settled until an entry speaks of it.
        rows = self._store.all(
            f"SELECT {_INSTRUCTION} FROM bank_instructions WHERE state <> 'booked'"
            " AND state <> 'made' AND state <> 'refused' ORDER BY subject, instruction_id"
        )
        touched = {entry.instruction_id for entry in entries} - {""}
        rows += self._rows_of(touched - {row[0] for row in rows})
        refs = {entry.entry_ref for entry in entries if not entry.instruction_id}
        return self._match(rows, [*self._unexplained(), *sorted(refs)])

    def finding_again(self, instruction_id: str) -> None:
        """Take again what the statements show of an instruction; within a transaction."""
        (finding,) = self._match(self._rows_of({instruction_id}), []).findings
        self._finding_take(finding)

    def _match(self, rows: list[tuple[Any, ...]], refs: list[str]) -> Matching:
        """Hold instructions against their entries and those of some references."""
        instructions = [_instruction(row) for row in rows]
        statuses = [
            InstructionStatus(instruction_id=row[0], status=Status.REFUSED, reason=row[7])
            for row in rows
            if row[7]
        ]
        return match(instructions, statuses, [self._entries_of(rows, refs)], self._references())

    def _unexplained(self) -> list[str]:
        return self._store.column("SELECT entry_ref FROM bank_unexplained ORDER BY entry_ref")

    def _unexplained_keep(self, found: Matching) -> None:
        """Keep which entries without an instruction are still nobody's."""
        before = set(self._unexplained())
        now = {each.entry.entry_ref for each in found.unknown if not each.entry.instruction_id}
        self._store.insert("bank_unexplained (entry_ref)", [(ref,) for ref in sorted(now - before)])
        for ref in sorted(before - now):
            self._store.execute("DELETE FROM bank_unexplained WHERE entry_ref = ?", (ref,))

    def _rows_of(self, names: set[str]) -> list[tuple[Any, ...]]:
        found = []
        for name in sorted(names):
            found += self._store.all(
                f"SELECT {_INSTRUCTION} FROM bank_instructions WHERE instruction_id = ?", (name,)
            )
        return found

    def _entries_of(self, rows: list[tuple[Any, ...]], refs: list[str]) -> Statement:
        """Return the entries of some instructions, and those of some references, as one."""
        columns = "account, entry_ref, cash, instruction_id, counter_account, reference, reverses"
        entries: list[tuple[Any, ...]] = []
        for ref in dict.fromkeys(refs):
            entries += self._store.all(
                f"SELECT {columns} FROM bank_entries WHERE entry_ref = ?", (ref,)
            )
        for name, *_ in rows:
            entries += self._store.all(
                f"SELECT {columns} FROM bank_entries WHERE instruction_id = ?", (name,)
            )
        by_account: dict[str, list[Entry]] = {}
        for account, ref, cash, name, counter, reference, reverses in entries:
            entry = Entry(
                entry_ref=ref,
                cash=cash,
                instruction_id=name,
                counter_account=counter,
                reference=reference,
                reverses=reverses,
            )
            by_account.setdefault(account, []).append(entry)
        accounts = tuple(
            AccountStatement(
                account=account,
                opening=0,
                entries=tuple(listed),
                closing=sum(entry.cash for entry in listed),
            )
            for account, listed in sorted(by_account.items())
        ) or (AccountStatement(account=self._setting.fees, opening=0, entries=(), closing=0),)
        return Statement(
            statement_id="ALL", created_s=0, business_date=19700101, sequence=1, accounts=accounts
        )

    def _references(self) -> dict[str, str]:
        rows = self._store.all(
            "SELECT CASE bank_account WHEN '' THEN account ELSE bank_account END, account"
            f" FROM accounts WHERE {_PAID_IN_TO}"
        )
        return dict(rows) | {self._setting.reserve: RESERVE_REFERENCE}

    def _findings_take(self, statement_id: str, found: Matching) -> None:
        """Take what the entries show of each instruction; what can't be applied is kept for later.

        Rules: CEA-BNK-15.
        """
        reports = self._reports
        unapplied = []
        for finding in found.findings:
            why = reports.tried(partial(self._finding_take, finding))
            if why is None:
                reports.overtaken([finding.instruction_id])
            else:
                outcome = finding.outcome.value
                unapplied.append(Unapplied(finding.instruction_id, outcome, "", why))
        reports.unapplied_keep(f"statement {statement_id}", unapplied)

    def _finding_take(self, finding: Finding) -> None:
        name = finding.instruction_id
        kind, subject, before, reason = self._store.find(
            "bank_instructions", "kind, subject, state, reason", instruction_id=name
        )
        says = f"instruction {name}: "
        with refused_as(RegistryRefusal.BANK_CONTRADICTION, LifecycleError, says=says):
            state = after_outcome(State(before), finding.outcome)
        self._payments.state_set(name, kind, subject, state, before, reason)

    def _pay_ins_take(self, found: Matching) -> None:
        owners = dict(
            self._store.all(
                "SELECT CASE bank_account WHEN '' THEN account ELSE bank_account END,"
                f" account_index FROM accounts WHERE {_PAID_IN_TO}"
            )
        ) | {self._setting.reserve: int(Institution.RISK_RESERVE)}
        into = successors(self._store)
        for stated in found.pay_ins:
            ref, owner = stated.entry.entry_ref, owners[stated.account]
            entry_id = self._ledger.move(
                EntryKind.PAY_IN,
                int(Institution.BANK),
                owner,
                CASH_ASSET,
                stated.entry.cash,
                f"bank {ref}",
            )
            self._store.insert("bank_pay_ins (entry_ref, entry_id)", [(ref, entry_id)])
            if owner in into:
                ends = (owner, into[owner], CASH_ASSET, stated.entry.cash)
                self._ledger.move(EntryKind.MERGED, *ends, f"bank {ref}")

    def wrong(self) -> Matching:
        """Return what the bank has booked otherwise than instructed, and what nobody knows."""
        found = self.matching()
        settled = (Outcome.BOOKED, Outcome.MISSING, Outcome.REFUSED)
        findings = tuple(each for each in found.findings if each.outcome not in settled)
        differences: Counter[str] = Counter()
        for finding in findings:
            for leg in finding.legs:
                differences[leg.account] += leg.difference
        for stated in found.unknown:
            differences[stated.account] += stated.entry.cash
        return Matching(
            findings=findings,
            pay_ins=(),
            unknown=found.unknown,
            differences={name: cash for name, cash in sorted(differences.items()) if cash},
        )

    # -- the two sides ------------------------------------------------------------------------

    def reconcile(self) -> list[dict[str, Any]]:
        """Return each sub-account with the bank's balance, the ledger's, and what lies between.

        Returns ``account``, ``bank``, ``ledger``, ``open``, ``wrong``, and ``unexplained``, which
        must be 0. All fen.

        Rules: CEA-BNK-13 (bank = ledger, but for what is open or wrong).
        """
        bank: dict[str, int] = dict(self._store.all("SELECT account, closing FROM bank_accounts"))
        ledger = self._ledger_cash()
        wrong = Counter(self.wrong().differences)
        open_ = Counter(self._between())
        for account, cash in wrong.items():
            open_[account] -= cash
        rows = []
        for account in sorted({*bank, *ledger, *open_, *wrong}):
            held, booked = ledger.get(account, 0), bank.get(account, 0)
            unexplained = booked - held - open_[account] - wrong[account]
            rows.append(
                {
                    "account": account,
                    "bank": booked,
                    "ledger": held,
                    "open": open_[account],
                    "wrong": wrong[account],
                    "unexplained": unexplained,
                }
            )
        return rows

    def _ledger_cash(self) -> dict[str, int]:
        rows = self._store.all(
            "SELECT account_index, sum(amount) FROM balances WHERE asset_index = ?"
            " GROUP BY account_index",
            (CASH_ASSET,),
        )
        number = self._payments.sub_account
        return {number(index): cash for index, cash in rows if index not in CONTRA}

    def _between(self) -> dict[str, int]:
        """Return by sub-account what the bank has booked less what the ledger has posted."""
        between: Counter[str] = Counter()
        rows = self._store.all(
            "SELECT account, sum(cash) FROM bank_entries"
            " WHERE entry_ref NOT IN (SELECT entry_ref FROM bank_pay_ins) GROUP BY account"
        )
        for account, cash in rows:
            between[account] += cash
        for account, cash in self._posted_legs():
            between[account] -= cash
        return {account: cash for account, cash in between.items() if cash}

    def _posted_legs(self) -> list[tuple[str, int]]:
        """Return what the ledger has posted of what goes by the bank, summed by account and leg."""
        kinds = {
            "trade": (EntryKind.TRADE, EntryKind.BUST),
            "reserve": (EntryKind.RESERVE_USED, EntryKind.RESERVE_RECOVERED),
            "between": tuple(sorted(BETWEEN_ACCOUNTS)),
            "out": (EntryKind.PAID_OUT,),
        }
        wanted = ", ".join(str(int(kind)) for each in kinds.values() for kind in each)
        rows = self._store.all(
            "SELECT p.account_index, sum(p.amount) FROM postings p"
            " JOIN entries e ON e.entry_id = p.posting_id / 8"
            f" WHERE e.kind IN ({wanted}) AND p.asset_index = ? GROUP BY p.account_index",
            (CASH_ASSET,),
        )
        number = self._payments.sub_account
        return [(number(index), cash) for index, cash in rows if index not in CONTRA]


class _Stored(Collection[str]):
    """Ids in a table, looked up one by one: no statement is worth reading all of them."""

    def __init__(self, store: Store, sql: str) -> None:
        self._store = store
        self._sql = sql

    def __contains__(self, name: object) -> bool:
        return self._store.one(self._sql, (name,)) is not None

    def __iter__(self) -> Iterator[str]:
        raise TypeError("ids in a table are looked up, not listed")

    def __len__(self) -> int:
        raise TypeError("ids in a table are looked up, not counted")


def _instruction(row: tuple[Any, ...]) -> Instruction:
    name, debtor, creditor, cash, date, purpose = row[:6]
    return Instruction(
        instruction_id=name,
        debtor=debtor,
        creditor=creditor,
        cash=cash,
        business_date=date,
        purpose=Purpose(purpose),
    )


def _entry_row(statement_id: str, account: str, entry: Entry) -> tuple[Any, ...]:
    return (
        *(entry.entry_ref, statement_id, account, entry.cash, entry.instruction_id),
        *(entry.counter_account, entry.reference, entry.reverses),
    )
