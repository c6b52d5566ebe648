"""In which language the command line speaks: `--lang`, or what the shell's LANG says.

The other language's texts are in the catalogue that the screens have, too, each under its English,
which stands where it is said. What programs read, JSON and files, is in no language.
"""

import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

from cea_exchange.cli.errors import CommandError

OPTION = "--lang"
LANGUAGES = ("en", "zh")
ENGLISH, CHINESE = LANGUAGES
# POSIX: the first of them that is set says in which language messages are.
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

_spoken = ContextVar("_spoken", default=ENGLISH)


def language() -> str:
    """Return the language that is spoken: ``en`` or ``zh``."""
    return _spoken.get()


def language_set(
    arguments: Sequence[str], environment: Mapping[str, str] = os.environ
) -> list[str]:
    """Speak as `--lang` says, or else the shell; return the arguments without that option.

    It may stand anywhere before ``--``: in front of the command, or behind it.

    Raises
    ------
    CommandError
        For a language that is not spoken.
    """
    rest, asked = [*arguments], ""
    end = rest.index("--") if "--" in rest else len(rest)
    for place in reversed(range(end)):
        option, is_joined, value = rest[place].partition("=")
        if option != OPTION:
            continue
        if not is_joined:
            value = rest.pop(place + 1) if place + 1 < len(rest) else ""
        del rest[place]
        asked = asked or value
        if value not in LANGUAGES:
            raise CommandError(f"{OPTION}: expected one of {', '.join(LANGUAGES)}, got {value!r}")
    _spoken.set(asked or _of_shell(environment))
    return rest


def _of_shell(environment: Mapping[str, str]) -> str:
    said = next(filter(None, (environment.get(name) for name in _VARIABLES)), "")
    return CHINESE if said.startswith(CHINESE) else ENGLISH


def said(english: str) -> str:
    """Return a text in the language that is spoken; the English itself where there is no other."""
    if language() == ENGLISH:
        return english
    from cea_exchange.screens.texts.catalogue import command_texts

    return command_texts(language()).get(english, english)


def say(english: str, **fields: object) -> str:
    """Return a text in the language that is spoken, its braces filled with fields."""
    return said(english).format(**fields)


def said_filled(text: str) -> str:
    """Return a text that names and values were filled into already, as `said` does, line by line.

    What was filled in may be such a text itself: what was expected, or why a value is none.
    """
    if language() == ENGLISH or said(text) != text:
        return said(text)
    from cea_exchange.screens.texts.messages import message_in

    return "\n".join(message_in(language(), line) for line in text.split("\n"))


def said_in_report(english: str) -> str:
    """Return a text of a year's or a sweep's report, as `said` does."""
    if language() == ENGLISH:
        return english
    from cea_exchange.screens.texts.catalogue import report_texts

    return report_texts(language()).get(english, english)


def word(name: str) -> str:
    """Return the name of a field, or the head of a column; in English as the program has it."""
    return name if language() == ENGLISH else said(name.replace("_", " "))
