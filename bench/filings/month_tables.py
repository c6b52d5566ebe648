"""A nation's year as files: the months of each enterprise, and what its year comes to."""

from collections import defaultdict
from collections.abc import Iterator

from bench.filings.year import nation
from cea_exchange.domain.compliance.plausibility import Filed
from cea_exchange.year.nation.enterprises import EnterpriseYear, enterprise_made

PER_MONTH = 17
"""Values of a unit's month, with second sources: 900,000 of a nation."""


def enterprise_years(seed: int, scale: int = 1, per_month: int = 0) -> Iterator[EnterpriseYear]:
    """Yield a nation's enterprises, by name; with a scale of 10 a tenth of them.

    Parameters
    ----------
    per_month
        Values of a unit's month at least, filled up with second sources.
    """
    year = nation(seed, scale)
    sectors = {facts.name.partition("-")[0]: facts.sector for facts in year.units}
    by_enterprise: dict[str, list[Filed]] = defaultdict(list)
    for filed in year.filed:
        by_enterprise[filed.unit.partition("-")[0]].append(filed)
    for number, (name, filings) in enumerate(sorted(by_enterprise.items()), start=1):
        yield enterprise_made(name, number, sectors[name], filings, per_month)
