"""A value beside the id of its rule, as files of rules have it, and the ranges of such values."""

from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

RULE_ID_FORM = r"^[A-Z]+-[A-Z]+-[0-9]{2}$"

RuleId = Annotated[str, Meta(pattern=RULE_ID_FORM)]
Tonnes = Annotated[int, Meta(ge=0, lt=1 << 62, extra={"unit": "t"})]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000, extra={"unit": "basis points"})]

Confidence = Literal["", "S", "S2", "R", "D"]
"""Text seen; seen second-hand; recalled; decided here: as protocol/rules.md has them."""
UNSEEN = frozenset({"R", "D"})

Value = TypeVar("Value")


class Cited(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every table has: the rule it comes from, and whether no text was seen that says so."""

    rule: RuleId
    unconfirmed: bool = False


class Ruled(Cited, Generic[Value], frozen=True, kw_only=True):
    """A value and the rule it comes from."""

    value: Value
    confidence: Confidence = ""
