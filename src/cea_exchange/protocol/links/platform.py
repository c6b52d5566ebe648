"""The numbered stream from the management platform to the registry, and what comes back.

    registry --- LinkQuestion: items from a number on, and verdicts on earlier ones ---> platform
             <-- LinkAnswer: items, and the last number there is -----------------------

Each item is of one act of the platform, has the next number, and the hash of the item before, so
that nothing can be slipped in, left out or sent twice. It carries the figures of the units, by
which the registry computes everything again before it posts anything; what it finds otherwise it
says in a verdict, line by line.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.compliance.plans.units import GeneratingUnit, Plant
from cea_exchange.protocol.links.anchors import NO_ANCHORS, Anchors

ITEM_COUNT_MAX = 1_000
ANSWER_BYTES_MAX = 512 * 1024
"""Half of what a message may have."""
LINES_MAX = 100
"""Of one item; an allocation of more has several."""
UNITS_MAX = 1_000
"""Of one item that has several lines."""
VERDICTS_MAX = 100
COMPLETIONS_MAX = 500
COVERED_MAX = 1_000
"""Days on which something came to cover one obligation."""
HEAD_BEFORE_ALL = "0" * 64

Whole = Annotated[int, Meta(ge=0, le=2**62)]
Day = Annotated[int, Meta(ge=0, le=99991231)]
LinkSeq = Annotated[int, Meta(ge=1, le=2**62)]
MarkText = Annotated[str, Meta(pattern="^[a-z_ ]*$", max_length=60)]
"""Marks, each once, in the order of the alphabet."""
Stage = Literal["pre", "final", "adjustment"]


class EntityListed(Struct, frozen=True, tag="entity_listed", forbid_unknown_fields=True):
    """An entity entered the list of a year or left it: it may have an account, or no new one."""

    list_year: Whole
    enterprise: str
    credit_code: str
    province: Whole
    sector: str
    title: str
    is_listed: bool


class GivenLine(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entity is to have of a year, and by what it is computed again.

    Attributes
    ----------
    tonnes
        In all of the year: what was given before counts in.
    mark
        Why it is no settled law: ``draft second_hand``; '' is settled law.
    generating, plants
        Its units with their verified year, of one kind or the other.
    """

    enterprise: str
    emissions: Whole
    tonnes: Whole
    generating: tuple[GeneratingUnit, ...] = ()
    plants: tuple[Plant, ...] = ()
    mark: MarkText = ""


class AllowancesGiven(Struct, frozen=True, tag="allowances_given", forbid_unknown_fields=True):
    """A province distributed an allocation, or a part of one.

    Attributes
    ----------
    balance
        Sector -> balance value, ``numerator/denominator``, as the authority set it.
    share_bp
        Of a pre-allocation the province's own share, in hundredths of a percent; None: the plan's.
    cap_factor
        Of a plan with an absolute cap, ``numerator/denominator``, as the authority set it.
    """

    allocation_id: Whole
    province: Whole
    compliance_year: Whole
    stage: Stage
    balance: dict[str, str]
    lines: Annotated[tuple[GivenLine, ...], Meta(max_length=LINES_MAX)]
    share_bp: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    cap_factor: Annotated[str, Meta(pattern="^([0-9]+/[0-9]+)?$", max_length=200)] = ""


class RecalledLine(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entity keeps of a year once an allocation is recalled.

    Attributes
    ----------
    tonnes
        In all of the year, as the allocation before had it; 0 where there was none.
    """

    enterprise: str
    tonnes: Whole


class AllowancesRecalled(
    Struct, frozen=True, tag="allowances_recalled", forbid_unknown_fields=True
):
    """A province recalled what it had distributed: what was before it holds again."""

    allocation_id: Whole
    province: Whole
    compliance_year: Whole
    stage: Stage
    lines: Annotated[tuple[RecalledLine, ...], Meta(max_length=LINES_MAX)]


class DutyLine(Struct, frozen=True, forbid_unknown_fields=True):
    """What an entity owes of a year."""

    enterprise: str
    verified_tonnes: Whole
    due_tonnes: Whole


class ObligationsSet(Struct, frozen=True, tag="obligations_set", forbid_unknown_fields=True):
    """What entities of a province owe of a year, and until when."""

    province: Whole
    compliance_year: Whole
    due_on: Day
    lines: Annotated[tuple[DutyLine, ...], Meta(max_length=LINES_MAX)]


class SucceedingLine(Struct, frozen=True, forbid_unknown_fields=True):
    """What a successor owes in an entity's place: so many tonnes more."""

    enterprise: str
    province: Whole
    tonnes: Whole


class ObligationSucceeded(
    Struct, frozen=True, tag="obligation_succeeded", forbid_unknown_fields=True
):
    """An entity was merged into another, or split: what it still owes of a year they owe."""

    province: Whole
    enterprise: str
    compliance_year: Whole
    decided_on: Day
    document: str
    lines: Annotated[tuple[SucceedingLine, ...], Meta(max_length=LINES_MAX)]


class AllowancesCut(Struct, frozen=True, tag="allowances_cut", forbid_unknown_fields=True):
    """A province decided that an entity's next allowances are cut.

    Attributes
    ----------
    cause
        ``unpaid``, what was not surrendered of the year; or ``enforcement``.
    order, ordered_on, until
        The order to correct that came before, and the last day of its term; '' and 0: none did.
    refusal, refused_on
        What shows that it was refused, and since when that is on record; likewise.
    """

    case_id: Whole
    province: Whole
    enterprise: str
    compliance_year: Whole
    cause: Literal["unpaid", "enforcement"]
    tonnes: Whole
    document: str
    decided_on: Day
    order: str
    ordered_on: Day
    until: Day
    refusal: str
    refused_on: Day


LinkContent = (
    EntityListed
    | AllowancesGiven
    | AllowancesRecalled
    | ObligationsSet
    | ObligationSucceeded
    | AllowancesCut
)


class LinkItem(Struct, frozen=True, forbid_unknown_fields=True):
    """An item of the stream.

    Attributes
    ----------
    before
        Head of the item before: SHA-256 over its head before and its bytes.
    """

    link_seq: LinkSeq
    at_ns: Whole
    before: str
    content: LinkContent


class Mismatch(Struct, frozen=True, forbid_unknown_fields=True):
    """A line that the registry refuses, or computes otherwise.

    Attributes
    ----------
    enterprise
        Whose line it is; '' is the item as a whole.
    code
        Why, by its name in `RegistryRefusal`; programs branch on it.
    words
        What was expected, what was got.
    """

    enterprise: str
    code: Annotated[str, Meta(pattern="^[A-Z_]+$", max_length=60)]
    words: Annotated[str, Meta(max_length=500)]


class Verdict(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of an item at the registry: posted whole, or refused whole and why.

    Attributes
    ----------
    mark
        Why what the registry computed again is no settled law; '' is settled law.
    """

    link_seq: LinkSeq
    is_posted: bool
    mismatches: Annotated[tuple[Mismatch, ...], Meta(max_length=LINES_MAX)] = ()
    mark: MarkText = ""


class Completion(Struct, frozen=True, forbid_unknown_fields=True):
    """How an entity's obligation of a year stands at the registry, numbered there without gaps.

    Attributes
    ----------
    surrendered, offset
        Tonnes of allowances and of CCERs that cover it.
    completed_on
        Day (yyyymmdd) since which it is covered whole; 0 before.
    applied
        Tonnes that are applied for and not decided: they count of the day of their application
        once they are accepted.
    deducted
        Tonnes of what is missing that are taken off later allowances instead.
    covered
        Day (yyyymmdd) and tonnes that count from it, in order: all that covers it, so that it is
        known what was missing when a day had passed.
    """

    completion_seq: LinkSeq
    enterprise: str
    compliance_year: Whole
    owed: Whole
    surrendered: Whole
    offset: Whole
    completed_on: Day
    applied: Whole = 0
    deducted: Whole = 0
    covered: Annotated[tuple[tuple[Day, Whole], ...], Meta(max_length=COVERED_MAX)] = ()


class LinkQuestion(Struct, frozen=True, forbid_unknown_fields=True):
    """What the registry asks and says.

    Attributes
    ----------
    first
        Items from that number on.
    log_id
        Of the stream it speaks of; None before its first item.
    completions
        What was surrendered, from the one after `LinkAnswer.completed_seq` on.
    reported_until
        With these the registry has told all that covers obligations before this day of its own
        (yyyymmdd); 0: it has more to tell.
    head
        Of the item before `first`; '' if the registry does not say it.
    anchors
        Heads of the registry's chain, and of the platform's as the registry keeps them.
    """

    first: LinkSeq
    count: Annotated[int, Meta(ge=0, le=ITEM_COUNT_MAX)]
    log_id: str | None = None
    verdicts: Annotated[tuple[Verdict, ...], Meta(max_length=VERDICTS_MAX)] = ()
    completions: Annotated[tuple[Completion, ...], Meta(max_length=COMPLETIONS_MAX)] = ()
    reported_until: Annotated[int, Meta(ge=0, le=99991231)] = 0
    head: str = ""
    anchors: Anchors = NO_ANCHORS


class LinkAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """Items as they were kept, and how far the stream and the verdicts on it are.

    Attributes
    ----------
    judged_seq
        The last number of which a verdict is kept, none missing before it.
    completed_seq
        Likewise of completions.
    refusal
        Why nothing of the question was taken; '' if it was.
    completed_hash
        Of the last completion, see `completion_hash`; '' before the first.
    anchors
        Heads of the platform's chain, and of the registry's as the platform keeps them.
    """

    log_id: str
    last_seq: Whole
    judged_seq: Whole
    completed_seq: Whole = 0
    items: tuple[bytes, ...] = ()
    refusal: str = ""
    completed_hash: str = ""
    anchors: Anchors = NO_ANCHORS


def completion_hash(completion: Completion) -> str:
    """Return the SHA-256 of a completion's figures, by which both sides compare it.

    The enterprise is left out: the registry may know it under another name by now.
    """
    figures = msgspec.structs.replace(completion, enterprise="")
    return sha256(msgspec.msgpack.encode(figures)).hexdigest()


def completion_row_hash(row: Sequence[Any]) -> str:
    """Return `completion_hash` of a row: a completion's fields without its enterprise, in order.

    The last field, `covered`, is a text of JSON.
    """
    number, year, owed, surrendered, offset, completed_on, applied, deducted, covered = row
    days = msgspec.json.decode(covered, type=tuple[tuple[int, int], ...])
    figures = (year, owed, surrendered, offset, completed_on, applied, deducted)
    return completion_hash(Completion(number, "", *figures, days))


def head_after(before: str, item: bytes) -> str:
    """Return the head of an item, which the next one carries."""
    return sha256(before.encode() + item).hexdigest()


question_decode = msgspec.msgpack.Decoder(LinkQuestion).decode
answer_decode = msgspec.msgpack.Decoder(LinkAnswer).decode
item_decode = msgspec.msgpack.Decoder(LinkItem).decode
