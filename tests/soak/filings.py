"""The platform beside the market: enterprises file, are verified, and get what is due to them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from cea_exchange.year.nation.enterprises import EnterpriseYear
from torture.compliance_year import Year


class FilingsBeside:
    """Platform and registry on a folder; enterprise after enterprise has its whole year.

    Parameters
    ----------
    data : Path
        A new folder.
    scale : int
        10 is a tenth of the nation.
    seed : int
    """

    def __init__(self, data: Path, scale: int, seed: int) -> None:
        data.mkdir()
        self._year = Year(data, (None, None), seed=seed, scale=scale, kills=0)
        self._left: Iterator[EnterpriseYear] = iter(self._year.years)
        self._opened = ExitStack()
        self.done = 0

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            opened.callback(self._year.close)
            self._year.start()
            self._year.accounts_open()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_) -> None:
        self._opened.close()

    def __len__(self) -> int:
        """Return how many enterprises there are."""
        return len(self._year.years)

    def processes(self) -> dict[str, int]:
        """Return the ids of both daemons' processes."""
        return {
            "platform": self._year.platform.process.pid,
            "registry of the platform": self._year.registry.process.pid,
        }

    def until(self, done: int) -> None:
        """Go on until so many enterprises have filed and are verified."""
        while self.done < done:
            self._year.filed_and_verified(next(self._left))
            self.done += 1

    def end(self) -> dict:
        """Give allowances and set obligations, and hold them against what the rules alone make.

        Raises
        ------
        YearFailed
            They differ.
        """
        self.until(len(self))
        self._year.decided()
        self._year.stop()
        self._year.check()
        return {
            "enterprise_years": self.done,
            "values_filed": self._year.report.values,
            "allowances": self._year.report.allowances,
        }
