"""What the CCER registry and the allowance registry say to each other.

The CCER registry numbers what became of proofs; the allowance registry asks for the items from a
number on, and for its part numbers its claims. Each item carries the head of a chain of hashes, so
that none is left out, changed or slipped in, and the CCER registry's signature of number and head,
which proves to anybody that this item, and each before it, is that registry's word.
"""

from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from cea_exchange.protocol.links.anchors import NO_ANCHORS, Anchors

BEFORE_ALL = "0" * 64
"""Head before the first item."""
ITEMS_MAX = 256
"""In one answer."""
CLAIMS_MAX = 64
"""In one question."""
MESSAGE_BYTES_MAX = 1 << 20
SIGNED = "cea-exchange proof of cancellation"
"""What the CCER registry's signing key is for."""


Whole = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Day = Annotated[int, msgspec.Meta(ge=0, le=99991231)]


class ProofIssued(msgspec.Struct, tag="issued", frozen=True, kw_only=True):
    """CCERs were cancelled for an entity's obligation of a year.

    Attributes
    ----------
    account, compliance_year
        Whose emissions of which year they offset; the account is the allowance registry's.
    project
        With the batch, ``WIND-1/2``: within it serial numbers are unique.
    applied_on
        When the owner applied for the registration of these reductions.
    cancellation_applied_on
        When the holder applied for their cancellation; 0: it is not said.
    """

    proof: str
    compliance_year: Whole
    account: str
    project: str
    serial_first: Whole
    serial_last: Whole
    tonnes: Whole
    registered_on: Day
    cancelled_on: Day
    quota_managed: Literal["no", "regional", "national"]
    project_started_on: Day
    applied_on: Day
    produced_from: Day
    produced_to: Day
    cancellation_applied_on: Day = 0


class ProofReversed(msgspec.Struct, tag="reversed", frozen=True, kw_only=True):
    """A proof counts no more, by order.

    Attributes
    ----------
    document
        The order.
    """

    proof: str
    document: str


Item = ProofIssued | ProofReversed


class NumberedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the stream of proofs.

    Attributes
    ----------
    item
        MessagePack of an `Item`: what `head` covers.
    signing_key, signature
        The public half of the key, and its signature of what `signed_words` returns.
    """

    proof_seq: Whole
    item: bytes
    head: str
    signing_key: str = ""
    signature: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What the allowance registry asks of a proof.

    Attributes
    ----------
    claim_seq
        The asker's number, without gaps; a repeat gets the first answer.
    step
        ``reserve``: to be kept for an entity and year; ``use``: it was counted.
    """

    claim_seq: Whole
    step: Literal["reserve", "use"]
    proof: str
    account: str
    compliance_year: Whole


class ClaimAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a claim.

    Attributes
    ----------
    state
        Of the proof; empty where the claim was refused.
    code, words
        Why it was refused.
    """

    claim_seq: Whole
    state: str = ""
    code: str = ""
    words: str = ""


class LinkQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What the allowance registry sends: from which item on, and claims in their order.

    Attributes
    ----------
    question
        Its number in the life of the process that asks; the answer repeats it.
    head
        Of the item before `first_proof_seq`; '' if the asker does not say it.
    anchors
        Heads of the asker's chain, and of the CCER registry's as the asker keeps them.
    """

    question: Whole = 0
    first_proof_seq: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    head: str = ""
    claims: Annotated[tuple[Claim, ...], msgspec.Meta(max_length=CLAIMS_MAX)] = ()
    anchors: Anchors = NO_ANCHORS


class LinkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What it gets: items from that number on, as far as they are, and answers to its claims.

    Attributes
    ----------
    code, words
        Why nothing was answered: the question contradicts what was asked before, or is none.
    anchors
        Heads of the CCER registry's chain, and of the asker's as the CCER registry keeps them.
    """

    question: Whole = 0
    last_proof_seq: Whole
    items: tuple[NumberedItem, ...] = ()
    answers: tuple[ClaimAnswer, ...] = ()
    code: str = ""
    words: str = ""
    anchors: Anchors = NO_ANCHORS


_item_decoder = msgspec.msgpack.Decoder(Item)


def item_decode(payload: bytes) -> Item:
    """Return the item in a payload; `msgspec.DecodeError` or `ValidationError` if it is none."""
    return _item_decoder.decode(payload)


def head_after(head: str, item: bytes) -> str:
    """Return the head of a chain of items after one more."""
    return sha256(head.encode("ascii") + item).hexdigest()


def signed_words(proof_seq: int, head: str) -> bytes:
    """Return what of an item is signed: its number and its head, which covers all before it."""
    return f"{SIGNED} {proof_seq} {head}".encode("ascii")
