"""The faults of a run by kind and by whom they met, with what they cost, as people read it."""

from collections import defaultdict
from collections.abc import Sequence

from failover.run import FailoverReport

PAIR = "two at once"


def quantile(sorted_values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least such a share of them does not exceed."""
    place = -(-share * len(sorted_values) // 1)
    return sorted_values[max(int(place), 1) - 1]


def outage_table(report: FailoverReport) -> str:
    """Return the table, the verdict behind it."""
    by_kind: dict[tuple[str, str], list[float]] = defaultdict(list)
    for outage in report.outages:
        kind, _, role, _ = outage.acts[0]
        by_kind[(PAIR, "any") if len(outage.acts) > 1 else (kind, role)].append(outage.outage_s)
    lines = [f"{'fault':14} {'at the':15} {'times':>5} {'p50 s':>7} {'p99 s':>7} {'max s':>7}"]
    for (kind, role), seconds in sorted(by_kind.items()):
        seconds.sort()
        shown = " ".join(
            f"{each:7.2f}"
            for each in (quantile(seconds, 0.5), quantile(seconds, 0.99), seconds[-1])
        )
        lines.append(f"{kind:14} {role:15} {len(seconds):5} {shown}")
    done = sum(len(outage.acts) for outage in report.outages)
    verdict = report.discrepancies[0] if report.discrepancies else (
        "nothing acknowledged lost, doubled or reordered; all copies equal;"
        " every trade settled once"
    )
    checked = ", ".join(f"{count:,} {what}" for what, count in report.checked.items())
    return "\n".join(
        [
            *lines,
            f"{done} faults in {report.seconds:.0f} s, {report.epochs} epochs,"
            f" {report.commands:,} commands answered, {report.resent:,} sent again",
            f"{report.commands / max(report.trading_s, 1.0):,.0f} a second of"
            f" {report.per_second:,.0f} asked for, outages counted in",
            f"checked: {checked}",
            f"verdict: {verdict}",
        ]
    )
