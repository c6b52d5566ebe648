"""What a case file holds: entries, each of one kind, and the chain that ties each to all before it.

An entry is journaled as a `control.CaseEntered`, which says who and when. Decoding is strict.
"""

import re
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=1_000)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"\S")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4_000, pattern=r"\S")]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Seq = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Fen = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Figure64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Date = Annotated[int, msgspec.Meta(ge=1_01_01, le=9999_12_31)]
Abuse = Literal["manipulation", "disturbance"]
LawMarket = Literal["cea", "ccer"]
Outcome = Literal["no_abuse", "measures", "to_authority"]
"""How a case ends: nothing was found; the exchange's measures are the answer; the authority has
it, with the penalty that was computed."""

CHAIN_BEGINS = 64 * "0"
"""What the first entry of a file is tied to."""


def _tag(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class CaseBody(
    msgspec.Struct, tag_field="kind", tag=_tag, frozen=True, forbid_unknown_fields=True
):
    """Base of what an entry says."""


class Opened(CaseBody, frozen=True, kw_only=True):
    """The file is opened; its first entry."""

    title: Line


class CaseFigure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A figure of an alert, and the threshold it was held against."""

    name: Name
    value: Figure64
    relation: Literal[">=", ">", "<="]
    threshold: Figure64


class CaseGain(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What accounts gained within a window of events, in fen (CEA-ABU-04)."""

    realised: Fen
    marked: Fen

    @property
    def total(self) -> int:
        """Return both together."""
        return self.realised + self.marked


class AlertTaken(CaseBody, frozen=True, kw_only=True):
    """An alert of the surveillance, as `surveil --json` printed it.

    Attributes
    ----------
    reproducer
        SHA-256 of the market script that shows it, which is kept; "" where none was given.
    """

    pattern: Name
    rule: Name
    grade: Literal["watch", "alert", "high"]
    trading_date: Date
    product: Annotated[str, msgspec.Meta(max_length=64)]
    accounts: Names
    counterparties: Names = ()
    first_seq: Seq
    last_seq: Seq
    figures: Annotated[tuple[CaseFigure, ...], msgspec.Meta(max_length=100)]
    sentence: Text
    gain_fen: CaseGain
    reproducer: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""


class Note(CaseBody, frozen=True, kw_only=True):
    """Words of who looks into it."""

    text: Text


class Document(CaseBody, frozen=True, kw_only=True):
    """A paper, known by its bytes.

    Attributes
    ----------
    size_bytes
        0 where only the hash was named.
    is_kept
        Whether the file lies in the data folder's `documents`, under its hash.
    """

    title: Line
    sha256: Sha256
    size_bytes: Count = 0
    is_kept: bool = False


class PenaltyComputed(CaseBody, frozen=True, kw_only=True):
    """What may be decided of the abuse, in fen, by the law; the authority decides.

    Attributes
    ----------
    first_seq, last_seq
        The case's window of events, within which `gain_fen` was made.
    persons_least, persons_most
        Of each person answerable; 0: the text has none.
    """

    market: LawMarket
    abuse: Abuse
    rule: Name
    first_seq: Count
    last_seq: Count
    gain_fen: CaseGain
    confiscated: Count
    least: Count
    most: Count
    persons_least: Count = 0
    persons_most: Count = 0


class Closed(CaseBody, frozen=True, kw_only=True):
    """The case is over; nothing is entered any more."""

    outcome: Outcome


AnyBody = Opened | AlertTaken | Note | Document | PenaltyComputed | Closed


def chained(previous: str, entry: bytes) -> str:
    """Return the hash that ties an entry's journaled bytes to all before it.

    Examples
    --------
    >>> chained(CHAIN_BEGINS, b"first")[:16]
    '3db4b4eb1df29e15'
    """
    return sha256(bytes.fromhex(previous) + entry).hexdigest()
