"""Cross-checks of filed months: what is unlikely, what contradicts itself or a second source.

    filed values -> `Filings` (columns of exact integers) -> `detect` -> findings

A finding is a warning for whoever reviews, never a verdict: it names the rule, the unit and month,
the figure, what would have been expected, and the document the figure was filed with. Detectors are
small functions over columns; what they compare with stands in `plausibility.toml`.
"""

from cea_exchange.domain.compliance.plausibility.detect import DETECTORS, detect
from cea_exchange.domain.compliance.plausibility.filings import Filed, Filings, UnitFacts, gather
from cea_exchange.domain.compliance.plausibility.findings import Finding

__all__ = ["DETECTORS", "Filed", "Filings", "Finding", "UnitFacts", "detect", "gather"]
