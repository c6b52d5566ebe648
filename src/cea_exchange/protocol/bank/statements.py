"""The settlement bank's answers as values: statuses of instructions, and bookings."""

from collections import Counter
from enum import StrEnum

import msgspec

from cea_exchange.domain.bank_identifiers import account_check, date_check, id_check
from cea_exchange.protocol.bank.instructions import CASH_LIMIT

REFERENCE_CHARACTERS_MAX = 140
REFUSAL_TEXT_CHARACTERS_MAX = 105


class Status(StrEnum):
    """What has become of an instruction at the bank, as far as it says.

    Accepted is a promise: only an entry of a statement shows that cash has moved.
    """

    ACCEPTED = "accepted"
    PENDING = "pending"
    REFUSED = "refused"


class InstructionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of one instruction; refused ones have a reason of four characters (`AM04`)."""

    instruction_id: str
    status: Status
    reason: str = ""

    def __post_init__(self) -> None:
        id_check(self.instruction_id, "instruction_id")
        _reason_check(self.reason, self.status is Status.REFUSED, self.instruction_id)


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The bank's answer to a batch.

    Attributes
    ----------
    report_id
        The message's name.
    created_s
        When it was made, whole seconds since 1970.
    batch_id
        The batch it answers.
    refusal, refusal_text
        Reason and explanation where the batch was refused whole; then there are no statuses.
    statuses
        One for each instruction, in the batch's order.
    """

    report_id: str
    created_s: int
    batch_id: str
    refusal: str = ""
    refusal_text: str = ""
    statuses: tuple[InstructionStatus, ...] = ()

    def __post_init__(self) -> None:
        id_check(self.report_id, "report_id")
        id_check(self.batch_id, "batch_id")
        _reason_check(self.refusal, not self.statuses, self.batch_id)
        text_check(self.refusal_text, "refusal_text", REFUSAL_TEXT_CHARACTERS_MAX)
        if self.refusal_text and not self.refusal:
            raise ValueError(
                f"report {self.report_id}: expected a reason beside a refusal's text, got none"
            )
        _unique_check([each.instruction_id for each in self.statuses], "instruction")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One booking on one sub-account."""

    entry_ref: str
    """The bank's name for it, unique for ever."""
    cash: int
    """Fen: positive came in, negative went out; never zero."""
    instruction_id: str = ""
    """Of the instruction it carries out; empty where there is none."""
    counter_account: str = ""
    """Where the cash came from or went to; empty where the bank does not say."""
    reference: str = ""
    """What the payer wrote; empty where he wrote nothing."""
    reverses: str = ""
    """The entry it undoes; empty where it undoes none."""

    def __post_init__(self) -> None:
        id_check(self.entry_ref, "entry_ref")
        if not 0 < abs(self.cash) < CASH_LIMIT:
            raise ValueError(f"entry {self.entry_ref}: cash: expected not 0, got {self.cash} fen")
        for name in ("instruction_id", "reverses"):
            text = getattr(self, name)
            if text:
                id_check(text, name)
        if self.counter_account:
            account_check(self.counter_account, "counter_account")
        text_check(self.reference, "reference", REFERENCE_CHARACTERS_MAX)


class AccountStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One sub-account within a statement: opening balance, entries, closing balance, fen."""

    account: str
    opening: int
    entries: tuple[Entry, ...]
    closing: int

    def __post_init__(self) -> None:
        account_check(self.account, "account")
        total = self.opening + sum(entry.cash for entry in self.entries)
        if total != self.closing:
            raise ValueError(
                f"account {self.account}: closing: expected {total} fen, opening and entries,"
                f" got {self.closing}"
            )
        if (most := max(abs(self.opening), abs(self.closing))) >= CASH_LIMIT:
            raise ValueError(
                f"account {self.account}: expected balances below {CASH_LIMIT} fen, got {most}"
            )


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank has booked on all sub-accounts since its statement before.

    Rules: CEA-BNK-04 (a statement adds up), CEA-BNK-05 (corrections are statements of their own).
    """

    statement_id: str
    """The message's name."""
    created_s: int
    """When it was made, whole seconds since 1970."""
    business_date: int
    """The day it is for, yyyymmdd."""
    sequence: int
    """1 for the day's first; a correction of the same day is the next."""
    accounts: tuple[AccountStatement, ...]
    """Every sub-account, those without entries too."""

    def __post_init__(self) -> None:
        id_check(self.statement_id, "statement_id")
        date_check(self.business_date, "business_date")
        if self.sequence < 1:
            raise ValueError(f"sequence: expected 1 or more, got {self.sequence}")
        if not self.accounts:
            raise ValueError(
                f"statement {self.statement_id}: expected an account or more, got none"
            )
        _unique_check([each.account for each in self.accounts], "account")
        refs = [entry.entry_ref for each in self.accounts for entry in each.entries]
        _unique_check(refs, "entry")

    def closings(self) -> dict[str, int]:
        """Return each sub-account's closing balance, fen."""
        return {each.account: each.closing for each in self.accounts}


def text_check(text: str, name: str, characters_max: int) -> None:
    """Raise ValueError unless the text is short, printable and has no blanks around it."""
    if len(text) > characters_max or not text.isprintable() or text != text.strip():
        raise ValueError(
            f"{name}: expected at most {characters_max} printable characters, got {text[:80]!r}"
        )


def _unique_check(names: list[str], what: str) -> None:
    if len(set(names)) != len(names):
        twice = min(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"{what}: expected each once, got {twice} twice")


def _reason_check(reason: str, is_needed: bool, about: str) -> None:
    if is_needed and not (len(reason) <= 4 and reason.isascii() and reason.isalnum()):
        raise ValueError(f"{about}: a refusal: expected a reason code, got {reason!r}")
    if reason and not is_needed:
        raise ValueError(f"{about}: expected no reason but of a refusal, got {reason!r}")
