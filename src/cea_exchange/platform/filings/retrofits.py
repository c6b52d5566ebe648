"""A guideline changed within the year: what was filed is changed in bulk, version by version.

Nothing is overwritten. What counts goes on counting, by a version that names the notice; what a
report or a verification rests on is left as it is.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from cea_exchange.domain.compliance.accounting import PARAMETERS
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    words_checked,
    year_checked,
)
from cea_exchange.platform.entity_list.enterprises import SECTORS, Enterprise, Enterprises
from cea_exchange.platform.filings import months, plans, reports
from cea_exchange.platform.filings.documents import Documents, Filing, Place
from cea_exchange.platform.filings.month_files import DEFAULT
from cea_exchange.platform.filings.months import KeptFigure, Months, account_of
from cea_exchange.platform.filings.plans import Plan, method_of, plan_of
from cea_exchange.platform.periods import months_of
from cea_exchange.platform.record import Acting, Record

FILED = ("filed", "accepted")


class Retrofits:
    """Changes plans and months that were filed by an older state of their guideline."""

    def __init__(
        self, record: Record, enterprises: Enterprises, documents: Documents, monthly: Months
    ) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._documents = documents
        self._months = monthly

    def retrofit(self, person: Acting, sector: str, year: int, notice: str) -> dict[str, int]:
        """Change what a sector's enterprises filed of a year by the guideline as it is now.

        Defaults are the guideline's, months are accounted again, and plans have no line of what is
        asked no more; what was measured stays as it was filed.

        Parameters
        ----------
        notice
            Number of the notice that says so.

        Returns
        -------
        dict
            How many plans and months were changed, and how many enterprises were left as they are,
            their year being reported or verified.

        Notes
        -----
        Rules: CEA-MRV-13, CEA-MRV-08.
        """
        choice_checked(sector, SECTORS, "sector")
        year_checked(year)
        words_checked(notice, "notice")
        done = Counter({"plans": 0, "months": 0, "reported": 0})
        with self._record.transaction():
            for enterprise in self._enterprises.of_sector(sector):
                if self._is_reported(enterprise, year):
                    done["reported"] += 1
                    continue
                done["plans"] += self._plan(person, enterprise, year, notice)
                done["months"] += self._year(person, enterprise, year, notice)
        return dict(done)

    def _is_reported(self, enterprise: Enterprise, year: int) -> bool:
        place = Place(reports.KIND, enterprise.enterprise_id, 0, year)
        standing = self._documents.standing(place)
        if standing is not None and standing.state in FILED:
            return True
        try:
            self._documents.entering_check([place])
        except PlatformActError:
            return True
        return False

    def _plan(self, person: Acting, enterprise: Enterprise, year: int, notice: str) -> int:
        place = Place(plans.KIND, enterprise.enterprise_id, 0, year)
        filing = self._filed(place)
        if filing is None:
            return 0
        before = plan_of(filing)
        after = _plan_now(enterprise.sector, year, before)
        if after == before:
            return 0
        content = msgspec.json.encode(after).decode()
        self._documents.retrofit(person, place, content, reason=notice)
        return 1

    def _year(self, person: Acting, enterprise: Enterprise, year: int, notice: str) -> int:
        changed = 0
        for place in self._places(enterprise, year):
            filing = self._filed(place)
            if filing is None:
                continue
            before = list(self._months.figures(filing).values())
            after = [_figure_now(enterprise.sector, year, figure) for figure in before]
            by_name = {figure.parameter: figure for figure in after}
            account = account_of(enterprise.sector, filing, by_name)
            emission, mark = f"{account.emissions:f}", marks_text(account.marks)
            if after == before and (emission, mark) == (filing.emission, filing.mark):
                continue
            content = msgspec.json.encode(sorted(after)).decode()
            self._documents.retrofit(
                person, place, content, reason=notice, emission=emission, mark=mark
            )
            changed += 1
        return changed

    def _places(self, enterprise: Enterprise, year: int) -> Iterator[Place]:
        for month in months_of(year):
            yield from self._documents.in_state(
                enterprise.enterprise_id, months.KIND, month, *FILED
            )

    def _filed(self, place: Place) -> Filing | None:
        standing = self._documents.standing(place)
        if standing is None or standing.state not in FILED:
            return None
        return self._documents.of_id(standing.filing_id)


def _figure_now(sector: str, year: int, figure: KeptFigure) -> KeptFigure:
    """Return a figure with the guideline's value of now, where that stands for it."""
    parameter = PARAMETERS[sector].get(figure.parameter)
    default = None if parameter is None else parameter.default_in(year)
    if figure.origin != DEFAULT or default is None:
        return figure
    return figure._replace(value=default.value)


def _plan_now(sector: str, year: int, plan: Plan) -> Plan:
    figures = tuple(
        msgspec.structs.replace(figure, missing_data=method_of(sector, figure.parameter, year))
        for figure in plan.figures
        if figure.parameter in PARAMETERS[sector]
    )
    if figures == plan.figures:
        return plan
    return msgspec.structs.replace(plan, figures=figures, cause="against_guideline")
