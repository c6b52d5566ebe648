"""Faults of a cluster, drawn from a seed: what, at whom, for how long, and two at a time.

    kill          SIGKILL, and started again after a moment
    both          the venue that leads and the log's leader are killed at once
    freeze        stopped where it stands, for less or for more than a lease
    cut           nothing from it reaches anybody
    deaf          nothing reaches it
    apart         both
    one_way       nothing from it reaches one other, and all else passes
    slow_disk     each sync takes so long more
    full_disk     no room for another byte
    clock_step    its clock jumps, ahead or back
    rolling       each of its kind is stopped in order and started again, one after another; of
                  the databases the standby, then both change places
"""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

VENUES = ("venue-1", "venue-2", "venue-3")
LOG_NODES = ("log-1", "log-2", "log-3")
WAYS_IN = ("way-in", "way-in-2")
OTHERS = ("registry", *WAYS_IN)
DATABASES = ("database-1", "database-2")
NODES = (*VENUES, *LOG_NODES)

CUTS_OFF = ("cut", "deaf", "apart")
CUTS = (*CUTS_OFF, "one_way")
OF_OTHERS = ("kill", "freeze", *CUTS_OFF)
"""What meets the registry and the ways in, too."""
WEIGHTS = {
    "kill": 30,
    "both": 5,
    "freeze": 20,
    "cut": 6,
    "deaf": 6,
    "apart": 8,
    "one_way": 6,
    "slow_disk": 6,
    "full_disk": 5,
    "clock_step": 5,
    "rolling": 3,
}
OF_DATABASES = {"database leads": 7, "database": 4}
"""Whom of the ledger's databases: the primary when it comes, any."""
WHO = {"leads": 40, "venue": 15, "log leads": 15, "log": 20, "other": 10, **OF_DATABASES}
"""Whom a fault meets: the venue that leads when it comes, any, the log's leader, any, a registry or
a way in, a database."""
PAIR_SHARE = 0.15
SLOW_MS = (20, 60, 150)
STEPS_S = (-600, -30, 30, 600)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    who
        One of `WHO`; who that is is known only when it comes.
    draw
        Decides what is left: which of several, and in which direction; from 0 to 1.
    lasts_s
        For so long it is dead, frozen, cut off, slow or full.
    after_s
        Time since all was served again.
    is_paired
        Whether the next one comes with it.
    """

    kind: str
    who: str
    draw: float
    lasts_s: float
    after_s: float
    is_paired: bool = False


def faults_draw(
    seed: int, count: int, kinds: Sequence[str], whom: Collection[str] = tuple(WHO)
) -> list[Fault]:
    """Draw the faults of a run; the seed decides everything.

    Parameters
    ----------
    kinds
        Those that this machine can bring about.
    whom
        Only who is one of these (`WHO`), as far as a kind can meet them.
    """
    draw = random.Random(f"faults {seed}")
    kinds = [kind for kind in kinds if _whom(kind, whom)]
    if not kinds:
        raise ValueError(f"whom: expected somebody whom a fault can meet, got {', '.join(whom)}")
    weights = [WEIGHTS[kind] for kind in kinds]
    # Each kind comes, however few there are; the rest by weight.
    chosen = [*kinds, *draw.choices(list(kinds), weights, k=count)][:count]
    draw.shuffle(chosen)
    faults = []
    for kind in chosen:
        lasts_s = draw.uniform(0.0, 1.0) if draw.random() < 0.5 else draw.uniform(1.0, 4.0)
        if kind in CUTS or kind.endswith("_disk"):
            lasts_s = max(lasts_s, 0.5)
        faults.append(
            Fault(
                kind,
                _drawn(kind, whom, draw),
                draw.random(),
                lasts_s,
                draw.uniform(0.1, 0.8),
                draw.random() < PAIR_SHARE,
            )
        )
    # Who is begun anew one after another must find the others well; and two at once are two.
    alone = [fault.kind in ("rolling", "both") for fault in faults] + [False]
    return [
        replace(fault, is_paired=fault.is_paired and not (alone[place] or alone[place + 1]))
        for place, fault in enumerate(faults)
    ]


def _whom(kind: str, only: Collection[str]) -> list[str]:
    """Return whom a kind of fault can meet."""
    if kind == "clock_step":
        can = ["leads", "venue"]
    elif kind == "rolling":
        can = ["venue", "log", "database"]
    elif kind == "both":
        can = ["leads"]
    else:
        can = [who for who in WHO if who != "other" or kind in OF_OTHERS]
    return [who for who in can if who in only]


def _drawn(kind: str, only: Collection[str], draw: random.Random) -> str:
    whom = _whom(kind, only)
    if kind in ("clock_step", "rolling"):
        return draw.choice(whom)
    return draw.choices(whom, [WHO[who] for who in whom])[0]
