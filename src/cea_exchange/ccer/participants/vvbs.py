"""VVBs: who is accredited for what, and from when to when."""

from collections.abc import Sequence
from typing import Any

from cea_exchange.ccer.books import Books
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.terms import day_check
from cea_exchange.domain.ccer.vvbs import Accreditation, accredited_check
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, words_checked
from cea_exchange.institution.paging import ALL


class Vvbs:
    """Keeps the licences of validation and verification bodies.

    Notes
    -----
    Rules: CCER-VVB-01.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store

    def accredit(
        self, vvb: str, sector: int, *, from_date: int, until_date: int = 0, document: str
    ) -> int:
        """Note a licence for one sector, from its first to its last day.

        Returns
        -------
        int
            The licence's id.
        """
        index = self._books.account(vvb, "vvb")
        words_checked(document, "document", WHY_LENGTH_MAX)
        day_check(from_date, "from_date")
        if until_date:
            day_check(until_date, "until_date")
        if not 1 <= sector <= 16 or (until_date and until_date < from_date):
            raise ProgrammeError(
                CcerRefusal.LICENCE_UNSOUND,
                "licence: expected a sector of 1 to 16, first day before last, got sector"
                f" {sector}, {from_date} to {until_date}",
            )
        with self._store.transaction():
            number = self._store.next_id("accreditations", "accreditation_id")
            self._store.insert(
                "accreditations (accreditation_id, account_index, sector, from_date, until_date,"
                " document)",
                [(number, index, sector, from_date, until_date, document)],
            )
        return number

    def withdraw(self, accreditation_id: int, *, last_day: int) -> None:
        """End a licence with a day, which it covers still."""
        day_check(last_day, "last_day")
        with self._store.transaction():
            row = self._store.one(
                "SELECT from_date, until_date FROM accreditations WHERE accreditation_id = ?",
                (accreditation_id,),
            )
            if row is None or last_day < row[0] or (row[1] and last_day > row[1]):
                raise ProgrammeError(
                    CcerRefusal.LICENCE_UNSOUND,
                    f"licence {accreditation_id}: expected one in force on {last_day}, got"
                    f" {'none' if row is None else f'{row[0]} to {row[1]}'}",
                )
            self._store.execute(
                "UPDATE accreditations SET until_date = ? WHERE accreditation_id = ?",
                (last_day, accreditation_id),
            )

    def check(self, vvb: str, sector: int, on: int) -> int:
        """Return the index of a VVB that may work in a sector on a day; ProgrammeError if not.

        Notes
        -----
        Rules: CCER-VVB-01, CCER-ACC-03.
        """
        self._books.account(vvb, "vvb")
        index = self._books.account_moving(vvb)
        accredited_check(vvb, self.accreditations(index), sector, on)
        return index

    def listed(self, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return licences in the order they were noted, from an id on."""
        return self._store.records(
            "SELECT l.accreditation_id AS licence_id, a.account AS vvb, l.sector, l.from_date,"
            " l.until_date, l.document FROM accreditations AS l"
            " JOIN accounts AS a ON a.account_index = l.account_index"
            " WHERE l.accreditation_id >= ? ORDER BY l.accreditation_id LIMIT ?",
            (first, count),
        )

    def accreditations(self, index: int) -> Sequence[Accreditation]:
        """Return the licences of a VVB."""
        rows = self._store.execute(
            "SELECT sector, from_date, until_date FROM accreditations WHERE account_index = ?"
            " ORDER BY accreditation_id",
            (index,),
        )
        return [
            Accreditation(sector=sector, from_date=from_date, until_date=until_date)
            for sector, from_date, until_date in rows.fetchall()
        ]
