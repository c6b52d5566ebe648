"""Quality-control plans: how each figure of a year is measured, by version."""

from typing import NamedTuple

import msgspec

from cea_exchange.platform.checks import words_checked, year_checked
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.filings.documents import Documents, Filing, Place
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.periods import plan_due
from cea_exchange.platform.record import Acting, Record

KIND = "plan"


class PlanFile(NamedTuple):
    """What a version of a plan says: the file it is in."""

    file: str
    sha256: str


class Plans:
    """The quality-control plans of all enterprises."""

    def __init__(
        self, record: Record, enterprises: Enterprises, evidence: Evidence, documents: Documents
    ) -> None:
        self._record = record
        self._enterprises = enterprises
        self._evidence = evidence
        self._documents = documents

    def enter(
        self,
        person: Acting,
        enterprise: str,
        year: int,
        file: str,
        content: bytes,
        reason: str = "",
    ) -> Filing:
        """Enter a version of a plan as a draft.

        Notes
        -----
        Rules: CEA-MRV-08, CEA-MRV-12.
        """
        year_checked(year)
        words_checked(file, "file")
        found = self._enterprises.acting(enterprise)
        with self._record.transaction():
            digest = self._evidence.bring(person, found, file, content)
            return self._documents.enter(
                person,
                Place(KIND, found.enterprise_id, 0, year),
                msgspec.json.encode(PlanFile(file, digest)).decode(),
                due_on=plan_due(found.sector, year),
                reason=reason,
            )

    def file(self, person: Acting, enterprise: str, year: int, seen: str | None = None) -> Filing:
        """File a draft of a plan, which another person entered."""
        found = self._enterprises.of(enterprise)
        return self._documents.file(person, Place(KIND, found.enterprise_id, 0, year), seen=seen)
