"""How a profile's fields are declared: once each, with range, unit, meaning and rule."""

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

from msgspec import Meta

from cea_exchange.domain.units import AMOUNT_FEN_LIMIT

TIME_FORM = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

OPERATORS_MAX = 16
"""What records and markets have room for."""

TimeOfDay = Annotated[str, Meta(pattern=TIME_FORM, extra={"unit": "time in Shanghai"})]
OrderTonnes = Annotated[int, Meta(ge=0, le=AMOUNT_FEN_LIMIT, extra={"unit": "t"})]
Fen = Annotated[int, Meta(ge=0, le=AMOUNT_FEN_LIMIT, extra={"unit": "fen"})]
Count = Annotated[int, Meta(ge=0, lt=1 << 62)]
LastTrades = Annotated[int, Meta(ge=0, le=32)]
Levels = Annotated[int, Meta(ge=0, le=10_000)]
Capacity = Annotated[int, Meta(ge=1, lt=1 << 31)]
Open = Annotated[int, Meta(ge=0, lt=1 << 32)]
Operators = Annotated[int, Meta(ge=1, le=OPERATORS_MAX)]
TradingDays = Annotated[int, Meta(ge=0, le=10_000, extra={"unit": "trading days"})]
GapScope = Literal["instrument", "product"]
SettlementAgent = Literal["registry", "exchange"]
Participants = Literal["any", "not_barred", "organisations"]
ProductForm = Literal["any", "project_year"]
SelfTrade = Literal["reject", "allow", "cancel_resting", "cancel_incoming", "cancel_both"]
Rounding = Literal["half_up", "inward"]
Tie = Literal["time", "random", "pro_rata"]
Undersubscription = Literal["award_all", "cancel"]
ReserveRule = Literal["exclude", "cancel"]


class Says(NamedTuple):
    """What a field of a profile is, beside its type, which has its range and its unit."""

    text: str
    rule: str
    """The national market's; a profile names its own."""
    added: int = 0
    """Its place among those that came to the format later and may be left out; 0: it was there."""
    noticed: int = 0
    """Its place among those that a notice may change; 0: none may."""


class Field(NamedTuple):
    """A declared field of a profile."""

    name: str
    type: Any
    says: Says

    @property
    def unit(self) -> str:
        """Return what it is counted in, empty for a number, a switch or a word."""
        return next((meta.extra["unit"] for meta in _metas(self.type) if meta.extra), "")


def _metas(hint: Any) -> Iterator[Meta]:
    """Return what a type says of its values, that of each of several too."""
    for part in get_args(hint):
        if isinstance(part, Meta):
            yield part
        else:
            yield from _metas(part)


@cache
def fields_of(shape: type) -> list[Field]:
    """Return the fields that a struct declares with `Says`, in its order."""
    hints = get_type_hints(shape, include_extras=True)
    return [
        Field(name, _without_says(hint), says)
        for name, hint in hints.items()
        for says in get_args(hint)
        if isinstance(says, Says)
    ]


def _without_says(hint: Any) -> Any:
    plain, *marks = get_args(hint)
    kept = [mark for mark in marks if not isinstance(mark, Says)]
    return Annotated[(plain, *kept)] if kept else plain
