"""A measured load on one venue: participants, a rate, a time, and nothing may be lost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cea_exchange.domain.calendar import date_number
from cea_exchange.institution.venue_link.feed import feed_last_seq
from cea_exchange.loadtest.driver import Runners
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.loadtest.report import LoadReport
from cea_exchange.registry.store import RegistryStore

TRANSFERS_S_MAX = 60.0


@dataclass(frozen=True)
class LoadSettings:
    """What to run; the rate is commands a second of all participants together."""

    rate: float
    duration_s: float
    participants: int
    workload: str
    seed: int
    processes: int
    trading_date: date
    reference_prices: dict[str, int]


@dataclass(frozen=True)
class Target:
    """A venue to load that runs already.

    Attributes
    ----------
    endpoint, server_key : str
        Its order gateway and public key.
    keys : Path
        Directory with the keys of `participant-0000`, `participant-0001`, ...
    """

    endpoint: str
    server_key: str
    keys: Path


@dataclass(frozen=True)
class LoadOutcome:
    """What the runners saw, and how long it took."""

    load: LoadReport
    sent_s: float
    done_s: float
    behind: list[str]

    def faults(self) -> list[str]:
        """Return what was lost, in words; empty if nothing was."""
        faults = self.load.losses()
        if self.behind:
            faults.append(f"{len(self.behind)} participants lack reports, first {self.behind[0]}")
        return faults


def run_load(
    data: Path, settings: LoadSettings, target: Target | None, progress: Callable[[str], None]
) -> LoadOutcome:
    """Load the target, or without one a venue and a registry started for it in `data`."""
    orders_each = int(settings.rate * settings.duration_s) // settings.participants * 2 + 50
    members = population(
        settings.participants,
        settings.reference_prices,
        seed=settings.seed,
        orders_each=orders_each,
    )
    with Runners(data / "runners") as runners:
        if target is not None:
            return _load(runners, members, target, settings, progress)
        with LocalExchange(data) as exchange:
            progress("starting a venue and a registry")
            _open_market(exchange, members, settings)
            target = Target(
                exchange.endpoint("venue", "gateway"),
                exchange.keys("venue").public,
                exchange.keys_directory,
            )
            return _load(runners, members, target, settings, progress)


def await_transfers(exchange: LocalExchange) -> None:
    """Wait until the venue has applied all that the registry had for it."""
    with RegistryStore.open_reader(exchange.data) as store:
        last = feed_last_seq(store)
    exchange.wait_until(
        lambda: exchange.operate("status")["feed_seq"] >= last,
        f"the venue to apply the registry's {last} items",
        TRANSFERS_S_MAX,
    )


def _open_market(exchange: LocalExchange, members: list, settings: LoadSettings) -> None:
    day = settings.trading_date.isoformat()
    exchange.prepare(members, settings.reference_prices, start=f"{day}T08:30:00+08:00")
    exchange.start()
    await_transfers(exchange)
    exchange.operate("clock", at=f"{day}T09:30:00+08:00")


def _load(
    runners: Runners,
    members: list,
    target: Target,
    settings: LoadSettings,
    progress: Callable[[str], None],
) -> LoadOutcome:
    progress(f"logging on {len(members)} participants in {settings.processes} processes")
    runners.start(
        members,
        endpoint=target.endpoint,
        server_key=target.server_key,
        keys=target.keys,
        reference_prices=settings.reference_prices,
        workload=settings.workload,
        seed=settings.seed,
        process_count=settings.processes,
    )
    runners.ask({"do": "await_day", "trading_date": date_number(settings.trading_date)})
    progress(f"{settings.rate:,.0f} commands a second for {settings.duration_s:g} s")
    started = time.monotonic()
    answers = runners.run(rate=settings.rate, seconds=settings.duration_s)
    done_s = time.monotonic() - started
    behind = [name for answer in runners.ask({"do": "catch_up"}) for name in answer["behind"]]
    results = [answer["result"] for answer in runners.ask({"do": "result"})]
    sent_s = max(answer["sent_s"] for answer in answers)
    return LoadOutcome(LoadReport.of(results), sent_s, done_s, behind)
