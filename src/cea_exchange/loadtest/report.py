"""Adds up what all runners saw, and checks it against the promises."""

from collections import Counter
from dataclasses import dataclass, field

from cea_exchange.loadtest.results.latency_histogram import LatencyHistogram

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


@dataclass
class LoadReport:
    """Counts of a run.

    Attributes
    ----------
    sent : Counter
        Commands by intention (`passive`, `ioc`, `amend`, ...).
    entered : int
        Orders of the listed book among them: all but amends, cancels and blocks.
    answered, answered_twice, unanswered : int
        Answers to commands: nothing is lost when each was answered once.
    refused, refused_kinds : Counter
        Refusals by reason and by intention.
    trades, tonnes : int
        What was traded, counted at the taker.
    orders_traded : int
        Orders that traded, as taker or as maker.
    latency : dict
        Percentiles in nanoseconds.
    report_seqs : dict
        The last report that each participant has.
    """

    sent: Counter = field(default_factory=Counter)
    entered: int = 0
    answered: int = 0
    answered_twice: int = 0
    unanswered: int = 0
    refused: Counter = field(default_factory=Counter)
    refused_kinds: Counter = field(default_factory=Counter)
    trades: int = 0
    tonnes: int = 0
    reports: int = 0
    orders_traded: int = 0
    latency: dict = field(default_factory=dict)
    report_seqs: dict = field(default_factory=dict)

    @classmethod
    def of(cls, results: list[dict]) -> "LoadReport":
        """Add up the results of all runners."""
        total = cls()
        latency = LatencyHistogram()
        for result in results:
            for name in ("sent", "refused", "refused_kinds"):
                getattr(total, name).update(result[name])
            for name in (
                "entered", "answered", "answered_twice", "unanswered",
                "trades", "tonnes", "reports", "orders_traded",
            ):  # fmt: skip
                setattr(total, name, getattr(total, name) + result[name])
            total.report_seqs.update(result["report_seqs"])
            latency.add(LatencyHistogram.decode(result["latency"]))
        at = {f"p{percentile:g}": latency.at(percentile) for percentile in PERCENTILES}
        total.latency = {"count": latency.count, **at, "max": latency.max}
        return total

    @property
    def commands(self) -> int:
        """All commands that were sent."""
        return self.sent.total()

    @property
    def traded_share(self) -> float:
        """Which part of the orders traded."""
        return self.orders_traded / self.entered if self.entered else 0.0

    @property
    def refused_share(self) -> float:
        """Which part of the commands was refused."""
        return self.refused.total() / self.commands if self.commands else 0.0

    def losses(self) -> list[str]:
        """Return what was lost or doubled, in words; empty if every command has one answer."""
        faults = []
        if self.unanswered:
            faults.append(f"{self.unanswered} commands have no answer")
        if self.answered != self.commands - self.unanswered:
            faults.append(f"{self.commands} commands were sent, {self.answered} answered")
        if self.answered_twice:
            faults.append(f"{self.answered_twice} commands were answered twice")
        return faults

    def as_dict(self) -> dict:
        """Return plain values for JSON."""
        return {
            "commands": self.commands,
            "orders": self.entered,
            "sent": dict(self.sent),
            "answered": self.answered,
            "answered_twice": self.answered_twice,
            "unanswered": self.unanswered,
            "refused": dict(self.refused),
            "refused_share": round(self.refused_share, 4),
            "orders_traded": self.orders_traded,
            "traded_share": round(self.traded_share, 4),
            "trades": self.trades,
            "tonnes": self.tonnes,
            "reports": self.reports,
            "latency_ns": self.latency,
        }


def milliseconds(nanoseconds: int) -> str:
    """Write a latency for people."""
    return f"{nanoseconds / 1e6:,.2f} ms"
