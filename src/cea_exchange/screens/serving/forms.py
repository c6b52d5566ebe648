"""Forms: what was typed, what is wrong with it, and that each is carried out once."""

import asyncio
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

from cea_exchange.domain.units import INT64_MAX, cash_parse

R = TypeVar("R")
FIELDS_MAX = 1_000
IDS_KEPT = 10_000
CLIENT_ID = "client_id"
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+")
_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0C: ",", 0xFF0E: "."}
"""What Chinese keyboards write instead of digits, comma and point."""


class Upload(NamedTuple):
    """A file that came with a form."""

    name: str
    content: bytes


class Trouble(NamedTuple):
    """What is wrong with a field, or with the whole form.

    Attributes
    ----------
    sentence, remedy
        In the reader's language; the second may be empty.
    code
        The refusal's name, where a daemon refused.
    detail
        The daemon's own words.
    """

    sentence: str
    remedy: str = ""
    code: str = ""
    detail: str = ""


@dataclass
class Form:
    """What was typed into a form.

    Attributes
    ----------
    values
        Texts by field.
    files
        Files by field.
    troubles
        By field what is wrong with it; under "" what concerns the whole form.
    client_id
        Under which it is carried out once; a form that is shown has a fresh one.
    """

    client_id: str = ""
    values: dict[str, str] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    texts: Callable[[str], str] = str

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self.troubles

    def value(self, name: str, default: str = "") -> str:
        """Return what was typed, without blanks around."""
        return self.values.get(name, default).strip()

    def refuse(self, name: str, key: str) -> None:
        """Say what is wrong with a field by a text's key; the first thing said stays."""
        self.troubles.setdefault(name, Trouble(self.texts(key)))

    def whole(self, name: str, *, needed: bool = True) -> int | None:
        """Read a positive whole number; groups of three and full-width digits are taken."""
        typed = self.value(name).translate(_FULL_WIDTH)
        if not typed:
            self._missing(name, needed)
            return None
        digits = typed.replace(",", "") if _GROUPED.fullmatch(typed) else typed
        if not digits.isascii() or not digits.isdigit() or not 0 < len(digits) <= 19:
            self.refuse(name, "form.not_whole")
            return None
        number = int(digits)
        if not 0 < number <= INT64_MAX:
            self.refuse(name, "form.not_whole")
            return None
        return number

    def yuan(self, name: str, *, needed: bool = True) -> int | None:
        """Read an amount or a price in yuan as fen; 97, 97.5 and 97.50 are one price."""
        typed = self.value(name).translate(_FULL_WIDTH)
        if not typed:
            self._missing(name, needed)
            return None
        whole, _, cents = typed.partition(".")
        whole = whole.replace(",", "") if _GROUPED.fullmatch(whole) else whole
        try:
            return cash_parse(f"{whole}.{cents:0<2}")
        except ValueError:
            self.refuse(name, "form.not_yuan")
            return None

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Read one of some words; the first one where another was sent, which is refused."""
        typed = self.value(name)
        if typed not in choices:
            self.refuse(name, "form.not_choice")
            return choices[0]
        return typed

    def day(self, name: str, *, needed: bool = True) -> date | None:
        """Read a day as the browser's own field writes it, 2025-07-16."""
        typed = self.value(name)
        if not typed:
            self._missing(name, needed)
            return None
        try:
            return date.fromisoformat(typed)
        except ValueError:
            self.refuse(name, "form.not_day")
            return None

    def line(self, name: str, *, needed: bool = True, length_max: int = 200) -> str:
        """Read one line of words."""
        typed = self.value(name)
        if not typed and needed:
            self.refuse(name, "form.missing")
        elif len(typed) > length_max or not typed.isprintable():
            self.refuse(name, "form.not_line")
        return typed

    def _missing(self, name: str, needed: bool) -> None:
        if needed:
            self.refuse(name, "form.missing")


def form_read(content_type: str, body: bytes, texts: Callable[[str], str]) -> Form:
    """Return the form in a request's body; ValueError where it is none."""
    if content_type.startswith("multipart/form-data"):
        values, files = multipart_read(content_type, body)
    else:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
        values, files = dict(pairs), {}
    return Form(values.get(CLIENT_ID, ""), values, files, texts=texts)


def multipart_read(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, Upload]]:
    """Return texts and files of a form with files."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    values: dict[str, str] = {}
    files: dict[str, Upload] = {}
    if not message.is_multipart():
        return values, files
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if len(values) + len(files) >= FIELDS_MAX:
            raise ValueError(f"form: expected at most {FIELDS_MAX} fields, got more")
        file_name = part.get_filename()
        if file_name is None:
            values[name] = content.decode("utf-8", "replace")
        else:
            files[name] = Upload(str(file_name), content)
    return values, files


class Once:
    """Carries out each form once: who sends it again gets the first answer.

    Ids are given out here, with the form; those of an earlier run of the screens are not taken, for
    nobody knows here what came of them.
    """

    def __init__(self) -> None:
        self._life = secrets.token_hex(8)
        self._done: OrderedDict[str, asyncio.Future[Any]] = OrderedDict()
        self._given: OrderedDict[str, None] = OrderedDict()

    def new_id(self) -> str:
        """Return the id of a form that is about to be shown."""
        client_id = f"{self._life}.{secrets.token_hex(12)}"
        self._given[client_id] = None
        while len(self._given) > IDS_KEPT:
            self._given.popitem(last=False)
        return client_id

    def knows(self, client_id: str) -> bool:
        """Whether a form's id was given out here, lately."""
        return client_id in self._given or client_id in self._done

    async def run(self, client_id: str, act: Callable[[], Awaitable[R]]) -> R:
        """Carry it out, or wait for the answer that it gets, or got, elsewhere."""
        known: asyncio.Future[Any] | None = self._done.get(client_id)
        if known is None:
            known = asyncio.ensure_future(act())
            self._given.pop(client_id, None)
            self._done[client_id] = known
            while len(self._done) > IDS_KEPT:
                self._done.popitem(last=False)
        # Who goes away meanwhile does not stop it.
        answer: R = await asyncio.shield(known)
        return answer

