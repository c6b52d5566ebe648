"""Conditions under which a run fails: ``p99>5ms``, ``cancel.p99.9>20ms``, ``answered<1000``."""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from cea_exchange.loadtest.results.result import Result

_FORM = re.compile(
    r"(?:(?P<kind>[a-z_]+)\.)?(?P<measure>[a-z]+[0-9.]*)\s*(?P<sign>>=|<=|>|<)\s*"
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>ns|us|ms|s|%)?"
)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
LATENCIES = ("p50", "p90", "p99", "p99.9", "p99.99", "max", "mean")
OTHERS = {
    "answered": "answered commands a second",
    "refused": "the share of refused commands, in %",
    "reconnects": "connections lost",
    "gaps": "times that reports were missing",
}


class GateError(ValueError):
    """No condition; the message says what was expected."""


class Condition(NamedTuple):
    """What must not be; latencies in nanoseconds."""

    text: str
    kind: str
    measure: str
    sign: str
    limit: float

    def holds(self, result: Result) -> bool:
        """Say whether it is so, and the run fails."""
        return _SIGNS[self.sign](self.value(result), self.limit)

    def value(self, result: Result) -> float:
        """Return what is compared.

        Raises
        ------
        GateError
            The run had no command of the kind.
        """
        figures = result.figures
        if self.measure in LATENCIES:
            latency = figures.by_kind.get(self.kind) if self.kind else figures.latency
            if latency is None or not latency.count:
                kinds = ", ".join(figures.by_kind)
                raise GateError(f"fail-if {self.text}: expected a kind of {kinds}")
            return latency.at(self.measure)
        if self.measure == "answered":
            return result.answered_per_second
        if self.measure == "refused":
            return 100 * sum(figures.refused.values()) / max(figures.commands, 1)
        return result.reconnects if self.measure == "reconnects" else result.gaps


def condition_parse(text: str) -> Condition:
    """Read a condition.

    Raises
    ------
    GateError
        It is none.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise GateError(f"fail-if: expected such as p99>5ms, got {text!r}")
    measure, unit, kind = match["measure"], match["unit"] or "", match["kind"] or ""
    if measure in LATENCIES:
        if unit not in _UNITS:
            raise GateError(f"fail-if {text}: expected ns, us, ms or s behind a latency")
        factor = _UNITS[unit]
    elif measure in OTHERS and not kind:
        if unit not in ("", "%") or (unit == "%") != (measure == "refused"):
            expected = "%" if measure == "refused" else "no unit"
            raise GateError(f"fail-if {text}: expected {expected} behind {measure}")
        factor = 1.0
    else:
        names = ", ".join((*LATENCIES, *OTHERS))
        raise GateError(f"fail-if: expected one of {names}, got {measure!r}")
    return Condition(text.strip(), kind, measure, match["sign"], float(match["number"]) * factor)


def failures(result: Result, conditions: list[Condition]) -> list[str]:
    """Return why a run fails: what it lost, and each condition that holds.

    Figures that are void meet no condition: whoever has asked for one gets no answer, and that is
    a failure too.
    """
    found = list(result.losses)
    if conditions and result.void:
        found.append(f"the run is void: {result.void}")
        return found
    for each in conditions:
        if each.holds(result):
            found.append(f"{each.text}: got {_shown(each, each.value(result))}")
    return found


def _shown(condition: Condition, value: float) -> str:
    if condition.measure in LATENCIES:
        return f"{value / 1e6:,.3f} ms"
    return f"{value:,.1f}{' %' if condition.measure == 'refused' else ''}"
