"""Enterprises, units, and the list of each year."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.compliance.listing.members import Process
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.checks import PlatformActError
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import (
    CreditCode,
    DecidedOn,
    DocumentNumber,
    Enterprise,
    ListYear,
    Province,
    Title,
    UnitName,
    ValidFrom,
)
from cea_exchange.platform.roles import AUTHORITY, OFFICIALS, OPERATOR, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.platform.obligations.successions import Part
    from cea_exchange.platform.platform import Platform

City = Annotated[int, field("Four digits of its city.", is_option=True)]
SectorCode = Annotated[str, field("Of the classification of industries.", is_option=True)]
SubType = Annotated[
    str, field(f"What it does, where its code has several: {', '.join(get_args(Process))}.")
]
BP_DIGITS = 5
UnitFactsText = Annotated[
    str,
    field('Technical facts as JSON, such as {"rated_kw": [600000]}.', is_option=True),
]


class EnterpriseRegister(Request, tag="enterprise_register"):
    """Register an enterprise of a province."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "enterprise register"
    example = (
        'enterprise register E1 91330100799655058B 33 power --title "Power 1" --city 3301'
        " --sector-code 4411 --valid-from 2020-01-01 --document licence-1"
    )

    enterprise: Enterprise
    credit_code: CreditCode
    province: Province
    sector: Annotated[str, field("power, steel, cement or aluminium.")]
    title: Title
    city: City
    sector_code: SectorCode
    valid_from: ValidFrom
    document: DocumentNumber
    sub_type: SubType = ""

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the province's; the enterprise is not there yet."""
        return frozenset({f"province {self.province}"})

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts

        number = platform.enterprises.register(
            self.enterprise,
            credit_code=self.credit_code,
            province=self.province,
            sector=self.sector,
            facts=EnterpriseFacts(
                *(self.valid_from, self.title, self.city, self.sector_code, self.sub_type),
                self.document,
            ),
        )
        return {"enterprise_id": number}


class EnterpriseChange(Request, tag="enterprise_change"):
    """Note what is true of an enterprise from a day on; what is left out stays as it was."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "enterprise change"
    example = (
        'enterprise change E1 --title "Power One" --valid-from 2025-03-01 --document decision-7'
    )

    enterprise: Enterprise
    valid_from: ValidFrom
    document: DocumentNumber
    title: Annotated[str | None, field("Its new legal name.")] = None
    city: Annotated[int | None, field("Four digits of its new city.")] = None
    sector_code: Annotated[str | None, field("Its new code.")] = None
    sub_type: Annotated[str | None, field("What it is in its sector.")] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.of(self.enterprise)
        before = platform.enterprises.facts_on(found.enterprise_id, self.valid_from)
        names = ("title", "city", "sector_code", "sub_type")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        facts = before._replace(valid_from=self.valid_from, document=self.document, **given)
        platform.enterprises.change(self.enterprise, facts)
        return facts._asdict()


class EnterpriseMerge(Request, tag="enterprise_merge"):
    """Merge an enterprise into another one, which has its units and owes what it still owes."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "enterprise merge"
    example = "enterprise merge E1 E2 --decided-on 2025-06-01 --document decision-8"

    enterprise: Enterprise
    successor: Annotated[str, field("Who has all it had.")]
    decided_on: DecidedOn
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        _of_one_province_check(platform, self.enterprise, (self.successor,))
        platform.successions.merge(
            self.enterprise,
            self.successor,
            decided_on=self.decided_on,
            document=self.document,
        )
        return {}


class EnterpriseSplit(Request, tag="enterprise_split"):
    """Split an enterprise: each successor has units of it, and a share of what it still owes.

    Each unit is one successor's; the shares are 10,000 together. What rounding leaves of a year's
    tonnes the successor owes that is named first.
    """

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "enterprise split"
    example = (
        "enterprise split E1 E2:6000:E1-1,E3:4000:E1-2+E1-3 --decided-on 2025-06-01"
        " --document decision-9"
    )

    enterprise: Enterprise
    parts: Annotated[
        str,
        field(
            "SUCCESSOR:SHARE:UNIT+UNIT, with commas between; the share in hundredths of a percent."
        ),
    ]
    decided_on: DecidedOn
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        parts = [_part(each) for each in self.parts.split(",")]
        successors = tuple(part.successor for part in parts)
        _of_one_province_check(platform, self.enterprise, successors)
        platform.successions.split(
            self.enterprise, parts, decided_on=self.decided_on, document=self.document
        )
        return {"successors": list(successors)}


def _part(text: str) -> "Part":
    from cea_exchange.platform.obligations.successions import Part

    successor, _, rest = text.partition(":")
    share_bp, _, units = rest.partition(":")
    if not (share_bp.isascii() and share_bp.isdigit() and len(share_bp) <= BP_DIGITS and units):
        raise PlatformActError(
            PlatformRefusal.AMOUNT_UNSOUND,
            f"parts: expected SUCCESSOR:SHARE:UNIT+UNIT, got {text!r} (CEA-ENT-12)",
        )
    return Part(successor, int(share_bp), tuple(units.split("+")))


def _of_one_province_check(
    platform: "Platform", enterprise: str, successors: tuple[str, ...]
) -> None:
    """Refuse that a province lets another province's enterprise owe; the operator may.

    Notes
    -----
    Rules: CEA-ENT-12.
    """
    province = platform.enterprises.of(enterprise).province
    for name in successors:
        other = platform.enterprises.of(name).province
        if platform.person.role == PROVINCE and other != province:
            raise PlatformActError(
                PlatformRefusal.PROVINCE_OTHER,
                f"successor: expected one of {province}, got {name} of {other}: the operator may"
                " (CEA-ENT-12)",
            )


class EnterpriseJoin(Request, tag="enterprise_join"):
    """Let steelworks of one site report as one: the group's legal person, which has their units."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "enterprise join"
    example = (
        'enterprise join E1 E1:E2,E2:E3 --site "Hangzhou works" --decided-on 2025-01-10'
        " --document decision-10"
    )

    enterprise: Enterprise
    links: Annotated[str, field("Who gives products to whom: GIVER:TAKER, with commas between.")]
    site: Annotated[str, field("The contiguous site they stand on.", is_option=True)]
    decided_on: DecidedOn
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        links = tuple((giver, taker) for giver, _, taker in map(_parted, self.links.split(",")))
        members = platform.complexes.join(
            self.enterprise,
            links,
            site=self.site,
            decided_on=self.decided_on,
            document=self.document,
        )
        return {"members": list(members)}


def _parted(link: str) -> tuple[str, str, str]:
    return link.partition(":")


class UnitAdd(Request, tag="unit_add"):
    """Register a unit of an enterprise."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "unit add"
    example = (
        "unit add E1 E1-1 --facts '{\"rated_kw\": [600000]}' --valid-from 2020-01-01"
        " --document licence-1"
    )

    enterprise: Enterprise
    unit: UnitName
    facts: UnitFactsText
    valid_from: ValidFrom
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.entity_list.unit_facts import facts_read

        number = platform.units.add(
            platform.enterprises.acting(self.enterprise),
            self.unit,
            facts_read(self.facts),
            valid_from=self.valid_from,
            document=self.document,
        )
        return {"unit_id": number}


class UnitChange(Request, tag="unit_change"):
    """Note what is true of a unit from a day on, or that it has stopped for good."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "unit change"
    example = (
        "unit change E1 E1-1 --facts '{\"rated_kw\": [660000]}' --valid-from 2025-07-01"
        " --document approval-2"
    )

    enterprise: Enterprise
    unit: UnitName
    facts: UnitFactsText
    valid_from: ValidFrom
    document: DocumentNumber
    has_stopped: Annotated[bool, field("It emits nothing any more.")] = False

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.entity_list.unit_facts import facts_read

        found = platform.enterprises.of(self.enterprise)
        platform.units.owned(found.enterprise_id, self.unit, self.valid_from)
        platform.units.change(
            self.unit,
            0 if self.has_stopped else found.enterprise_id,
            facts_read(self.facts),
            valid_from=self.valid_from,
            document=self.document,
        )
        return {}


class EnterpriseShow(Request, tag="enterprise_show"):
    """Print what is known of an enterprise: its facts, units, lists, documents and results."""

    roles = ROLES
    is_look = True
    command = "enterprise show"
    example = "enterprise show E1"

    enterprise: Enterprise

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.pages.enterprise(self.enterprise)


class EnterpriseList(Request, tag="enterprise_list"):
    """Print the enterprises of a province."""

    roles = (OPERATOR, AUTHORITY, PROVINCE, "regulator")
    is_look = True
    command = "enterprise list"
    example = "enterprise list 33"
    rows = ("enterprises",)

    province: Province
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.enterprises.listed(self.province)
        found, further = page_at([row._asdict() for row in rows], self.first, self.count)
        return {"enterprises": found, "next": further}


class ListEnter(Request, tag="list_enter"):
    """Put an enterprise on the list of a year."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "list enter"
    example = (
        "list enter 2025 E1 --cause over_threshold --tonnes 2900000 --decided-on 2024-12-20"
        " --document list-1"
    )

    list_year: ListYear
    enterprise: Enterprise
    cause: Annotated[
        Literal["over_threshold", "new_plant", "on_request", "successor"],
        field("Why.", is_option=True),
    ]
    tonnes: Annotated[int, field("Direct emissions that it rests on.", is_option=True)]
    decided_on: DecidedOn
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.listing.enter(
            self.list_year,
            self.enterprise,
            cause=self.cause,
            tonnes=self.tonnes,
            decided_on=self.decided_on,
            document=self.document,
        )
        return {}


class ListLeave(Request, tag="list_leave"):
    """Take an enterprise off the list of a year."""

    roles = (OPERATOR, PROVINCE)
    second = Second.OWN
    command = "list leave"
    example = "list leave 2026 E1 --cause stopped --decided-on 2025-11-01 --document decision-3"

    list_year: ListYear
    enterprise: Enterprise
    cause: Annotated[
        Literal["below_threshold", "stopped", "other_sector", "succeeded"],
        field("Why.", is_option=True),
    ]
    decided_on: DecidedOn
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.listing.leave(
            self.list_year,
            self.enterprise,
            cause=self.cause,
            decided_on=self.decided_on,
            document=self.document,
        )
        return {}


class ListPublish(Request, tag="list_publish"):
    """Publish a province's list of a year as it is now."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "list publish"
    example = "list publish 2025 33"

    list_year: ListYear
    province: Province

    def act(self, platform: "Platform") -> dict[str, Any]:
        return {"publication": platform.listing.publish(self.list_year, self.province)}


class ListNext(Request, tag="list_next"):
    """Print who enters a province's list of a year by the 26,000 t test, stays on it, leaves it.

    It decides nothing: `list enter` and `list leave` do, each with its document.
    """

    roles = OFFICIALS
    is_look = True
    command = "list next"
    example = "list next 2027 33"
    rows = ("changes",)

    list_year: ListYear
    province: Province
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        changes = platform.listing.next(self.list_year, self.province)
        found, further = page_at(changes, self.first, self.count)
        return {"changes": found, "next": further}


class ListShow(Request, tag="list_show"):
    """Print a province's list of a year as it is now."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "list show"
    example = "list show 2025 33"
    rows = ("listed",)

    list_year: ListYear
    province: Province
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        lines = [line._asdict() for line in platform.listing.of_year(self.list_year, self.province)]
        found, further = page_at(lines, self.first, self.count)
        return {"listed": found, "next": further}
