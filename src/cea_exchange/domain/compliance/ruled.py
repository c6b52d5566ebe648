"""Values beside their rules' ids, read from the packaged files; drafts can be left out."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from importlib import resources
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import Cited, Value
from cea_exchange.user_files.formats import toml_parse

Shape = TypeVar("Shape")

Year = Annotated[int, Meta(ge=2019, le=2099)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
"""Of days or times."""
DecimalText = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
Mark = Literal["draft", "second_hand", "recalled", "decided"]
"""Why a figure is no settled law: a draft says so, another than the maker of the rule, memory, or
this project. It goes with every result the figure has part in."""


def marks_text(*marks: Iterable[str]) -> str:
    """Return marks as one text, each once, in the order of the alphabet; '' is settled law.

    Examples
    --------
    >>> marks_text(("second_hand",), "draft second_hand".split())
    'draft second_hand'
    """
    return " ".join(sorted({each for some in marks for each in some}))


class ComplianceError(ValueError):
    """A rule of the compliance cycle is not kept; says why, what was expected and what was got."""

    def __init__(self, code: RegistryRefusal, words: str) -> None:
        super().__init__(words)
        self.code = code


class ComplianceRulesError(ValueError):
    """A file of rules can't be used; the message says which, where in it, and why."""


class Drafted(Cited, frozen=True, kw_only=True):
    """A table of rules, and whether only a draft of the text says so."""

    draft: bool = False


class Draftable(Drafted, Generic[Value], frozen=True, kw_only=True):
    """A value beside its rule, and whether only a draft of the text says so."""

    value: Value


class DraftableDate(Draftable[date], frozen=True, kw_only=True):
    """A day and the rule it comes from."""

    @property
    def number(self) -> int:
        """Return the day as yyyymmdd."""
        return date_number(self.value)


class DraftableRatio(Draftable[DecimalText], frozen=True, kw_only=True):
    """An exact decimal fraction, written as text, and the rule it comes from."""

    @property
    def fraction(self) -> Fraction:
        """Return the exact value."""
        return Fraction(self.value)


def load_rules(name: str, shape: type[Shape], *, drafts: bool) -> Shape:
    """Read a packaged file of rules, by its name without `.toml`, behind a `/` of its folder."""
    file = resources.files("cea_exchange.domain.compliance").joinpath(f"{name}.toml")
    return parse_rules(file.read_text(encoding="utf-8"), shape, f"rules {name}", drafts=drafts)


def parse_rules(text: str, shape: type[Shape], place: str, *, drafts: bool) -> Shape:
    """Read rules from TOML text.

    Parameters
    ----------
    text : str
        TOML; every key must be known.
    shape : type
        The struct it must fit.
    place : str
        Names it in errors.
    drafts : bool
        False leaves out every table with `draft = true`, as if it were not written.

    Raises
    ------
    ComplianceRulesError
        If it is no TOML or does not fit.
    """
    try:
        data = toml_parse(text)
        return msgspec.convert(data if drafts else _without_drafts(data), shape, strict=True)
    except ValueError as error:
        raise ComplianceRulesError(f"{place}: {error}") from error


def _without_drafts(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_drafts(inner) for key, inner in value.items() if not _is_draft(inner)
        }
    if isinstance(value, list):
        return [_without_drafts(inner) for inner in value if not _is_draft(inner)]
    return value


def _is_draft(value: Any) -> bool:
    return isinstance(value, dict) and value.get("draft") is True
