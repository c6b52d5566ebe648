"""The corpus: for each pattern, strength and seed a market's days, and who did it."""

from datetime import date
from typing import NamedTuple

from cea_exchange.supervision.corpus.abusers import ABUSERS, DAYS
from cea_exchange.supervision.corpus.ordinary import Flow, look_alikes, people_arrive
from cea_exchange.supervision.corpus.scene import Fields, Scene
from cea_exchange.supervision.patterns.context import NO_FACTS, Facts
from cea_exchange.supervision.tape import Tape

STRENGTHS = (1, 2, 3)
HONEST = "honest"
FIRST_DAY = date(2025, 7, 16)
BEFORE_DEADLINE = date(2025, 11, 24)
RISE_PER_MILLE = 12.0
"""A day, while a corner is made."""
SCARCE_TONNES = 400_000
"""What everybody holds then."""


class Case(NamedTuple):
    """Some days of a market, and what was done in them.

    Attributes
    ----------
    pattern
        What was committed; `HONEST`: nothing.
    accounts
        By whom.
    """

    pattern: str
    strength: int
    seed: int
    accounts: tuple[str, ...]
    script: list[Fields]
    tape: Tape
    facts: Facts


def case_made(pattern: str, strength: int, seed: int, *, honest_days: int = 3) -> Case:
    """Return a case of the corpus; the same arguments give the same commands.

    Parameters
    ----------
    pattern
        One of `ABUSERS`, or `HONEST`.
    strength
        1, 2 or 3.
    seed
        Of all that is drawn.
    honest_days
        How many days a market without abuse has.
    """
    is_corner = pattern == "corner"
    days = honest_days if pattern == HONEST else DAYS.get(pattern, 1)
    # Each pattern and strength has days of its own.
    place = (HONEST, *ABUSERS).index(pattern)
    scene = Scene(
        (seed * 100 + place) * 10 + strength, BEFORE_DEADLINE if is_corner else FIRST_DAY, days
    )
    if is_corner:
        scene.opening_tonnes = SCARCE_TONNES
    people = people_arrive(scene)
    flow = Flow(
        scene,
        people,
        orders_per_day=120 if is_corner else 500,
        drift_per_mille=RISE_PER_MILLE if is_corner else 0.0,
    )
    look_alikes(scene, flow)
    accounts: tuple[str, ...] = ()
    facts = NO_FACTS
    if pattern != HONEST:
        planted = ABUSERS[pattern](scene, flow, strength)
        accounts, facts = planted.accounts, planted.facts
    scene.run()
    return Case(pattern, strength, seed, accounts, scene.script, scene.tape(), facts)
