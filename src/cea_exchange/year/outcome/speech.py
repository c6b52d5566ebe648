"""The language of the results: English, unless whoever shows them has set another.

The command line does: what it speaks, and how it says an English text, is set here from above.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple


class Speech(NamedTuple):
    """A language's name, and what says an English text in it; both are asked each time."""

    language: Callable[[], str]
    said: Callable[[str], str]


ENGLISH = Speech(lambda: "en", str)
_speech = ContextVar("_speech", default=ENGLISH)


def speech_set(language: Callable[[], str], said: Callable[[str], str]) -> None:
    """Tell results in the language of whoever shows them."""
    _speech.set(Speech(language, said))


def language() -> str:
    """Return the language of the results: ``en`` or ``zh``."""
    return _speech.get().language()


def say(english: str, *values: object) -> str:
    """Return a text in that language, with values where it has braces."""
    return _speech.get().said(english).format(*values)
