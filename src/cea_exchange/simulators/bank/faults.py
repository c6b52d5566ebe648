"""Faults of the simulated bank: drawn from a seed and a reference, so a run repeats."""

from enum import StrEnum
from hashlib import blake2b
from typing import Annotated

import msgspec

from cea_exchange.protocol.bank.instructions import CASH_LIMIT

PerMille = Annotated[int, msgspec.Meta(ge=0, le=1_000)]


class Fault(StrEnum):
    """What the bank does to an instruction it could have carried out.

    ``refuse``: nothing moves, and it says so. ``delay``: it says pending, and books after the next
    statement. ``double``: books it twice. ``misstate``: books another amount. ``misdirect``: books
    to another sub-account. The last three are put right after the statement that shows them.
    """

    NONE = ""
    REFUSE = "refuse"
    DELAY = "delay"
    DOUBLE = "double"
    MISSTATE = "misstate"
    MISDIRECT = "misdirect"


class FaultRates(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How often, per mille: of the instructions, and the last two of the batches.

    Attributes
    ----------
    refuse, delay, double, misstate, misdirect
        See `Fault`.
    lose_answer
        The batch is taken and its first answer never sent.
    restart
        The batch is taken, and the bank ends before it answers.
    """

    refuse: PerMille = 0
    delay: PerMille = 0
    double: PerMille = 0
    misstate: PerMille = 0
    misdirect: PerMille = 0
    lose_answer: PerMille = 0
    restart: PerMille = 0

    def __post_init__(self) -> None:
        for names, together in (
            (
                "refuse, delay, double, misstate, misdirect",
                sum(rate for _, rate in self.of_instructions()),
            ),
            ("lose_answer, restart", self.lose_answer + self.restart),
        ):
            if together > 1_000:
                raise ValueError(f"{names}: expected at most 1000 together, got {together}")

    def of_instructions(self) -> list[tuple[Fault, int]]:
        """Return each fault of an instruction with its rate."""
        faults = (Fault.REFUSE, Fault.DELAY, Fault.DOUBLE, Fault.MISSTATE, Fault.MISDIRECT)
        return [(fault, getattr(self, fault.value)) for fault in faults]


def draw(seed: int, about: str, reference: str) -> int:
    """Return a number of 64 bits: the same for the same seed, question and reference."""
    text = f"{seed} {about} {reference}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def fault_of(seed: int, instruction_id: str, rates: FaultRates) -> Fault:
    """Return what goes wrong with an instruction."""
    place = draw(seed, "fault", instruction_id) % 1_000
    for fault, rate in rates.of_instructions():
        if place < rate:
            return fault
        place -= rate
    return Fault.NONE


def is_answer_lost(seed: int, batch_id: str, rates: FaultRates) -> bool:
    """Say whether a batch's first answer is never sent."""
    return draw(seed, "answer", batch_id) % 1_000 < rates.lose_answer


def is_restart(seed: int, batch_id: str, rates: FaultRates) -> bool:
    """Say whether the bank ends before it answers a batch for the first time."""
    place = draw(seed, "answer", batch_id) % 1_000
    return rates.lose_answer <= place < rates.lose_answer + rates.restart


def misstated_cash(seed: int, instruction_id: str, cash: int) -> int:
    """Return another amount than `cash`: a digit too many, too few, or a fen too much."""
    candidates = [cash * 10, cash // 10, cash + 1]
    candidates = [wrong for wrong in candidates if 0 < wrong < CASH_LIMIT and wrong != cash]
    return candidates[draw(seed, "amount", instruction_id) % len(candidates)]
