"""Payments by the bank: cash legs become instructions, its answers become states and postings.

::

    trades, pay-outs, defaults, entries --make--> instructions --batch--> bank
                                              ^                    |
    postings <--- accepted, refused, booked --+---- reports -------+
                                              +---- statements ----+

In the mode ``realtime`` a trade is posted and the bank follows: what it refuses opens a default.
In ``end_of_day`` a day is delivered after the bank has answered for each of its trades: what it
refuses has failed. What bank and ledger hold differently meanwhile is shown by `BankBooks`.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from cea_exchange.domain.bank_identifiers import account_check
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked, refused_as
from cea_exchange.ledger.double_entry import (
    BETWEEN_ACCOUNTS,
    CASH_ASSET,
    EntryKind,
    Movement,
    Trade,
)
from cea_exchange.ledger.institutions import Institution
from cea_exchange.protocol.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import pain_001
from cea_exchange.protocol.bank.statements import InstructionStatus
from cea_exchange.registry.bank.lifecycle import LifecycleError, State, after_status
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.sub_accounts import SubAccounts
from cea_exchange.registry.settlement.defaults import Defaults
from cea_exchange.registry.settlement.failures import (
    Failure,
    default_act,
    default_end,
    default_open,
)
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS

_LETTERS = {
    "trade": "T",
    "fee": "F",
    "reserve": "R",
    "recovery": "V",
    "pay_out": "P",
    "bust": "B",
    "fee_back": "C",
    "between": "E",
}
_UNANSWERED = "('made', 'sent', 'pending', 'late')"
TRADE_COUNT_MAX = 4_096
"""Trades looked at in one transaction."""
BATCH_COUNT_MAX = 64
"""Batches read at once: with a bank that is away, what waits is not read again and again."""


class _Made(NamedTuple):
    """What an instruction says, and what it is for."""

    kind: str
    subject: int
    debtor: str
    creditor: str
    cash: int
    purpose: Purpose


class BankPayments:
    """Instructions, from what moves cash to what comes of the bank's word on it.

    Attributes
    ----------
    setting : BankSetting or None
        Without one there is no bank, and nothing is instructed.
    """

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        sub_accounts: SubAccounts,
        defaults: Defaults,
    ) -> None:
        self._ledger = ledger
        self._sub_accounts = sub_accounts
        self._defaults = defaults
        self._setting: BankSetting | None = None
        accounts.pending_checks.append(self._pending)
        ledger.after_posting.append(self.moved)

    @property
    def setting(self) -> BankSetting | None:
        """The bank there is; None without one."""
        return self._setting

    @setting.setter
    def setting(self, setting: BankSetting | None) -> None:
        self._setting = setting
        self._sub_accounts.institutions = {} if setting is None else setting.institutions()

    @property
    def is_there(self) -> bool:
        """Whether there is a bank at all; without one the ledger's cash is all there is."""
        return self._setting is not None

    def sub_account(self, account_index: int) -> str:
        """Return an account's number at the bank: the one noted, else its name."""
        self._known()
        return self._sub_accounts.number(account_index)

    def paid_in_by_hand_check(self, what: str) -> None:
        """Refuse cash that a person says was paid in, where the bank's statements say so.

        Rules: CEA-PER-06.
        """
        if self.setting is not None:
            raise ActError(
                RegistryRefusal.BANK_PAYS_IN,
                f"{what}: expected cash paid in at {self.setting.name} and in its statement, got"
                " a person's word (CEA-PER-06)",
            )

    # -- instructions -------------------------------------------------------------------------

    def instruct(self, count_max: int = TRADE_COUNT_MAX) -> bool:
        """Make the instructions that trades and busts need; say whether there may be more.

        Rules: CEA-BNK-09 (one instruction for each trade's cash, then one for its fees).
        """
        store = self._ledger.store
        with self._ledger.transaction():
            done = store.one("SELECT trade_seq FROM bank_progress")
            if done is None:
                store.insert("bank_progress (id, trade_seq)", [(1, 0)])
                done = 0
            # What waits for the close is instructed once the day has ended.
            until = store.one(
                "SELECT coalesce(max(settlement_seq), 0) FROM deliveries WHERE completed_seq = 0"
            )
            first_waiting = store.one(
                "SELECT min(settlement_seq) FROM trades WHERE state <> 'settled'"
                " AND state = 'received' AND settlement_seq > ?",
                (until,),
            )
            end = store.last_seq if first_waiting is None else first_waiting - 1
            trades = self._trades(
                "settlement_seq > ? AND settlement_seq <= ? AND state IN ('settled', 'received')"
                " ORDER BY settlement_seq LIMIT ?",
                (done, end, count_max),
            )
            is_more = len(trades) == count_max
            late = self._trades(
                "failure <> '' AND state = 'settled' AND settlement_seq <= ? AND NOT EXISTS"
                " (SELECT 1 FROM bank_instructions WHERE kind IN ('trade', 'fee')"
                " AND subject = settlement_seq)",
                (done,),
            )
            self._make(made for trade in [*trades, *late] for made in self._of_trade(trade))
            store.execute(
                "UPDATE bank_progress SET trade_seq = ?",
                (trades[-1].settlement_seq if is_more else end,),
            )
            self._busts_instruct()
        return is_more

    def _trades(self, where: str, values: tuple[Any, ...]) -> list[Trade]:
        rows = self._ledger.store.all(f"SELECT {TRADE_COLUMNS} FROM trades WHERE {where}", values)
        return [Trade(*row) for row in rows]

    def _of_trade(self, trade: Trade) -> Iterable[_Made]:
        """Yield a trade's cash leg; its fees follow when the bank has taken that."""
        seq, cash = trade.settlement_seq, trade.cash - trade.sell_fee
        buyer, seller = map(self.sub_account, (trade.buyer_index, trade.seller_index))
        if cash:
            yield _Made("trade", seq, buyer, seller, cash, Purpose.TRADE_LEG)
        else:
            yield from self._fees_of(trade, buyer)

    def _fees_of(self, trade: Trade, debtor: str) -> Iterable[_Made]:
        fees = trade.buy_fee + trade.sell_fee
        if fees:
            to = self._known().fees
            yield _Made("fee", trade.settlement_seq, debtor, to, fees, Purpose.FEE)

    def _busts_instruct(self) -> None:
        """Send back what the bank has moved for trades that were undone."""
        rows = self._ledger.store.all(
            "SELECT b.settlement_seq, i.kind, i.debtor, i.creditor, i.cash FROM busts b"
            " JOIN bank_instructions i ON i.subject = b.trade_seq AND i.kind IN ('trade', 'fee')"
            " WHERE b.reason = 0 AND i.state NOT IN ('made', 'sent', 'pending', 'refused')"
            " AND NOT EXISTS (SELECT 1 FROM bank_instructions j WHERE j.subject = b.settlement_seq"
            " AND j.kind = CASE i.kind WHEN 'trade' THEN 'bust' ELSE 'fee_back' END)"
        )
        self._make(
            _Made(
                "bust" if kind == "trade" else "fee_back",
                *(seq, creditor, debtor, cash),
                Purpose.TRADE_LEG if kind == "trade" else Purpose.FEE,
            )
            for seq, kind, debtor, creditor, cash in rows
        )

    def moved(self, movements: Sequence[Movement], entry_ids: Sequence[int]) -> None:
        """Tell the bank of cash that went from one account to another; within a transaction.

        Rules: CEA-BNK-14.
        """
        if self.setting is None:
            return
        sub_account = self.sub_account
        self._make(
            _Made(
                *("between", entry_id),
                *(sub_account(moved.account_index), sub_account(moved.counter_index)),
                *(moved.amount, Purpose.BETWEEN),
            )
            for moved, entry_id in zip(movements, entry_ids, strict=True)
            if moved.kind in BETWEEN_ACCOUNTS and moved.asset_index == CASH_ASSET
        )

    def again(self, instruction_id: str) -> str:
        """Instruct again what the bank has refused, under a new id; return that.

        Rules: CEA-BNK-01, CEA-BNK-08 (a refusal is final: what follows is another instruction).
        """
        with self._ledger.transaction():
            row = self._ledger.store.one(
                "SELECT kind, subject, debtor, creditor, cash, purpose, attempt, state"
                " FROM bank_instructions WHERE instruction_id = ?",
                (instruction_id,),
            )
            if row is None or row[-1] != State.REFUSED:
                raise ActError(
                    RegistryRefusal.INSTRUCTION_STATE,
                    f"instruction: expected a refused one, got {instruction_id}",
                )
            kind, subject, debtor, creditor, cash, purpose, attempt, _state = row
            last = self._ledger.store.one(
                "SELECT max(attempt) FROM bank_instructions WHERE kind = ? AND subject = ?",
                (kind, subject),
            )
            if last != attempt:
                raise ActError(
                    RegistryRefusal.INSTRUCTION_STATE,
                    f"instruction {instruction_id}: expected one not tried again yet, got one"
                    " that was",
                )
            made = _Made(kind, subject, debtor, creditor, cash, Purpose(purpose))
            (new_id,) = self._make([made], attempt=attempt + 1)
        return new_id

    def _make(self, made: Iterable[_Made], attempt: int = 1) -> list[str]:
        date = self._ledger.business_date()
        rows = []
        for each in made:
            name = f"{_LETTERS[each.kind]}{each.subject}{f'.{attempt}' if attempt > 1 else ''}"
            state = (date, each.purpose.value, State.MADE.value, "", "")
            rows.append((name, each.kind, each.subject, attempt, *each[2:5], *state))
        self._ledger.store.insert(
            "bank_instructions (instruction_id, kind, subject, attempt, debtor, creditor, cash,"
            " business_date, purpose, state, reason, batch_id)",
            rows,
        )
        return [row[0] for row in rows]

    # -- to the bank and back -----------------------------------------------------------------

    def batches(self, count_max: int = BATCH_COUNT_MAX, but: Container[str] = ()) -> list[Batch]:
        """Put what was made into batches; return the oldest of those without an answer.

        The bytes are kept, so a batch that is sent again is the same message.

        Rules: CEA-BNK-02.

        Parameters
        ----------
        but
            Batches to leave out; they are not read.
        """
        store, setting = self._ledger.store, self._known()
        with self._ledger.transaction():
            rows = store.all(
                "SELECT instruction_id, debtor, creditor, cash, business_date, purpose"
                " FROM bank_instructions WHERE state = 'made' AND state <> 'booked'"
                " ORDER BY business_date, subject, instruction_id"
            )
            for start in range(0, len(rows), setting.batch_count_max):
                self._batch_make(rows[start : start + setting.batch_count_max])
        unanswered = store.all(
            "SELECT batch_id FROM bank_batches WHERE is_answered = 0"
            " ORDER BY length(batch_id), batch_id"
        )
        return self._batches_read(unanswered, count_max, but)

    def _batches_read(
        self, rows: list[tuple[Any, ...]], count_max: int, but: Container[str]
    ) -> list[Batch]:
        names = [name for (name,) in rows if name not in but]
        return [self.batch_sent(name) for name in names[:count_max]]

    def _batch_make(self, rows: list[tuple[Any, ...]]) -> None:
        store, setting = self._ledger.store, self._known()
        number = 1 + store.one("SELECT count(*) FROM bank_batches")
        batch = Batch(
            batch_id=f"B{number}",
            created_s=self._ledger.now_ns() // 1_000_000_000,
            customer=setting.customer,
            bank=setting.name,
            instructions=tuple(
                Instruction(
                    instruction_id=name,
                    debtor=debtor,
                    creditor=creditor,
                    cash=cash,
                    business_date=date,
                    purpose=Purpose(purpose),
                )
                for name, debtor, creditor, cash, date, purpose in rows
            ),
        )
        store.insert(
            "bank_batches (batch_id, content, is_answered)",
            [(batch.batch_id, pain_001.batch_write(batch), 0)],
        )
        for name, *_ in rows:
            store.change(
                "bank_instructions", {"instruction_id": name}, state="sent", batch_id=batch.batch_id
            )

    def batch_sent(self, batch_id: str) -> Batch:
        """Return a batch that was sent; `ActError` if there is none of that id."""
        content = self._ledger.store.find("bank_batches", "content", batch_id=batch_id)
        if content is None:
            raise ActError(
                RegistryRefusal.BANK_BATCH_UNKNOWN,
                f"report: expected an answer to a batch that was sent, got one to {batch_id}",
            )
        return pain_001.batch_read(content, batch_id)

    def batches_pending(
        self, count_max: int = BATCH_COUNT_MAX, but: Container[str] = ()
    ) -> list[Batch]:
        """Return the oldest batches in which the bank has something and promises nothing."""
        pending = self._ledger.store.all(
            "SELECT batch_id FROM bank_instructions WHERE state = 'pending' AND state <> 'booked'"
            " GROUP BY batch_id ORDER BY length(batch_id), batch_id"
        )
        return self._batches_read(pending, count_max, but)

    def status_take(self, status: InstructionStatus) -> None:
        """Take what the bank says of an instruction, and what comes of it; within a transaction.

        Rules: CEA-BNK-08, CEA-BNK-10 (what is refused has failed, or opens a default).
        """
        row = self._ledger.store.one(
            "SELECT kind, subject, state FROM bank_instructions WHERE instruction_id = ?",
            (status.instruction_id,),
        )
        if row is None:
            raise ActError(
                RegistryRefusal.INSTRUCTION_UNKNOWN,
                f"status: expected that of an instruction, got one of {status.instruction_id}",
            )
        kind, subject, before = row
        says = f"instruction {status.instruction_id}: "
        with refused_as(RegistryRefusal.BANK_CONTRADICTION, LifecycleError, says=says):
            state = after_status(State(before), status.status)
        self.state_set(status.instruction_id, kind, subject, state, before, status.reason)

    def state_set(
        self, name: str, kind: str, subject: int, state: State, before: str, reason: str = ""
    ) -> None:
        """Note an instruction's new state, and do what comes of it; within a transaction."""
        if state == before:
            return
        self._ledger.store.change(
            "bank_instructions", {"instruction_id": name}, state=state.value, reason=reason
        )
        is_taken = state in (State.ACCEPTED, State.BOOKED, State.IN_ERROR) and not reason
        if is_taken and before in (State.SENT, State.PENDING, State.LATE):
            self._taken(kind, subject)
        if state is State.REFUSED and before != State.REFUSED:
            self._refused(kind, subject, reason)
        if kind == "pay_out" and state is State.BOOKED:
            self._pay_out_end(subject, EntryKind.PAID_OUT, "paid")

    def _taken(self, kind: str, subject: int) -> None:
        """The bank has taken an instruction over; said twice, it is done once."""
        store, defaults = self._ledger.store, self._defaults
        if kind == "trade":
            (trade,) = self._trades("settlement_seq = ?", (subject,))
            self._fees_make(trade, self.sub_account(trade.buyer_index))
            state = store.find("trades", "state", settlement_seq=subject)
            if state == "failed":
                defaults.retry()
            elif state == "settled":
                default_end(store, subject, "cured", self._ledger.business_date())
        elif kind == "reserve":
            trade_seq, state = store.find("defaults", "trade_seq, state", default_id=subject)
            if state == "covering":
                defaults.covered(subject)
                (trade,) = self._trades("settlement_seq = ?", (trade_seq,))
                self._fees_make(trade, self._known().reserve)

    def _fees_make(self, trade: Trade, debtor: str) -> None:
        if not self._ledger.store.one(
            "SELECT 1 FROM bank_instructions WHERE kind = 'fee' AND subject = ?",
            (trade.settlement_seq,),
        ):
            self._make(self._fees_of(trade, debtor))

    def _refused(self, kind: str, subject: int, reason: str) -> None:
        store = self._ledger.store
        if kind == "trade":
            (trade,) = self._trades("settlement_seq = ?", (subject,))
            paid = trade.cash + trade.buy_fee
            failure = Failure(f"the bank refused: {reason}", trade.buyer_index, CASH_ASSET, paid)
            store.execute(
                "UPDATE trades SET state = 'failed', failure = ? WHERE settlement_seq = ?"
                " AND state = 'received'",
                (failure.why, subject),
            )
            store.unposted_changes += 1
            state = store.find("trades", "state", settlement_seq=subject)
            has_one = store.has("defaults", trade_seq=subject)
            if state != "busted" and not has_one:
                default_open(store, trade, failure, self._ledger.business_date())
        elif kind == "reserve":
            # What the ledger has paid is paid: the bank is to be instructed again.
            before = store.find("defaults", "state", default_id=subject)
            if before != "covering":
                return
            store.change("defaults", {"default_id": subject}, state="noticed")
            date = self._ledger.business_date()
            default_act(store, subject, "uncovered", date, note=f"the bank refused: {reason}")
        elif kind == "pay_out":
            self._pay_out_end(subject, EntryKind.PAY_OUT_RETURNED, "returned")

    # -- what else waits for the bank ---------------------------------------------------------

    def is_ready(self, until_seq: int) -> bool:
        """Tell whether the bank has answered for every trade of a day that is to be delivered."""
        store = self._ledger.store
        done = store.one("SELECT trade_seq FROM bank_progress") or 0
        return done >= until_seq and not store.one(
            "SELECT 1 FROM bank_instructions WHERE kind = 'trade' AND subject <= ?"
            f" AND state IN {_UNANSWERED} AND state <> 'booked' LIMIT 1",
            (until_seq,),
        )

    def refusal_of(self, trade: Trade) -> str | None:
        """Return why a trade's cash can't be had: its last instruction was refused, or waits."""
        row = self._ledger.store.one(
            "SELECT state, reason FROM bank_instructions WHERE kind = 'trade' AND subject = ?"
            " ORDER BY attempt DESC LIMIT 1",
            (trade.settlement_seq,),
        )
        if row is None or row[0] not in ("made", "sent", "pending", "late", "refused"):
            return None
        return f"the bank refused: {row[1]}" if row[1] else "the bank has not answered"

    def reserve_instruct(self, default_id: int, trade_seq: int) -> None:
        """Tell the bank to pay a seller out of the reserve; within a transaction."""
        (trade,) = self._trades("settlement_seq = ?", (trade_seq,))
        tried = self._ledger.store.one(
            "SELECT coalesce(max(attempt), 0) FROM bank_instructions"
            " WHERE kind = 'reserve' AND subject = ?",
            (default_id,),
        )
        made = _Made(
            *("reserve", default_id, self._known().reserve, self.sub_account(trade.seller_index)),
            *(trade.cash - trade.sell_fee, Purpose.RESERVE),
        )
        self._make([made], attempt=tried + 1)

    def recovery_instruct(self, default_id: int, account_index: int, cash: int) -> None:
        """Tell the bank to move back to the reserve what it lent; within a transaction."""
        tried = self._ledger.store.one(
            "SELECT coalesce(max(attempt), 0) FROM bank_instructions"
            " WHERE kind = 'recovery' AND subject = ?",
            (default_id,),
        )
        ends = (self.sub_account(account_index), self._known().reserve)
        made = _Made("recovery", default_id, *ends, cash, Purpose.RESERVE)
        self._make([made], attempt=tried + 1)

    # -- pay-outs -----------------------------------------------------------------------------

    def pay_out(self, account: str, cash_fen: int, creditor: str) -> int:
        """Pay cash from a sub-account to the participant's own account at its bank.

        Returns the pay-out's number. The cash is on its way until the bank has booked or refused
        it.

        Rules: CEA-BNK-11 (two phases).
        """
        cash = amount_checked(cash_fen, "cash")
        with refused_as(RegistryRefusal.SUB_ACCOUNT_UNSOUND):
            account_check(creditor, "creditor")
        ledger, store = self._ledger, self._ledger.store
        with ledger.transaction():
            index = ledger.account(account)
            debtor = self.sub_account(index)
            if creditor == debtor:
                raise ActError(
                    RegistryRefusal.SAME_ACCOUNT,
                    f"creditor: expected another account than {debtor}, got it",
                )
            self._defaults.free_cash_check(index, cash)
            into = "pay_outs (pay_out_id, account_index, cash, creditor, state)"
            pay_out_id = store.add(into, index, cash, creditor, "begun")
            reference = f"pay_out {pay_out_id}"
            ledger.move(EntryKind.PAY_OUT_BEGUN, index, index, CASH_ASSET, cash, reference)
            self._make([_Made("pay_out", pay_out_id, debtor, creditor, cash, Purpose.PAY_OUT)])
        return pay_out_id

    def _pay_out_end(self, pay_out_id: int, kind: EntryKind, state: str) -> None:
        store = self._ledger.store
        index, cash, before = store.one(
            "SELECT account_index, cash, state FROM pay_outs WHERE pay_out_id = ?", (pay_out_id,)
        )
        if before != "begun":
            return
        counter = int(Institution.BANK) if kind is EntryKind.PAID_OUT else index
        reference = f"pay_out {pay_out_id}"
        self._ledger.move(kind, index, counter, CASH_ASSET, cash, reference)
        store.change("pay_outs", {"pay_out_id": pay_out_id}, state=state)

    def _pending(self, account_index: int) -> Iterator[str]:
        """Yield what was instructed of a sub-account and not booked: it keeps an account.

        Rules: CEA-ACC-05 (nothing pending).
        """
        if self.setting is None:
            return
        rows = self._ledger.store.all(
            "SELECT instruction_id, state FROM bank_instructions WHERE state <> 'booked'"
            " AND state <> 'refused' AND ? IN (debtor, creditor) ORDER BY instruction_id",
            (self.sub_account(account_index),),
        )
        for name, state in rows:
            yield f"instruction {name} is {state.replace('_', ' ')}"

    def _known(self) -> BankSetting:
        if self.setting is None:
            raise ActError(
                RegistryRefusal.BANK_NOT_SET, "bank: expected the setting [bank], got none"
            )
        return self.setting
