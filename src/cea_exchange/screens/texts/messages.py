"""What a command ends with, in another language: its English has names and values in it already.

A text of `messages/` has braces where these stand. What is found in their place may be a text
itself, what was expected or why a value is none, and is said so too; what is quoted stays.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from cea_exchange.screens.texts.catalogue import message_texts

_OWN = ("expected", "got")
_JOINT = "\0"
_DEPTH_MAX = 40
"""Sentences in sentences; beyond, what a file has in it would be looked up for ever."""


class _Template(NamedTuple):
    pieces: tuple[str, ...]
    """What stands before, between and behind the values, in English."""
    other: str
    """The whole in the other language."""


def message_in(language: str, text: str, depth: int = 0) -> str:
    """Return a message in a language; the English itself where there is no other text.

    Parameters
    ----------
    language
        Such as ``zh``.
    text
        The whole message, or what stands in one.
    depth
        In how many others it stands.
    """
    if depth == _DEPTH_MAX or _is_quoted(text):
        return text
    if other := message_texts(language).get(text):
        return other
    if " " not in text:
        return text  # one word is no sentence
    for pieces, other in _templates(language):
        if not (text.startswith(pieces[0]) and text.endswith(pieces[-1])):
            continue
        values = _values_between(pieces, text)
        if values is not None:
            return _filled(other, [message_in(language, value, depth + 1) for value in values])
    return text


def _is_quoted(text: str) -> bool:
    """Return whether a text is one that somebody gave, or a list or table of such."""
    ends = text[:1] + text[-1:]
    return ends in ("[]", "{}") or (ends in ("''", '""') and ends[0] not in text[1:-1])


@cache
def _templates(language: str) -> list[_Template]:
    """Return all texts with braces; those with most words first, as they say what is meant best."""
    found = (
        _Template(tuple(map(_plain, english.split("{}"))), other)
        for english, other in message_texts(language).items()
        if "{}" in english
    )
    return sorted(found, key=lambda each: -sum(map(len, each.pieces)))


def _plain(text: str) -> str:
    """Return a text without the braces that it doubles."""
    return text.replace("{{", "{").replace("}}", "}")


def _values_between(pieces: Sequence[str], text: str) -> list[str] | None:
    """Return what stands between pieces of a text that begins and ends with the outer ones.

    Each ends as early as it can. None: a piece is not there, or nothing is between two.
    """
    first, *middle, last = pieces
    end = len(text) - len(last)
    values, begin = [], len(first)
    for piece in middle:
        found = text.find(piece, begin + 1, end)
        if found < 0:
            return None
        values.append(text[begin:found])
        begin = found + len(piece)
    if begin >= end:
        return None
    values.append(text[begin:end])
    return values if _is_apart("".join(pieces), values) else None


def _is_apart(words: str, values: Sequence[str]) -> bool:
    """Return whether what is found is no part of another sentence.

    One word, such as ``or``, may stand in any: it parts single words only, or lists of them.
    """
    if not words.strip().isalpha() or words.strip() in _OWN:
        return True
    return not any(" " in value.replace(", ", ",").replace(words, "") for value in values)


def _filled(other: str, values: Sequence[str]) -> str:
    """Return a text with its values; beside Chinese characters these have no space."""
    before = ("" if value[0].isascii() else _JOINT for value in values)
    behind = ("" if value[-1].isascii() else _JOINT for value in values)
    joined = map("".join, zip(before, values, behind, strict=True))
    whole = other.format(*joined)
    return whole.replace(f" {_JOINT}", "").replace(f"{_JOINT} ", "").replace(_JOINT, "")
