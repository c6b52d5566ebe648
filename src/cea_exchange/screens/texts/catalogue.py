"""The catalogue of texts: what a page says, in the reader's language.

A text is found by a dotted key, `board.empty`, in `zh/*.toml` and `en/*.toml`; files are there for
whoever edits them and mean nothing. What refusals mean is in `refusals/`: English is generated from
the protocol's schema, Chinese is written by hand beside it. `commands/` has what the command line
says, `options/` what it says of their arguments, `reports/` what the reports of years and sweeps
say, `messages/` what is said with names and values in it: Chinese under the English, which stands
in the code. `rules/` has the rules of `protocol/rules.md` in Chinese, by their ids, and their
headings.
"""

import tomllib
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

LANGUAGES = ("zh", "en")
LANGUAGE_DEFAULT = "zh"
FOLDER = resources.files(__package__)


class RefusalText(NamedTuple):
    """What a refusal means, and what may be done; both are sentences."""

    meaning: str
    remedy: str


@cache
def texts(language: str) -> dict[str, str]:
    """Return all texts of a language by dotted key."""
    found: dict[str, str] = {}
    for file in sorted(FOLDER.joinpath(language).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            for key, text in _flat(tomllib.loads(file.read_text(encoding="utf-8")), ""):
                if key in found:
                    raise ValueError(f"{language}/{file.name}: expected each key once, got {key}")
                found[key] = text
    return found


@cache
def refusal_texts(language: str) -> dict[str, RefusalText]:
    """Return what each refusal means by its enum and name: ``Reason.CASH_INSUFFICIENT``."""
    file = FOLDER.joinpath("refusals", f"{language}.toml")
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        f"{enum}.{name}": RefusalText(*words)
        for enum, codes in tables.items()
        for name, words in codes.items()
    }


@cache
def command_texts(language: str) -> dict[str, str]:
    """Return what the command line says in a language, by what it says in English."""
    return _under_english("commands", language) | _under_english("options", language)


@cache
def message_texts(language: str) -> dict[str, str]:
    """Return what the command line says with names and values in it, where braces stand."""
    return _under_english("messages", language)


@cache
def report_texts(language: str) -> dict[str, str]:
    """Return what reports of years and sweeps say in a language, by what they say in English."""
    return _under_english("reports", language)


@cache
def rule_texts(language: str) -> dict[str, str]:
    """Return the market's rules in a language, by id and by English heading; none in English."""
    return {} if language == "en" else _under_english("rules", language)


@cache
def setting_texts(language: str) -> dict[str, str]:
    """Return what settings of daemons mean in a language, by the English; none in English."""
    return {} if language == "en" else _under_english("settings", language)


def _under_english(folder: str, language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for table in _tables(folder, language).values():
        found |= table
    return found


def _tables(folder: str, language: str) -> dict[str, dict[str, str]]:
    file = FOLDER.joinpath(folder, f"{language}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def text(language: str, key: str, **fields: object) -> str:
    """Return a text with its fields filled in; KeyError where there is none."""
    found = texts(language)[key]
    return found.format(**fields) if fields else found


def refusal_text(language: str, code: IntEnum) -> RefusalText | None:
    """Return what a refusal means; None where that language does not say it.

    What every institution may refuse for is said once, of all of them.
    """
    found = refusal_texts(language)
    own = found.get(f"{type(code).__name__}.{code.name}")
    return own or found.get(f"InstitutionRefusal.{code.name}")


def _flat(table: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flat(value, f"{key}.")
        elif isinstance(value, str):
            yield key, value
        else:
            raise TypeError(f"{key}: expected text, got {type(value).__name__}")
