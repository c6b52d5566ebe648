"""A nation's year as files: the months of each enterprise, and what its year comes to.

What it comes to is computed here by the rules alone, from the same figures, without the platform.
"""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import msgspec

from bench.filings.year import nation
from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.plausibility import Filed
from cea_exchange.year.nation.enterprises import EnterpriseYear, enterprise_made

PER_MONTH = 17
"""Values of a unit's month, with second sources: 900,000 of a nation."""


class EnterpriseFiles(msgspec.Struct, frozen=True):
    """What an enterprise hands in of its year, and what has to come of it.

    Attributes
    ----------
    units, proof, months
        As in `EnterpriseYear`.
    values
        How many values its file has.
    emitted
        Unit -> what it emitted in the year, by the rules alone.
    """

    enterprise: str
    credit_code: str
    province: int
    sector: Sector
    units: dict[str, str]
    proof: bytes
    months: bytes
    values: int
    emitted: dict[str, Decimal]


class NationFiles:
    """A nation's year in a folder, one enterprise in memory at a time.

    It is made by a process of its own, whose memory is no part of who reads it.
    """

    def __init__(self, folder: Path, seed: int, scale: int = 1, per_month: int = 0) -> None:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as maker:
            self.values = maker.submit(_files_write, folder, seed, scale, per_month).result()
        self._files = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[EnterpriseFiles]:
        decode = msgspec.msgpack.Decoder(EnterpriseFiles).decode
        return (decode(file.read_bytes()) for file in self._files)


def _files_write(folder: Path, seed: int, scale: int, per_month: int) -> int:
    """Write a file an enterprise; return how many values there are."""
    values = 0
    folder.mkdir()
    for year in enterprise_years(seed, scale, per_month):
        files = EnterpriseFiles(
            enterprise=year.enterprise,
            credit_code=year.credit_code,
            province=year.province,
            sector=year.sector,
            units=year.units,
            proof=year.proof,
            months=year.months,
            values=year.values,
            emitted=year.emitted(),
        )
        (folder / year.enterprise).write_bytes(msgspec.msgpack.encode(files))
        values += files.values
    return values


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
