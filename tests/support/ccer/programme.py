"""A CCER registry with a project whose batches were issued, and the days on which it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.domain.calendar import TradingCalendar, date_number, date_of_number
from cea_exchange.domain.ccer.batches import ReductionReport
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.projects import ProjectDesign
from cea_exchange.protocol.links.ccer import NumberedItem, signed_words
from cea_exchange.protocol.links.signatures import SigningKey

CALENDAR = TradingCalendar.load("cn_carbon")
DESIGN = ProjectDesign(
    methodology="CCER-01-002",
    started_on=20200301,
    crediting_from=20200923,
    crediting_to=20300922,
)
SIGNER = SigningKey(b"of a registry that is in a test ")
HASH = "ab" * 32
"""Of a document."""


class DayClock:
    """Noon in Shanghai of a day that stands still until it is set."""

    def __init__(self, day: int = 20240701) -> None:
        self.day = day

    def __call__(self) -> int:
        day = date_of_number(self.day)
        noon = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
        return int(noon.timestamp()) * 1_000_000_000

    def working_days_on(self, count: int) -> None:
        """Go on to the last day of a term of so many working days."""
        end = CALENDAR.working_day_after(date_of_number(self.day), count)
        self.day = date_number(end)

    def days_on(self, count: int) -> None:
        """Go on by so many days of the calendar."""
        self.day = date_number(date_of_number(self.day) + timedelta(days=count))


def registry_open(data: Path, clock: DayClock, database: str | None = None) -> CcerRegistry:
    """Open a CCER registry on a day that the test sets."""
    ccer = CcerRegistry.open(data, clock, database)
    ccer.proofs.signer = SIGNER
    return ccer


def signed(seq: int, item: bytes, head: str, signer: SigningKey = SIGNER) -> NumberedItem:
    """Return an item of the stream of proofs as such a registry sends it."""
    return NumberedItem(
        proof_seq=seq,
        item=item,
        head=head,
        signing_key=signer.public,
        signature=signer.sign(signed_words(seq, head)),
    )


def accounts_opened(ccer: CcerRegistry) -> None:
    """Open the accounts of an owner, two VVBs, two traders and an entity, with licences."""
    ccer.accounts.open("SEAWIND", "owner", entity="Sea Wind Ltd")
    for vvb in ("CQC", "CCSC"):
        ccer.accounts.open(vvb, "vvb")
        ccer.vvbs.accredit(vvb, 1, from_date=20240611, until_date=20290610, document="notice 1")
    for name, kind in (("A", "trader"), ("B", "trader"), ("P001", "entity")):
        ccer.accounts.open(name, kind)


def project_registered(
    ccer: CcerRegistry, clock: DayClock, project: str = "WIND-1", title: str = "Offshore wind"
) -> None:
    """Take a project from its draft to its registration, each term waited for."""
    project_applied(ccer, clock, project, title)
    ccer.projects.register(project)


def project_applied(
    ccer: CcerRegistry, clock: DayClock, project: str, title: str = "Offshore wind"
) -> None:
    """Take a project from its draft to the application for its registration."""
    ccer.projects.draft(project, "SEAWIND", title, DESIGN)
    ccer.projects.publish(project, "CQC", HASH)
    clock.working_days_on(20)
    clock.days_on(1)
    ccer.projects.validation_begin(project)
    ccer.projects.validate(project, HASH)
    ccer.projects.apply(project, HASH)


def batch_issued(
    ccer: CcerRegistry,
    clock: DayClock,
    tonnes: dict[int, int],
    *,
    project: str = "WIND-1",
) -> list[Lot]:
    """Take a batch of whole years from its report to its issue."""
    report = ReductionReport(
        produced_from=min(tonnes) * 10_000 + 101,
        produced_to=max(tonnes) * 10_000 + 1231,
        tonnes=tonnes,
    )
    number, _public = ccer.batches.publish(project, "CCSC", report, HASH)
    clock.working_days_on(20)
    clock.days_on(1)
    ccer.batches.verification_begin(project, number)
    ccer.batches.verify(project, number, tonnes, HASH)
    ccer.batches.apply(project, number, HASH)
    return ccer.batches.issue(project, number)
