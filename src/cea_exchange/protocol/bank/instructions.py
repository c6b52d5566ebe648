"""What the registry tells the settlement bank: payment instructions, in batches."""

from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby

import msgspec

from cea_exchange.domain.bank_identifiers import account_check, date_check, id_check, name_check

CASH_LIMIT = 10**18
"""An amount, and the sum of a message, stay below this many fen: 18 digits are the format's."""
NOT_PROVIDED = "NOTPROVIDED"
"""What the format's users write where there is no end-to-end reference."""
BATCH_ID_CHARACTERS_MAX = 28
"""Less than the format's 35, so that ids made from it still fit."""


class Purpose(StrEnum):
    """Why cash moves.

    ``trade_leg``, ``fee``, ``reserve`` and ``between`` (a deduction, a merger, a claim) move it
    between sub-accounts; ``pay_out`` takes it out, to the participant's own account.
    """

    TRADE_LEG = "trade_leg"
    FEE = "fee"
    PAY_OUT = "pay_out"
    RESERVE = "reserve"
    BETWEEN = "between"


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One payment the bank shall make, whole or not at all.

    Rules: CEA-BNK-01 (one reference for ever).

    Attributes
    ----------
    instruction_id
        Its name for ever, also the end-to-end reference by which entries are found again.
    debtor, creditor
        The sub-accounts cash leaves and reaches; the creditor of a ``pay_out`` is no sub-account.
    cash
        Fen, positive.
    business_date
        The day it shall be booked on, yyyymmdd.
    purpose
        Why.
    """

    instruction_id: str
    debtor: str
    creditor: str
    cash: int
    business_date: int
    purpose: Purpose

    def __post_init__(self) -> None:
        id_check(self.instruction_id, "instruction_id")
        if self.instruction_id == NOT_PROVIDED:
            raise ValueError(
                f"instruction_id: expected one, got {NOT_PROVIDED}, which banks write for none"
            )
        account_check(self.debtor, "debtor")
        account_check(self.creditor, "creditor")
        date_check(self.business_date, "business_date")
        if self.debtor == self.creditor:
            raise ValueError(
                f"creditor: expected another account than the debtor, got {self.creditor}"
            )
        if not 0 < self.cash < CASH_LIMIT:
            raise ValueError(f"cash: expected 1 to {CASH_LIMIT - 1} fen, got {self.cash}")


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Instructions that travel in one message.

    Attributes
    ----------
    batch_id
        The message's name for ever; the same id with other content is refused by the bank.
    created_s
        When it was made, whole seconds since 1970.
    customer, bank
        Who instructs, and whom.
    instructions
        At least one, in the order in which the bank shall take them.
    """

    batch_id: str
    created_s: int
    customer: str
    bank: str
    instructions: tuple[Instruction, ...]

    def __post_init__(self) -> None:
        id_check(self.batch_id, "batch_id", BATCH_ID_CHARACTERS_MAX)
        name_check(self.customer, "customer")
        name_check(self.bank, "bank")
        if not self.instructions:
            raise ValueError(f"batch {self.batch_id}: expected an instruction or more, got none")
        seen = set()
        for instruction in self.instructions:
            if instruction.instruction_id in seen:
                raise ValueError(
                    f"instruction_id: expected each once, got {instruction.instruction_id} twice"
                )
            seen.add(instruction.instruction_id)
        if self.control_sum >= CASH_LIMIT:
            raise ValueError(
                f"batch {self.batch_id}: expected a sum below {CASH_LIMIT} fen, got"
                f" {self.control_sum}"
            )

    @property
    def count(self) -> int:
        """How many instructions there are."""
        return len(self.instructions)

    @property
    def control_sum(self) -> int:
        """The sum of their cash, fen."""
        return sum(instruction.cash for instruction in self.instructions)

    def payments(self) -> Iterable[tuple[str, int, list[Instruction]]]:
        """Yield (debtor, business date, instructions): neighbours that share both."""
        for (debtor, day), group in groupby(
            self.instructions, key=lambda each: (each.debtor, each.business_date)
        ):
            yield debtor, day, list(group)
