"""Numbers, units and dates as a reader of each language writes them; integers in, text out."""

from datetime import date, datetime, timedelta, timezone

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.units import cash_format, fen_of, price_format

SHANGHAI = timezone(timedelta(hours=8))
NOTHING = "–"
"""What a cell shows that has no value."""
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_SHORT = {
    "zh": ((10**8, "亿"), (10**4, "万")),
    "en": ((10**9, " bn"), (10**6, " m")),
}


class Reading:
    """How one language writes what is measured.

    Parameters
    ----------
    language : str
        `zh` or `en`.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    def price(self, fen: int | None) -> str:
        """Write fen per tonne as yuan per tonne: 9750 gives 97.50."""
        return price_format(fen) if fen else NOTHING

    def tonnes(self, tonnes: int | None) -> str:
        """Write whole tonnes, or any whole number, in groups of three."""
        return NOTHING if tonnes is None else f"{tonnes:,}"

    def exact(self, number: str | None) -> str:
        """Write a decimal number of any length, as a daemon wrote it, in groups of three."""
        if not number:
            return NOTHING
        sign, digits = ("−", number[1:]) if number[0] == "-" else ("", number)
        whole, point, rest = digits.partition(".")
        return f"{sign}{int(whole):,}{point}{rest}" if whole.isdigit() else number

    def yuan(self, fen: int | str | None) -> str:
        """Write fen, or what a daemon wrote as yuan, with all its digits."""
        if fen is None or fen == "":
            return NOTHING
        fen = fen_of(fen) if isinstance(fen, str) else fen
        whole, cents = cash_format(abs(fen)).split(".")
        return f"{'−' if fen < 0 else ''}{int(whole):,}.{cents}"

    def short(self, number: int | None) -> str:
        """Write a large number of whole units as a headline would: 1.23亿, 123.4 m."""
        if number is None:
            return NOTHING
        for unit, name in _SHORT[self.language]:
            if abs(number) >= unit:
                hundredths = (200 * abs(number) + unit) // (2 * unit)
                sign = "−" if number < 0 else ""
                return f"{sign}{hundredths // 100:,}.{hundredths % 100:02}{name}"
        return f"{number:,}"

    def yuan_short(self, fen: int | str | None) -> str:
        """Write an amount as a headline would."""
        if fen is None or fen == "":
            return NOTHING
        fen = fen_of(fen) if isinstance(fen, str) else fen
        return self.short(fen // 100) if abs(fen) >= 10**6 else self.yuan(fen)

    def change(self, price: int | None, reference: int | None) -> str:
        """Write a price's change from a reference, with its sign."""
        if not price or not reference:
            return NOTHING
        return _signed(price - reference)

    def change_rate(self, price: int | None, reference: int | None) -> str:
        """Write that change in percent, half up by its size."""
        if not price or not reference:
            return NOTHING
        size = (20_000 * abs(price - reference) + reference) // (2 * reference)
        return f"{_signed(size if price >= reference else -size)}%"

    def share(self, part: int, whole: int) -> str:
        """Write a part of a whole in percent."""
        return f"{100 * part / whole:.1f}%" if whole else NOTHING

    def day(self, day: date | int | str | None) -> str:
        """Write a day: 2025年7月16日, 16 Jul 2025. Takes yyyymmdd and ISO 8601 too."""
        if not day:
            return NOTHING
        if isinstance(day, str):
            day = date.fromisoformat(day)
        elif isinstance(day, int):
            day = date_of_number(day)
        if self.language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def period(self, period: int) -> str:
        """Write a month or a year: 2025年7月, Jul 2025. Takes yyyymm and yyyy."""
        year, month = divmod(period, 100)
        if period < 10_000:
            return f"{period}年" if self.language == "zh" else str(period)
        if self.language == "zh":
            return f"{year}年{month}月"
        return f"{_MONTHS[month - 1]} {year}"

    def moment(self, ns: int | str | None) -> str:
        """Write a time with its day, in Shanghai; takes nanoseconds since 1970 and ISO 8601."""
        if not ns:
            return NOTHING
        return f"{self.day(_moment(ns).date())} {self.clock(ns)}"

    def clock(self, ns: int | str | None) -> str:
        """Write the time of day in Shanghai."""
        return _moment(ns).strftime("%H:%M:%S") if ns else NOTHING


def direction(price: int | None, reference: int | None) -> str:
    """Return `up`, `down` or `flat`: how a price is drawn."""
    if not price or not reference or price == reference:
        return "flat"
    return "up" if price > reference else "down"


READINGS = {language: Reading(language) for language in _SHORT}


def _moment(ns: int | str) -> datetime:
    if isinstance(ns, str):
        return datetime.fromisoformat(ns).astimezone(SHANGHAI)
    return datetime.fromtimestamp(ns // 1_000_000_000, SHANGHAI)


def _signed(hundredths: int) -> str:
    sign = "+" if hundredths > 0 else "−" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02}"
