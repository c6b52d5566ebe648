"""The faults of a run by kind and by whom they met, with what they cost, as people read it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from failover.acts import BOTH_LED, LED, LOG_LED
from failover.run import FailoverReport, Outage

PAIR = "two at once"
LED_ELECTING = "venue leader, as the log elects"
"""A fault before it, at a log node, may make the log elect after all were served again."""
BOUNDS = (
    ("kill", LED, 0.5, 1.0),
    ("kill", LED, 0.99, 3.0),
    ("kill", LED_ELECTING, 0.99, 10.0),
    ("kill", LOG_LED, 0.99, 10.0),
    ("both", BOTH_LED, 0.99, 10.0),
)
"""Fault, whom it meets, the share of such faults that may cost no more, seconds."""


class Row(NamedTuple):
    """What the faults of a kind that met the same role have cost."""

    fault: str
    role: str
    times: int
    p50_s: float
    p99_s: float
    max_s: float


class Bound(NamedTuple):
    """What was asked for, and found; the machine's other work is in it."""

    fault: str
    role: str
    share: float
    below_s: float
    found_s: float
    is_kept: bool


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least such a share of them does not exceed."""
    place = -(-share * len(sorted_values) // 1)
    return sorted_values[max(int(place), 1) - 1]


def _seconds(
    report: FailoverReport, of: Callable[[Outage], float | None]
) -> dict[tuple[str, str], list[float]]:
    """Return what faults have cost by fault and role, each list ascending."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for outage in report.outages:
        if (seconds := of(outage)) is not None:
            found[_met(outage)].append(seconds)
    return {key: sorted(found[key]) for key in sorted(found)}


def _met(outage: Outage) -> tuple[str, str]:
    """Return the fault and whom it met."""
    if len(outage.acts) > 1:
        return PAIR, "any"
    kind, _, role, _ = outage.acts[0]
    is_electing = role == LED and outage.log_elects_s > 0
    return kind, LED_ELECTING if is_electing else role


def _outages(report: FailoverReport) -> dict[tuple[str, str], list[float]]:
    return _seconds(report, lambda outage: outage.outage_s)


def _rows(found: dict[tuple[str, str], list[float]]) -> list[Row]:
    return [
        Row(*key, len(seconds), quantile(seconds, 0.5), quantile(seconds, 0.99), seconds[-1])
        for key, seconds in found.items()
    ]


def outage_rows(report: FailoverReport) -> list[Row]:
    """Return a row for each kind of fault and each role that it met."""
    return _rows(_outages(report))


def ledger_rows(report: FailoverReport) -> list[Row]:
    """Return the same of those that met a database: until the ledger had all again."""
    return _rows(_seconds(report, lambda outage: outage.ledger_s))


def bounds_held(report: FailoverReport) -> list[Bound]:
    """Return the bounds of which this run can say something."""
    outages = _outages(report)
    return [
        Bound(fault, role, share, below_s, found_s, found_s < below_s)
        for fault, role, share, below_s in BOUNDS
        if (fault, role) in outages
        for found_s in [quantile(outages[fault, role], share)]
    ]


def outage_table(report: FailoverReport) -> str:
    """Return the table, the bounds and the verdict behind it."""
    lines = [f"{'fault':14} {'at the':32} {'times':>5} {'p50 s':>7} {'p99 s':>7} {'max s':>7}"]
    lines += map(_line, outage_rows(report))
    if behind := ledger_rows(report):
        lines.append(
            f"until the ledger had all again, with {report.promoted} promotions of a standby and"
            f" {report.copied} primaries of before copied anew:"
        )
        lines += map(_line, behind)
    for bound in bounds_held(report):
        lines.append(
            f"bound: {bound.fault}, {bound.role}: p{100 * bound.share:.0f} below"
            f" {bound.below_s:g} s: {bound.found_s:.2f} s{'' if bound.is_kept else ', NOT KEPT'}"
        )
    done = sum(len(outage.acts) for outage in report.outages)
    verdict = report.discrepancies[0] if report.discrepancies else (
        "nothing acknowledged lost, doubled or reordered; all copies equal;"
        " every trade settled once"
    )
    checked = ", ".join(f"{count:,} {what}" for what, count in report.checked.items())
    served_s = max(report.trading_s - report.unserved_s, 1.0)
    return "\n".join(
        [
            *lines,
            f"{done} of {report.asked} faults in {report.seconds:.0f} s, {report.epochs} epochs,"
            f" {report.commands:,} commands answered, {report.resent:,} sent again",
            f"{report.commands / max(report.trading_s, 1.0):,.0f} a second of"
            f" {report.per_second:,.0f} asked for, outages counted in;"
            f" {report.commands / served_s:,.0f} while anybody was answered, with what had waited",
            f"checked: {checked}",
            f"verdict: {verdict}",
        ]
    )


def _line(row: Row) -> str:
    seconds = " ".join(f"{each:7.2f}" for each in (row.p50_s, row.p99_s, row.max_s))
    return f"{row.fault:14} {row.role:32} {row.times:5} {seconds}"
