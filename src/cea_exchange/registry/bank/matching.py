"""Compares instructions with what the bank says it has booked. Pure: no clock, no database.

Statements of one sub-account follow each other, so the entries of several are one list. An entry
that was reversed, and the reversal, count for nothing; what is left is held against each
instruction, leg by leg.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from cea_exchange.protocol.bank.instructions import Instruction, Purpose
from cea_exchange.protocol.bank.statements import Entry, InstructionStatus, Statement, Status


class Outcome(StrEnum):
    """What has become of an instruction, as the statements show it.

    ``booked``: each leg once, with its amount. ``refused``: so the bank says, and nothing is
    booked. ``missing``: nothing is booked, and the bank does not say why. The others are the bank's
    errors: ``refused_yet_booked``, ``wrong_account`` (a leg on an account that was not named),
    ``one_sided`` (a leg without the other), ``doubled`` (a leg more than once), ``misstated``
    (each leg once, another amount).
    """

    BOOKED = "booked"
    REFUSED = "refused"
    MISSING = "missing"
    REFUSED_YET_BOOKED = "refused_yet_booked"
    WRONG_ACCOUNT = "wrong_account"
    ONE_SIDED = "one_sided"
    DOUBLED = "doubled"
    MISSTATED = "misstated"


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One sub-account's part in an instruction: fen instructed, fen booked, how many entries."""

    account: str
    instructed: int
    booked: int
    entry_count: int

    @property
    def difference(self) -> int:
        """Booked less instructed, fen."""
        return self.booked - self.instructed


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one instruction, with its legs in order of account."""

    instruction_id: str
    outcome: Outcome
    legs: tuple[Leg, ...]


class StatedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry and the sub-account it stands on."""

    account: str
    entry: Entry


class Matching(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    findings: tuple[Finding, ...]
    """One for each instruction, in the order given."""
    pay_ins: tuple[StatedEntry, ...]
    """Cash that came in with the participant's reference, to credit."""
    unknown: tuple[StatedEntry, ...]
    """Entries nobody can account for: no instruction of ours, and no pay-in."""
    differences: dict[str, int]
    """By sub-account, fen booked less fen instructed, unknown entries included; accounts that agree
    are not there."""

    @property
    def agrees(self) -> bool:
        """Whether all is booked or refused as it should be, and nothing else moved."""
        settled = (Outcome.BOOKED, Outcome.REFUSED)
        return not self.unknown and all(each.outcome in settled for each in self.findings)

    @property
    def difference_sum(self) -> int:
        """The sum of the differences without their signs, fen."""
        return sum(abs(cash) for cash in self.differences.values())


def match(
    instructions: Sequence[Instruction],
    statuses: Iterable[InstructionStatus],
    statements: Sequence[Statement],
    references: Mapping[str, str],
) -> Matching:
    """Compare instructions with statements.

    Rules: CEA-BNK-06 (what counts as booked), CEA-BNK-07 (what counts as a pay-in).

    Parameters
    ----------
    instructions
        The bank's instructions, each once.
    statuses
        What it answered, oldest first: the last about an instruction counts.
    statements
        All statements that may carry these instructions, in their order.
    references
        By sub-account, the reference by which its participant pays in.
    """
    refused = _refused_ids(statuses)
    instructed = {instruction.instruction_id for instruction in instructions}
    by_instruction: dict[str, list[StatedEntry]] = defaultdict(list)
    pay_ins, unknown = [], []
    for stated in _effective_entries(statements):
        if stated.entry.instruction_id in instructed:
            by_instruction[stated.entry.instruction_id].append(stated)
        elif _is_pay_in(stated, references):
            pay_ins.append(stated)
        else:
            unknown.append(stated)
    findings = tuple(
        _finding(each, each.instruction_id in refused, by_instruction[each.instruction_id])
        for each in instructions
    )
    return Matching(
        findings=findings,
        pay_ins=tuple(pay_ins),
        unknown=tuple(unknown),
        differences=_differences(findings, unknown),
    )


def _refused_ids(statuses: Iterable[InstructionStatus]) -> set[str]:
    latest = {each.instruction_id: each.status for each in statuses}
    return {name for name, status in latest.items() if status is Status.REFUSED}


def _effective_entries(statements: Sequence[Statement]) -> list[StatedEntry]:
    """Return what stands: a reversal that undoes an entry exactly takes both away."""
    all_entries = [
        StatedEntry(account=account.account, entry=entry)
        for statement in statements
        for account in statement.accounts
        for entry in account.entries
    ]
    by_ref = {stated.entry.entry_ref: stated for stated in all_entries}
    undone: set[str] = set()
    for stated in all_entries:
        undoes = by_ref.get(stated.entry.reverses)
        if (
            undoes is not None
            and undoes.account == stated.account
            and undoes.entry.cash == -stated.entry.cash
            and undoes.entry.entry_ref not in undone
        ):
            undone |= {undoes.entry.entry_ref, stated.entry.entry_ref}
    return [stated for stated in all_entries if stated.entry.entry_ref not in undone]


def _is_pay_in(stated: StatedEntry, references: Mapping[str, str]) -> bool:
    entry = stated.entry
    is_plain = not entry.instruction_id and not entry.reverses
    expected = references.get(stated.account)
    return is_plain and entry.cash > 0 and expected is not None and entry.reference == expected


def _expected_legs(instruction: Instruction) -> dict[str, int]:
    legs = {instruction.debtor: -instruction.cash}
    if instruction.purpose is not Purpose.PAY_OUT:
        legs[instruction.creditor] = instruction.cash
    return legs


def _finding(instruction: Instruction, is_refused: bool, booked: list[StatedEntry]) -> Finding:
    expected = {} if is_refused else _expected_legs(instruction)
    cash: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for stated in booked:
        cash[stated.account] += stated.entry.cash
        counts[stated.account] += 1
    legs = tuple(
        Leg(
            account=account,
            instructed=expected.get(account, 0),
            booked=cash[account],
            entry_count=counts[account],
        )
        for account in sorted(expected.keys() | counts.keys())
    )
    return Finding(
        instruction_id=instruction.instruction_id,
        outcome=_outcome(is_refused, expected, legs),
        legs=legs,
    )


def _outcome(is_refused: bool, expected: dict[str, int], legs: tuple[Leg, ...]) -> Outcome:
    booked = [leg for leg in legs if leg.entry_count]
    if is_refused:
        return Outcome.REFUSED_YET_BOOKED if booked else Outcome.REFUSED
    if not booked:
        return Outcome.MISSING
    if any(leg.account not in expected for leg in booked):
        return Outcome.WRONG_ACCOUNT
    if len(booked) < len(expected):
        return Outcome.ONE_SIDED
    if any(leg.entry_count > 1 for leg in booked):
        return Outcome.DOUBLED
    if any(leg.difference for leg in booked):
        return Outcome.MISSTATED
    return Outcome.BOOKED


def _differences(findings: Iterable[Finding], unknown: Iterable[StatedEntry]) -> dict[str, int]:
    differences: Counter[str] = Counter()
    for finding in findings:
        for leg in finding.legs:
            differences[leg.account] += leg.difference
    for stated in unknown:
        differences[stated.account] += stated.entry.cash
    return {account: cash for account, cash in sorted(differences.items()) if cash}
