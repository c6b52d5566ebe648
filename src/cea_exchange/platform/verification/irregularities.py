"""What a verifier reports to the province besides his findings: it is not his to judge."""

from typing import Any, get_args

from cea_exchange.platform.checks import TEXT_LENGTH_MAX, choice_checked, words_checked
from cea_exchange.platform.choices import Irregularity
from cea_exchange.platform.record import Acting, Record
from cea_exchange.platform.verification.verifications import Verifications


class Irregularities:
    """What verifiers reported to provinces."""

    def __init__(self, record: Record, verifications: Verifications) -> None:
        self._record = record
        self._store = record.store
        self._verifications = verifications

    def report(
        self,
        person: Acting,
        verification: int,
        kind: Irregularity,
        unit_id: int,
        words: str,
        document: str = "",
    ) -> int:
        """Report what a verifier came upon, and return its number.

        Parameters
        ----------
        unit_id
            0: of the whole enterprise.
        document
            SHA-256 of what shows it; empty: nothing that was filed.

        Notes
        -----
        Rules: CEA-VER-14.
        """
        choice_checked(kind, get_args(Irregularity), "kind")
        words_checked(words, "words", TEXT_LENGTH_MAX)
        words_checked(document, "document", is_needed=False)
        with self._record.transaction():
            self._verifications.of_number(verification, "open", "concluded")
            number = self._store.next_id("irregularities", "irregularity_id")
            self._store.insert(
                "irregularities (irregularity_id, verification_id, kind, unit_id, words, document,"
                " reported_by, reported_on)",
                [
                    (number, verification, kind, unit_id, words, document, person.name)
                    + (self._record.business_date(),)
                ],
            )
        return number

    def of_province(self, province: int) -> list[dict[str, Any]]:
        """Return what was reported to a province, the last first."""
        names = (
            *("irregularity_id", "verification_id", "enterprise", "unit", "kind", "words"),
            *("document", "reported_by", "reported_on"),
        )
        rows = self._store.execute(
            "SELECT irregularity_id, irregularities.verification_id, enterprise,"
            " coalesce(unit, ''), kind, words, document, reported_by, reported_on"
            " FROM irregularities"
            " JOIN verifications"
            "  ON verifications.verification_id = irregularities.verification_id"
            " JOIN enterprises ON enterprises.enterprise_id = verifications.enterprise_id"
            " LEFT JOIN units ON units.unit_id = irregularities.unit_id"
            " WHERE province = ? ORDER BY irregularity_id DESC",
            (province,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
