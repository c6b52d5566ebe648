"""Where each trigger stood on the days of a span, and what the authority did."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from cea_exchange.adjustment.days import Day
from cea_exchange.adjustment.triggers import Facts, Standing, Trigger, standing


class Done(Struct, frozen=True, kw_only=True):
    """An act of the authority's, as the journal has it.

    Attributes
    ----------
    fields
        What it says: its number, and of an act what is sold or bought.
    """

    day: date
    what: str
    by: str
    second: str
    why: str
    fields: dict[str, Any]

    @property
    def trigger(self) -> str:
        """The trigger it names; empty of another act."""
        return str(self.fields.get("trigger", ""))


class Report(Struct, frozen=True, kw_only=True):
    """A span of days: where triggers stood, and what was done.

    Attributes
    ----------
    standings
        Of each trigger the last day's, and each day on which what it lets the authority do changed.
    unfounded
        Acts that name a trigger which did not stand on their day, or none there is.
    """

    first: date
    last: date
    standings: list[Standing]
    acts: list[Done]
    unfounded: list[Done]


def report_of(
    triggers: Mapping[str, Trigger],
    days: Sequence[Day],
    acts: Iterable[Done],
    *,
    first: date,
    last: date,
    facts: Facts | None = None,
) -> Report:
    """Return what is to be said of the days from one to another.

    Raises
    ------
    ValueError
        There is no trading day among them.

    Notes
    -----
    Rules: CEA-ADJ-12.
    """
    done = sorted(acts, key=lambda act: act.day)
    span = [place for place, day in enumerate(days) if first <= day.date <= last]
    if not span:
        raise ValueError(f"days: expected one from {first} to {last}, got none")
    standings, stood = [], {}
    for name, trigger in triggers.items():
        acted_on = [act.day for act in done if act.trigger == name]
        before = None
        for place in span:
            found = standing(name, trigger, days[: place + 1], facts, acted_on)
            stood[name, found.day] = found.stands
            if found.stands != before or place == span[-1]:
                standings.append(found)
            before = found.stands
    within = [act for act in done if first <= act.day <= last]
    unfounded = [
        act
        for act in within
        if act.what == "market_adjusted"
        and stood.get((act.trigger, act.day)) != act.fields.get("kind")
    ]
    return Report(first=first, last=last, standings=standings, acts=within, unfounded=unfounded)
