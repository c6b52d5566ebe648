r"""Projects (自愿减排项目): which may be registered, and their way from a draft to their end.

    draft -> published -> validating -> validated -> applied -> registered -> deregistered
      |          |            |          |     ^       | |               \---> revoked
      |          |            |          |     +-return+ |
      +----------+------------+----------+---------------+--> recalled
"""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.ccer.life_cycle import LifeCycle
from cea_exchange.domain.ccer.methodologies import Methodology
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.terms import day_check
from cea_exchange.domain.compliance.offsets import Quota, RegisteredTests
from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.refusals import CcerRefusal

_YEAR = 10_000
"""A year, in dates as yyyymmdd."""


class ProjectState(StrEnum):
    """Where a project is."""

    DRAFT = "draft"
    PUBLISHED = "published"
    VALIDATING = "validating"
    VALIDATED = "validated"
    APPLIED = "applied"
    REGISTERED = "registered"
    DEREGISTERED = "deregistered"
    REVOKED = "revoked"
    RECALLED = "recalled"


_BEFORE_REGISTERED = (
    *(ProjectState.DRAFT, ProjectState.PUBLISHED, ProjectState.VALIDATING),
    *(ProjectState.VALIDATED, ProjectState.APPLIED),
)
PROJECT_ENDED = (ProjectState.DEREGISTERED, ProjectState.REVOKED)
"""Once one was registered, and never is again."""
PROJECT_GOES_ON = (*_BEFORE_REGISTERED, ProjectState.REGISTERED)
"""Neither ended nor recalled."""

PROJECT_LIFE = LifeCycle(
    what="project",
    code=CcerRefusal.PROJECT_STATE,
    steps={
        "publish": {ProjectState.DRAFT: ProjectState.PUBLISHED},
        "begin_validation": {ProjectState.PUBLISHED: ProjectState.VALIDATING},
        "validate": {ProjectState.VALIDATING: ProjectState.VALIDATED},
        "apply": {ProjectState.VALIDATED: ProjectState.APPLIED},
        "return": {ProjectState.APPLIED: ProjectState.VALIDATED},
        "register": {ProjectState.APPLIED: ProjectState.REGISTERED},
        "recall": dict.fromkeys(_BEFORE_REGISTERED, ProjectState.RECALLED),
        "deregister": {ProjectState.REGISTERED: ProjectState.DEREGISTERED},
        "revoke": {ProjectState.REGISTERED: ProjectState.REVOKED},
    },
)
"""Rules: CCER-PRJ-01, CCER-PRJ-05."""


class ProjectDesign(Struct, frozen=True, kw_only=True):
    """What a design document (项目设计文件) says of a project.

    Attributes
    ----------
    started_on
        The day its work began.
    crediting_from, crediting_to
        First and last day of its crediting period (计入期).
    quota_managed
        Whether its emissions are under allowances, and under which market's.
    is_legal_duty
        Whether a law makes its owner do it: then it is not additional.
    """

    methodology: str
    started_on: int
    crediting_from: int
    crediting_to: int
    quota_managed: Quota = "no"
    is_legal_duty: bool = False


def design_check(
    design: ProjectDesign, methodology: Methodology, tests: RegisteredTests
) -> None:
    """Refuse a project that the programme does not take.

    Notes
    -----
    Rules: CCER-PRJ-02, CCER-PRJ-06.
    """
    for name in ("started_on", "crediting_from", "crediting_to"):
        day_check(getattr(design, name), name)
    started_after = date_number(tests.project_started_after)
    if design.started_on <= started_after:
        raise ProgrammeError(
            CcerRefusal.PROJECT_NOT_ELIGIBLE,
            f"started_on: expected after {started_after}, got {design.started_on}",
        )
    if design.quota_managed != "no":
        raise ProgrammeError(
            CcerRefusal.PROJECT_NOT_ELIGIBLE,
            f"quota_managed: expected a project under no allowances, got {design.quota_managed}",
        )
    if design.is_legal_duty:
        raise ProgrammeError(
            CcerRefusal.PROJECT_NOT_ELIGIBLE,
            "is_legal_duty: expected a project that no law demands, got one",
        )
    _crediting_check(design, methodology)


def _crediting_check(design: ProjectDesign, methodology: Methodology) -> None:
    if not design.started_on <= design.crediting_from <= design.crediting_to:
        raise ProgrammeError(
            CcerRefusal.DATES_OUT_OF_ORDER,
            f"crediting period: expected from {design.started_on} on, first day before last, got"
            f" {design.crediting_from} to {design.crediting_to}",
        )
    after_it = date_number(date_of_number(design.crediting_to) + timedelta(days=1))
    shortest = design.crediting_from + methodology.crediting_years_min * _YEAR
    longest = design.crediting_from + methodology.crediting_years_max * _YEAR
    if not shortest <= after_it <= longest:
        raise ProgrammeError(
            CcerRefusal.PROJECT_NOT_ELIGIBLE,
            f"crediting period: expected {methodology.crediting_years_min} to"
            f" {methodology.crediting_years_max} years, got {design.crediting_from} to"
            f" {design.crediting_to}",
        )


class ProjectIdentity(NamedTuple):
    """What a project is known by whatever its code is."""

    methodology: str
    owner: int
    title: str
    started_on: int

    def is_same(self, other: "ProjectIdentity") -> bool:
        """Tell whether two are taken for one project.

        They are of one methodology, and of owner, title and first day two are the same; titles that
        look alike are. Where one stands is not on file, and not compared.

        Examples
        --------
        >>> wind = ProjectIdentity("CCER-01-002", 1, "Offshore wind", 20200301)
        >>> wind.is_same(wind._replace(title="Sea breeze"))
        True
        >>> wind.is_same(wind._replace(title="Sea breeze", started_on=20200302))
        False

        Notes
        -----
        Rules: CCER-PRJ-05.
        """
        same = (
            self.owner == other.owner,
            look_alike(self.title, other.title),
            self.started_on == other.started_on,
        )
        return self.methodology == other.methodology and sum(same) >= 2

    def is_equal(self, other: "ProjectIdentity") -> bool:
        """Tell whether nothing but their codes tells two apart; titles that look alike do not.

        Of one owner several may go on that began on one day: they have titles of their own.

        Examples
        --------
        >>> wind = ProjectIdentity("CCER-01-002", 1, "Offshore wind", 20200301)
        >>> wind.is_equal(wind._replace(title="OFFSHORE wind"))
        True
        >>> wind.is_equal(wind._replace(title="Sea breeze"))
        False

        Notes
        -----
        Rules: CCER-PRJ-02.
        """
        return self._replace(title="") == other._replace(title="") and look_alike(
            self.title, other.title
        )


def ended_check(state: str, project: str) -> None:
    """Refuse that a project comes back that was deregistered or revoked, under whatever name.

    Notes
    -----
    Rules: CCER-PRJ-05.
    """
    if state in PROJECT_ENDED:
        raise ProgrammeError(
            CcerRefusal.PROJECT_ENDED,
            f"project: expected one that was never registered, got {project}, which was {state}",
        )
