"""Kinds of differences between a replay and its record."""

from enum import StrEnum
from typing import Self


class DifferenceKindBase(StrEnum):
    """A kind by its name, which knows its reason: members are pairs of both."""

    reason: str

    def __new__(cls, name: str, reason: str) -> Self:
        """Return a member that is its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.reason = reason
        return member
