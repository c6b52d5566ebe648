"""Which planted errors were found, and what was named in vain."""

from cea_exchange.domain.compliance.plausibility import Finding

Place = tuple[str, int]
"""A unit and a month."""


class Recall:
    """Found and planted by kind, and months named without an error."""

    def __init__(
        self, findings: tuple[Finding, ...], where: dict[str, set[Place]], months: int
    ) -> None:
        named = {(each.unit, each.month) for each in findings}
        self.rows = [
            (kind, len(places & named), len(places), self._by(findings, places))
            for kind, places in where.items()
        ]
        # An error shows in the month after it too, where that is compared with it.
        planted = {
            (unit, month + after)
            for places in where.values()
            for unit, month in places
            for after in (-2, -1, 0, 1)
        }
        in_vain = named - planted
        self.false = len(in_vain)
        by_detector: dict[str, set[Place]] = {}
        for each in findings:
            if (each.unit, each.month) in in_vain:
                by_detector.setdefault(each.detector, set()).add((each.unit, each.month))
        self.false_by = {name: len(places) for name, places in sorted(by_detector.items())}
        self.months = months

    @staticmethod
    def _by(findings: tuple[Finding, ...], places: set[Place]) -> str:
        found: dict[str, int] = {}
        for each in findings:
            if (each.unit, each.month) in places:
                found[each.detector] = found.get(each.detector, 0) + 1
        return ", ".join(sorted(found, key=lambda name: (-found[name], name))[:3])

    def __str__(self) -> str:
        lines = ["kind of error                      found of planted  by"]
        for kind, found, planted, by in self.rows:
            lines.append(f"{kind:<35}{found:>5} of {planted:<7}  {by}")
        share = f"{10_000 * self.false // max(1, self.months) / 100:.2f}%"
        lines.append(f"months named in vain: {self.false} of {self.months} ({share})")
        lines += [f"  by {name:<40}{count:>5}" for name, count in self.false_by.items()]
        return "\n".join(lines)
