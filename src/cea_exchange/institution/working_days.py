"""The working days that an institution counts its terms by: the program's, and the years loaded.

The State Council announces the days off of a year in the autumn before. Until they are loaded a
term that ends behind the days known is provisional (`TermEnd`); with them each is certain, for
every term is counted from the day it runs from whenever it is asked for, and none is stored.
"""

from cea_exchange.domain.calendar import CalendarError, TradingCalendar, date_number
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.record_store import RecordStore

PACKAGED = "cn_carbon"
CONTENT_BYTES_MAX = 64 * 1024


class WorkingDays:
    """The calendar of one institution.

    Parameters
    ----------
    store
        Its database, which has the files that were loaded.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._files = 0
        self._calendar = TradingCalendar.load(PACKAGED)

    @property
    def calendar(self) -> TradingCalendar:
        """The days that are known now: another process may have loaded some."""
        count: int = self._store.one("SELECT count(*) FROM calendar_files")
        if count != self._files:
            known = TradingCalendar.load(PACKAGED)
            rows = self._store.execute(
                "SELECT name, last_day, content FROM calendar_files ORDER BY calendar_id"
            )
            for name, last_day, content in rows.fetchall():
                # A program that has come to know the days itself needs the file no more.
                if last_day > date_number(known.last):
                    known = known.followed_by(TradingCalendar.parse(content, name))
            self._calendar, self._files = known, count
        return self._calendar

    def load(self, name: str, content: bytes, today: int) -> TradingCalendar:
        """Load the days behind the last one known; return the calendar that there is then.

        Raises
        ------
        ActError
            The file is no calendar, or does not begin on the next day: no known day changes.

        Notes
        -----
        Rules: CEA-DAY-10.
        """
        try:
            if len(content) > CONTENT_BYTES_MAX:
                raise CalendarError(
                    f"{name}: expected at most {CONTENT_BYTES_MAX} bytes, got {len(content)}"
                )
            text = content.decode()
            later = TradingCalendar.parse(text, name)
            known = self.calendar.followed_by(later)
        except (CalendarError, UnicodeDecodeError) as error:
            raise ActError(InstitutionRefusal.CALENDAR_UNSOUND, str(error)) from None
        with self._store.transaction():
            number = self._store.next_id("calendar_files", "calendar_id")
            self._store.insert(
                "calendar_files (calendar_id, name, first_day, last_day, content, loaded_on)",
                [(number, name, date_number(later.first), date_number(later.last), text, today)],
            )
        return known
