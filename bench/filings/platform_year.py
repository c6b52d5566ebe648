"""A nation's year at the platform: how fast files are loaded and accounted, checked and allocated.

    python -m bench.filings.platform_year [--scale 1] [--database postgresql]

Asked are, of 3,378 enterprises: 900,000 values loaded, accounted and checked within a minute on two
processors; all allocated within 5 s; any entity's page within 50 ms; less than 500 MiB of memory.
Files are read by one process, the only writer, and committed a hundred at a time; it leaves out
sockets and signatures. The nation is made, and kept in files, by another process.

What comes out is held against the rules alone before any figure is printed.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.filings.month_tables import PER_MONTH, EnterpriseFiles, NationFiles
from bench.measuring.databases import KINDS, database
from cea_exchange.domain.compliance.accounting import entity_emissions
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.institution.persons import Person
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import facts_read
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore
from cea_exchange.year.nation.enterprises import ACTIVITIES

YEAR = 2025
NOW_NS = time_to_ns(day_start(date(2026, 9, 25))) + 12 * 3_600 * 10**9
FIRM = "V1"
COMMITTED_TOGETHER = 100

T = TypeVar("T")


class Lap(NamedTuple):
    """How long a part took."""

    name: str
    wall_s: float
    cpu_s: float


class YearBench:
    """A platform in a folder, and what its parts take."""

    def __init__(self, folder: Path, database: str | None, years: NationFiles) -> None:
        self.platform = Platform(PlatformStore.open(folder, database), lambda: NOW_NS)
        self.years = years
        self.laps: list[Lap] = []
        self.pages_ms: list[float] = []
        self.findings = 0
        self.provinces = sorted({each.province for each in years})

    def run(self) -> None:
        """Let the year pass, part by part."""
        self._founded()
        self._lap("load", self._load)
        self._lap("file", self._file)
        self.findings = len(self._lap("check", lambda: self.platform.cross_checks.findings(YEAR)))
        self._lap("verify", self._verify)
        self._lap("roll up", lambda: self.platform.allocations.roll_up(_person("n"), YEAR))
        self._lap("allocate", self._allocate)
        self._pages()
        self._check()

    def lap(self, name: str) -> Lap:
        """Return how long a part took."""
        return next(each for each in self.laps if each.name == name)

    def _lap(self, name: str, act: Callable[[], T]) -> T:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        found = act()
        taken = (time.perf_counter() - wall_s, time.process_time() - cpu_s)
        self.laps.append(Lap(name, *taken))
        return found

    def _founded(self) -> None:
        platform = self.platform
        with platform.record.transaction():
            platform.firms.register(FIRM, credit_code="91330100000000900C", title="Verifiers")
            for year in self.years:
                facts = (2020_01_01, year.enterprise, 100 * year.province + 1)
                platform.enterprises.register(
                    year.enterprise,
                    credit_code=year.credit_code,
                    province=year.province,
                    sector=year.sector,
                    facts=EnterpriseFacts(*facts, *ACTIVITIES[year.sector], "licence"),
                )
                enterprise = platform.enterprises.of(year.enterprise)
                for unit, text in year.units.items():
                    platform.units.add(
                        *(enterprise, unit, facts_read(text)),
                        valid_from=2020_01_01,
                        document="licence",
                    )
                platform.listing.enter(
                    *(YEAR, year.enterprise),
                    cause="over_threshold",
                    tonnes=26_000,
                    decided_on=2024_12_20,
                    document="list",
                )

    def _committed(self) -> Iterator[EnterpriseFiles]:
        """Yield the enterprises; what is done with a hundred of them is one commit."""
        years = iter(self.years)
        while some := list(islice(years, COMMITTED_TOGETHER)):
            with self.platform.record.transaction():
                yield from some

    def _load(self) -> None:
        for year in self._committed():
            enterprise = self.platform.enterprises.of(year.enterprise)
            person = _person("preparer")
            self.platform.evidence.bring(person, enterprise, "ledger.txt", year.proof)
            source = SourceFile("months.csv", year.months)
            self.platform.months.enter(person, year.enterprise, source)

    def _file(self) -> None:
        for year in self._committed():
            self.platform.months.file(_person("reviewer"), year.enterprise, YEAR)

    def _verify(self) -> None:
        platform = self.platform
        for year in self.years:
            name = year.enterprise
            number = platform.enterprises.of(name).enterprise_id
            for role in ("city", "province"):
                platform.documents.pass_all(_person(role), number, "month", YEAR)
            platform.reports.enter(_person("preparer"), name, YEAR)
            platform.reports.sign(_person("signatory"), name, YEAR)
            task = platform.verifications.give(name, YEAR, FIRM, due_on=2026_09_30)
            platform.verifications.conclude(_person("verifier"), task, year.emitted)
            platform.verifications.confirm(_person("province"), task)

    def _allocate(self) -> None:
        for code in self.provinces:
            self.platform.allocations.compute(_person("province"), code, YEAR, "final")

    def _pages(self) -> None:
        for year in islice(self.years, None, None, max(1, len(self.years) // 100)):
            began_s = time.perf_counter()
            self.platform.due.missing(year.enterprise, 2099_12_31)
            self.platform.pages.month(year.enterprise, next(iter(year.units)), 100 * YEAR + 7)
            self.pages_ms.append(1_000 * (time.perf_counter() - began_s))

    def _check(self) -> None:
        for year in self.years:
            number = self.platform.enterprises.of(year.enterprise).enterprise_id
            expected = entity_emissions(year.emitted.values()).tonnes
            got = self.platform.verifications.result(number, YEAR).tonnes
            if got != expected:
                raise AssertionError(f"{year.enterprise}: expected {expected} t, got {got}")


def _person(role: str) -> Person:
    return Person(role, role.ljust(40, "k"), role, role)


def main() -> None:
    """Print how long each part took."""
    parser = argparse.ArgumentParser(prog="python -m bench.filings.platform_year")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1, help="a part of the nation")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(options.database) as address:
        years = NationFiles(Path(folder) / "nation", options.seed, options.scale, PER_MONTH)
        before_mib = peak_mib()
        bench = YearBench(Path(folder), address, years)
        bench.run()
        bench.platform.close()
    print(f"{len(years)} enterprises, {years.values} values")
    for each in bench.laps:
        print(f"{each.name:<10}{each.wall_s:>8.2f} s, {each.cpu_s:.2f} s of processor")
    print(f"{bench.findings} findings")
    print(f"a page: {max(bench.pages_ms):.1f} ms at most of {len(bench.pages_ms)}")
    print(
        f"memory: {peak_mib():.0f} MiB at its peak, {before_mib:.0f} of them before the first act"
    )


def peak_mib() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    main()
