"""All detectors, by name, and one pass of them."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from cea_exchange.domain.compliance.plausibility import (
    comparing,
    energy,
    evidence,
    ranges,
    together,
)
from cea_exchange.domain.compliance.plausibility.filings import Filings
from cea_exchange.domain.compliance.plausibility.findings import Finding

Detector = Callable[[Filings], Iterator[Finding]]

DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {
        detector.__name__: detector
        for detector in (
            ranges.out_of_range,
            ranges.coal_of_another_kind,
            ranges.carbon_against_heat,
            ranges.moisture_turned_round,
            energy.efficiency,
            energy.heat_above_boilers,
            energy.boilers_against_fuel,
            energy.load_above_rating,
            energy.capacity_above_approval,
            energy.hours_above_month,
            energy.clinker_above_approval,
            comparing.change_to_last_month,
            comparing.change_to_last_year,
            comparing.rate_to_last_month,
            comparing.rate_among_peers,
            comparing.slipped_digits,
            comparing.heat_rises_with_ash,
            comparing.repeated_figures,
            together.short_together,
            evidence.second_sources,
            evidence.copied_evidence,
            evidence.spliced_evidence,
            evidence.missing_evidence,
            evidence.late_filing,
            evidence.altered_figures,
            evidence.method_fallen,
        )
    }
)
"""Name -> detector. Months against their year need the yearly figures besides."""


def detect(filings: Filings) -> tuple[Finding, ...]:
    """Return all findings, in the order of units, months and detectors."""
    return tuple(sorted(each for found in DETECTORS.values() for each in found(filings)))
