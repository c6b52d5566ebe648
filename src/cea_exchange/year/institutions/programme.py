"""The voluntary programme of a year: projects, and their batches until their CCERs are issued.

January   designs published       --20 working days--> registered, batches published
then      --20 working days--> verified, issued to their owners
"""

from datetime import date
from functools import partial

from msgspec import Struct

from cea_exchange.ccer.control.requests.accounts import AccountOpen
from cea_exchange.ccer.control.requests.batches import (
    BatchApply,
    BatchIssue,
    BatchPublish,
    BatchVerificationBegin,
    BatchVerify,
)
from cea_exchange.ccer.control.requests.projects import (
    ProjectApply,
    ProjectDraft,
    ProjectPublish,
    ProjectRegister,
    ProjectValidate,
    ProjectValidationBegin,
)
from cea_exchange.ccer.control.requests.vvbs import LicenceGrant
from cea_exchange.ccer.roles import account_body
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.year.institutions.systems import Actor, Systems

_OPENED_ON = ComplianceRules.load().offsets.registered.since
"""Day on which the voluntary market started again (CEA-CAL-02)."""
PROJECTS = ("WIND-1", "WIND-2", "WIND-3", "WIND-4")
METHODOLOGY = "CCER-01-002"
VALIDATOR, VERIFIER = "CQC", "CCSC"
YEARS_BEFORE = 3
"""Whose reductions a batch has: of so many years before."""
BATCH = 1
TONNES_EACH = 1_750
"""A year's reductions of a project, for each enterprise of the nation: some 0.2% of what is due."""
DOCUMENT = "ab" * 32
OPERATOR = Actor("operator", "ccer")


class Programme(Struct, kw_only=True):
    """How far the programme is.

    Attributes
    ----------
    step
        Of `programme_step`: how many were taken.
    public_until
        Day (yyyymmdd) until which what was published is before the public.
    """

    step: int = 0
    public_until: int = 0

    @property
    def is_issued(self) -> bool:
        """Whether all CCERs of the year are with their owners."""
        return self.step > 2


def owner_of(project: str) -> str:
    """Return a project's owner."""
    return f"{project}-OWNER"


def is_open(day: date) -> bool:
    """Tell whether the voluntary market has started: before, no verifier holds a licence."""
    return day >= _OPENED_ON


def programme_step(systems: Systems, programme: Programme, day: date, entities: int) -> None:
    """Take the next step of all projects, if its day has come."""
    tonnes = entities * TONNES_EACH // len(PROJECTS)
    if programme.is_issued or date_number(day) <= programme.public_until:
        return
    with systems.together("ccer"):
        if programme.step == 0:
            programme.public_until = _designs_published(systems)
        elif programme.step == 1:
            programme.public_until = _registered(systems, day.year, tonnes)
        else:
            _issued(systems, day.year, tonnes)
    programme.step += 1


def _designs_published(systems: Systems) -> int:
    """Publish all designs; return until when they are before the public."""
    ask, until = partial(systems.ask, "ccer"), 0
    licensed_from = date_number(_OPENED_ON)
    for vvb in (VALIDATOR, VERIFIER):
        ask(OPERATOR, AccountOpen(account=vvb, kind="vvb"))
        ask(
            OPERATOR,
            LicenceGrant(vvb=vvb, sector=1, from_date=licensed_from, document="notice 1"),
        )
    for project in PROJECTS:
        owner = representative(owner_of(project))
        ask(OPERATOR, AccountOpen(account=owner_of(project), kind="owner"))
        ask(
            owner,
            ProjectDraft(
                project=project,
                owner=owner_of(project),
                title="Offshore wind",
                methodology=METHODOLOGY,
                started_on=2020_03_01,
                crediting_from=2020_09_23,
                crediting_to=2030_09_22,
            ),
        )
        published = ProjectPublish(project=project, validator=VALIDATOR, document=DOCUMENT)
        until = ask(owner, published)["until"]
    return until


def _registered(systems: Systems, year: int, tonnes: int) -> int:
    """Register all projects, and publish their batches; return until when."""
    ask, vvb, until = partial(systems.ask, "ccer"), representative(VALIDATOR), 0
    for project in PROJECTS:
        owner = representative(owner_of(project))
        ask(vvb, ProjectValidationBegin(project=project))
        ask(vvb, ProjectValidate(project=project, document=DOCUMENT))
        ask(owner, ProjectApply(project=project, document=DOCUMENT))
        ask(OPERATOR, ProjectRegister(project=project))
        published = BatchPublish(
            project=project,
            verifier=VERIFIER,
            tonnes=_tonnes(year, tonnes),
            produced_from=10_000 * (year - YEARS_BEFORE) + 101,
            produced_to=10_000 * (year - 1) + 1231,
            document=DOCUMENT,
        )
        until = ask(owner, published)["until"]
    return until


def _issued(systems: Systems, year: int, tonnes: int) -> None:
    ask, vvb = partial(systems.ask, "ccer"), representative(VERIFIER)
    for project in PROJECTS:
        owner = representative(owner_of(project))
        ask(vvb, BatchVerificationBegin(project=project, batch_number=BATCH))
        ask(
            vvb,
            BatchVerify(
                project=project,
                batch_number=BATCH,
                tonnes=_tonnes(year, tonnes),
                document=DOCUMENT,
            ),
        )
        ask(owner, BatchApply(project=project, batch_number=BATCH, document=DOCUMENT))
        ask(OPERATOR, BatchIssue(project=project, batch_number=BATCH))


def _tonnes(year: int, tonnes: int) -> dict[str, int]:
    return {str(each): tonnes for each in range(year - YEARS_BEFORE, year)}


def representative(account: str) -> Actor:
    """Return who acts for an account of the CCER registry."""
    return Actor("initiator", account_body(account))
