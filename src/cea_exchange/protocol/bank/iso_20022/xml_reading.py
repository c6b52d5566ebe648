"""Read a bank's XML strictly: every element known and in its order, every finding with its line.

No document type, so no entity either: nothing in a file can grow, or point elsewhere.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from xml.parsers import expat

from cea_exchange.domain.units import cash_format
from cea_exchange.protocol.bank.instructions import CASH_LIMIT
from cea_exchange.protocol.bank.iso_20022.xml_decoding import Undecodable, utf_8_of

CURRENCY = "CNY"
FILE_BYTES_MAX = 256 << 20

_AMOUNT_FORM = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_COUNT_FORM = re.compile(r"[0-9]{1,15}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

Shape = dict[str, tuple[int, Any]]
"""By name: a child's place in the order, and its own shape, None where it is not looked into."""
Made = TypeVar("Made")


class BankFileError(ValueError):
    """A file is refused whole; names file, line and reason."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}:{line}: {why}")
        self.file = file
        self.line = line
        self.why = why


def shape(names: str, **inner: Shape) -> Shape:
    """Return what an element may contain: children in the standard's order.

    What `inner` does not describe is passed over, apart from its own text.
    """
    return {name: (place, inner.get(name)) for place, name in enumerate(names.split())}


class Element:
    """One element with its place in the file."""

    __slots__ = ("attributes", "children", "file", "has_markup", "line", "name", "text")

    def __init__(self, file: str, line: int, name: str, attributes: dict[str, str]) -> None:
        self.file = file
        self.line = line
        self.name = name
        self.attributes = attributes
        self.text = ""
        self.children: dict[str, list[Element]] = {}
        self.has_markup = False

    def refused(self, why: str) -> BankFileError:
        """Return the error that names this element's line."""
        return BankFileError(self.file, self.line, why)

    def many(self, name: str) -> list["Element"]:
        """Return the children of a name."""
        return self.children.get(name, [])

    def maybe(self, path: str) -> "Element | None":
        """Return the one element at a path such as ``Id/Othr``, None where it is not."""
        element = self
        for name in path.split("/"):
            found = element.children.get(name)
            if found is None:
                return None
            if len(found) > 1:
                raise found[1].refused(f"expected one {name} in {element.name}, got another")
            element = found[0]
        return element

    def one(self, path: str) -> "Element":
        """Return the one element at a path; refuse the file where it is missing."""
        element = self.maybe(path)
        if element is None:
            raise self.refused(f"expected {path} in {self.name}, it is missing")
        return element

    def value(self) -> str:
        """Return the element's text; refuse the file where it has none, or other elements."""
        if self.has_markup:
            raise self.refused(f"expected text in {self.name}, got other elements")
        text = self.text.strip()
        if not text:
            raise self.refused(f"expected text in {self.name}, it is empty")
        return text

    def count(self) -> int:
        """Return a number of things."""
        text = self.value()
        if not _COUNT_FORM.fullmatch(text):
            raise self.refused(f"{self.name}: expected a whole number, got {text[:40]!r}")
        return int(text)

    def decimal_cash(self) -> int:
        """Return yuan with at most two decimals as fen: a sum, which names no currency."""
        text = self.value()
        match = _AMOUNT_FORM.fullmatch(text)
        if match is None:
            raise self.refused(f"{self.name}: expected an amount as 97.49, got {text[:40]!r}")
        sign, yuan, decimals = match[1], match[2], match[3] or ""
        if sign:
            raise self.refused(f"{self.name}: expected no negative amount, got {text[:40]}")
        if len(decimals) > 2:
            raise self.refused(f"{self.name}: expected two decimals at most, got {text[:40]}")
        if len(yuan) > 18:
            raise self.refused(f"{self.name}: expected 18 digits at most, got {len(yuan)}")
        cash = int(yuan) * 100 + int(decimals.ljust(2, "0"))
        if cash >= CASH_LIMIT:
            raise self.refused(f"{self.name}: expected less than {CASH_LIMIT} fen, got {cash}")
        return cash

    def cash(self) -> int:
        """Return an amount of yuan as fen; the currency must be ours."""
        currency = self.attributes.get("Ccy", "none")
        if currency != CURRENCY:
            raise self.refused(f"{self.name}: expected currency {CURRENCY}, got {currency}")
        return self.decimal_cash()

    def date(self) -> int:
        """Return a date as yyyymmdd."""
        text = self.value()
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = None
        # The standard library would also take a week, or no dashes.
        if day is None or day.isoformat() != text:
            raise self.refused(f"{self.name}: expected a date as 2026-07-01, got {text[:40]!r}")
        return day.year * 10_000 + day.month * 100 + day.day

    def time_s(self) -> int:
        """Return a time with its offset as whole seconds since 1970."""
        text = self.value()
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or "T" not in text:
            raise self.refused(
                f"{self.name}: expected a time as 2026-07-01T15:30:00+08:00, got {text[:40]!r}"
            )
        return (at - _EPOCH) // _SECOND


def document_read(content: bytes, file: str, namespace: str, message: str, inner: Shape) -> Element:
    """Read a message and return its element within ``Document``.

    Raises BankFileError: it is no XML, another message or version, or has an element where none may
    be.

    Parameters
    ----------
    file
        Its name, for errors.
    namespace
        The one version that is taken.
    message
        The name of the element within ``Document``.
    inner
        What that element may contain.
    """
    whole = shape("Document", Document=shape(message, **{message: inner}))
    return _Builder(file, namespace, whole).read(content).one(f"Document/{message}")


class _Builder:
    """Turns the parser's events into elements, and checks each against the shape."""

    def __init__(self, file: str, namespace: str, whole: Shape) -> None:
        self._file = file
        self._namespace = namespace
        self._parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._element = Element(file, 1, "the file", {})
        self._inner: Shape | None = whole
        self._place = 0  # of the last child in the order
        self._outer: list[tuple[Element, Shape | None, int]] = []
        self._passed_over_depth = 0

    def read(self, content: bytes) -> Element:
        if len(content) > FILE_BYTES_MAX:
            raise BankFileError(
                self._file, 1, f"expected at most {FILE_BYTES_MAX} bytes, got {len(content)}"
            )
        try:
            self._parser.Parse(utf_8_of(content), True)
        except Undecodable as error:
            raise BankFileError(self._file, error.line, str(error)) from None
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            raise BankFileError(self._file, error.lineno, f"expected XML: {what}") from None
        return self._element

    def _doctype(self, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise BankFileError(self._file, line, "expected no DOCTYPE, got one")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._passed_over_depth:
            self._passed_over_depth += 1
            return
        parent, inner = self._element, self._inner
        parent.has_markup = True
        if inner is None:
            self._passed_over_depth = 1
            return
        namespace, _, name = tag.rpartition(" ")
        element = Element(self._file, self._parser.CurrentLineNumber, name, attributes)
        if namespace != self._namespace:
            raise element.refused(
                f"{name}: expected namespace {self._namespace}, got {namespace or 'none'}"
            )
        if name not in inner:
            raise element.refused(f"expected no {name} in {parent.name}, got one")
        place, own_inner = inner[name]
        if place < self._place:
            last = list(inner)[self._place]
            raise element.refused(f"expected {name} before {last} in {parent.name}, got after")
        parent.children.setdefault(name, []).append(element)
        self._outer.append((parent, inner, place))
        self._element, self._inner, self._place = element, own_inner, 0

    def _end(self, _tag: str) -> None:
        if self._passed_over_depth:
            self._passed_over_depth -= 1
        else:
            self._element, self._inner, self._place = self._outer.pop()

    def _characters(self, text: str) -> None:
        if self._passed_over_depth:
            return
        if self._inner is None:
            self._element.text += text
        elif not text.isspace():
            # The parser is at the text's end by now.
            text = text.lstrip()
            line = self._parser.CurrentLineNumber - text.count("\n")
            raise BankFileError(
                self._file, line, f"expected no text in {self._element.name}, got {text[:40]!r}"
            )


ACCOUNT = shape("Id Tp Ccy Nm Prxy Ownr Svcr", Id=shape("IBAN Othr", Othr=shape("Id SchmeNm Issr")))
DATE = shape("Dt DtTm")
AGENT = shape(
    "FinInstnId BrnchId",
    FinInstnId=shape("BICFI ClrSysMmbId LEI Nm PstlAdr Othr", Othr=shape("Id SchmeNm Issr")),
)


def account_of(element: Element) -> str:
    """Return the number of an account; it must be in our currency if it says one."""
    currency = element.maybe("Ccy")
    if currency is not None and currency.value() != CURRENCY:
        raise currency.refused(f"Ccy: expected {CURRENCY}, got {currency.value()}")
    return element.one("Id/Othr/Id").value()


def made(kind: type[Made], element: Element, **fields: Any) -> Made:
    """Return a value made of what an element says; what it can't be names the element's line."""
    try:
        return kind(**fields)
    except ValueError as error:
        raise element.refused(str(error)) from None


def totals_check(element: Element, count_path: str, sum_path: str, amounts: list[int]) -> None:
    """Refuse a file whose element says another count or sum than there are; it need say neither."""
    count = element.maybe(count_path)
    if count is not None and count.count() != len(amounts):
        raise count.refused(f"{count_path}: expected {len(amounts)}, got {count.value()}")
    total = element.maybe(sum_path)
    if total is not None and total.decimal_cash() != sum(amounts):
        expected = cash_format(sum(amounts))
        raise total.refused(f"{sum_path}: expected {expected}, got {total.value()}")


def unique_check(elements: Iterable[Element]) -> None:
    """Refuse a file in which two of these elements say the same."""
    seen = set()
    for element in elements:
        text = element.value()
        if text in seen:
            raise element.refused(f"{element.name}: expected each once, {text} came twice")
        seen.add(text)
