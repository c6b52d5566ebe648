"""The highest rate that a system holds: conditions are met, nothing is lost, and it keeps up."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from cea_exchange.loadtest.results.gate import Condition, failures
from cea_exchange.loadtest.results.result import Result

KEEPS_UP_SHARE = 0.98
"""Of the commands a second that were due, this many must be answered a second."""
STEP = 2.0
CLOSE_ENOUGH = 1.1
"""The search ends when the lowest rate not held is at most so many times the highest held."""


class Probe(NamedTuple):
    """One rate that was tried.

    Attributes
    ----------
    why_not : str
        Why it was not held; empty if it was.
    """

    rate: float
    why_not: str
    result: Result


class Saturation(msgspec.Struct, kw_only=True):
    """What a search came to.

    Attributes
    ----------
    held, broken : float or None
        The highest rate that was held, the lowest that was not.
    """

    held: float | None
    broken: float | None
    probes: list[dict[str, object]]


def saturate(
    run: Callable[[float], Result],
    conditions: list[Condition],
    *,
    rate: float,
    rate_max: float,
    look: Callable[[Probe], None],
) -> Saturation:
    """Search for it: doubled, or halved, until one is held and one is not; then between.

    Parameters
    ----------
    run : callable
        Runs at a rate, anew.
    look : callable
        Told of each rate that was tried.
    """
    held: float | None = None
    broken: float | None = None
    probes: list[Probe] = []
    while True:
        result = run(rate)
        probe = Probe(rate, _why_not(result, rate, conditions), result)
        probes.append(probe)
        look(probe)
        if probe.why_not:
            broken = rate
        else:
            held = rate
        following = _following(held, broken, rate_max)
        if following is None:
            break
        rate = following
    return Saturation(held=held, broken=broken, probes=[_shown(probe) for probe in probes])


def _following(held: float | None, broken: float | None, rate_max: float) -> float | None:
    if held is None:
        assert broken is not None
        return broken / STEP if broken / STEP >= 1 else None
    if broken is None:
        return None if held >= rate_max else min(held * STEP, rate_max)
    if broken / held <= CLOSE_ENOUGH:
        return None
    return float(round((held * broken) ** 0.5))


def _why_not(result: Result, rate: float, conditions: list[Condition]) -> str:
    if found := failures(result, conditions):
        return found[0]
    if result.stopped:
        return result.stopped
    # Of what was due while commands were sent; the rest came after the last.
    if result.sent_s < KEEPS_UP_SHARE * result.done_s and result.done_s - result.sent_s > 1.0:
        answered = result.answered_per_second
        return f"it does not keep up: answered {answered:,.0f} a second of {rate:,.0f}"
    return ""


def _shown(probe: Probe) -> dict[str, object]:
    latency = probe.result.figures.latency
    return {
        "rate": probe.rate,
        "held": not probe.why_not,
        "why_not": probe.why_not,
        "p50_ns": latency.p50,
        "p99_ns": latency.p99,
        "answered_per_second": probe.result.answered_per_second,
    }
