"""What laboratories and meters give, made into the figures of a month."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up

_PERCENT = Decimal(100)
REPORT_DAYS = 40


class Batch(Struct, frozen=True, kw_only=True):
    """Fuel of a day or a delivery, and what was found in it; None: nothing, or not soundly."""

    tonnes: Decimal
    found: Decimal | None


class Weighted(Struct, frozen=True, kw_only=True):
    """A mean by tonnes, and of how many tonnes a default is in it."""

    value: Decimal
    tonnes: Decimal
    substituted: Decimal


def as_received(dried_in_air: Decimal, moisture: Decimal, lab_moisture: Decimal) -> Decimal:
    """Return carbon as received (%) of carbon as dried in air.

    Parameters
    ----------
    dried_in_air, lab_moisture : Decimal
        Percent, of the laboratory's report.
    moisture : Decimal
        Percent as received: the entity's own, of the day.

    Notes
    -----
    Rules: CEA-PWR-06.
    """
    return _basis(dried_in_air, _PERCENT - moisture, _PERCENT - lab_moisture)


def as_received_of_dry(dry: Decimal, moisture: Decimal) -> Decimal:
    """Return carbon as received (%) of carbon of the dry sample.

    Notes
    -----
    Rules: CEA-PWR-06.
    """
    return _basis(dry, _PERCENT - moisture, _PERCENT)


def dry_ash_free(received: Decimal, moisture: Decimal, ash: Decimal) -> Decimal:
    """Return carbon (%) without water and ash, by which a coal's kind shows.

    Notes
    -----
    Rules: CEA-VER-01.
    """
    return _basis(received, _PERCENT, _PERCENT - moisture - ash)


def _basis(value: Decimal, over: Decimal, under: Decimal) -> Decimal:
    if under <= 0 or over < 0:
        raise ValueError(f"moisture and ash: expected below 100% together, got {100 - under}%")
    return half_up(EXACT.divide(EXACT.multiply(value, over), under), 2)


def carbon_figure(received: Decimal) -> Decimal:
    """Return B, tonnes of carbon in a tonne, of carbon as received in percent.

    Notes
    -----
    Rules: CEA-PWR-06, CEA-PWR-25.
    """
    return half_up(EXACT.divide(received, _PERCENT), 4)


def weighted(
    batches: Sequence[Batch], *, decimals: int, default: Decimal | None = None
) -> Weighted:
    """Return the mean of days or deliveries by their tonnes.

    Parameters
    ----------
    default : Decimal, optional
        Stands for what was not found.

    Raises
    ------
    ValueError
        If there is no fuel, or something was not found and nothing may stand for it.

    Notes
    -----
    Rules: CEA-PWR-10, CEA-PWR-13, CEA-MRV-14.
    """
    with localcontext(EXACT):
        tonnes = sum((batch.tonnes for batch in batches), Decimal(0))
        if tonnes <= 0 or any(batch.tonnes < 0 for batch in batches):
            raise ValueError(f"batches: expected fuel in all of them, got {tonnes} t together")
        total = substituted = Decimal(0)
        for batch in batches:
            found = batch.found
            if found is None:
                if default is None:
                    raise ValueError(f"batch of {batch.tonnes} t: expected a result, got none")
                found = default
                substituted += batch.tonnes
            total += batch.tonnes * found
        value = half_up(total / tonnes, decimals)
    return Weighted(value=value, tonnes=tonnes, substituted=substituted)


def mean(results: Sequence[Decimal], *, decimals: int) -> Decimal:
    """Return the plain mean of a month's tests of gas or oil.

    Notes
    -----
    Rules: CEA-PWR-11.
    """
    if not results:
        raise ValueError("tests: expected one a month or more, got none")
    with localcontext(EXACT):
        return half_up(sum(results, Decimal(0)) / len(results), decimals)


def composite_shares(daily: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Return which part of a month's composite sample each day's is: as its coal of the month's.

    Notes
    -----
    Rules: CEA-PWR-07.
    """
    with localcontext(EXACT):
        total = sum(daily, Decimal(0))
        if total <= 0 or min(daily) < 0:
            raise ValueError(f"coal of the month: expected above 0 t, got {total} t")
        return tuple(tonnes / total for tonnes in daily)


def report_due(sampled: date) -> date:
    """Return the last day for the laboratory's report on a sample.

    Notes
    -----
    Rules: CEA-PWR-08.
    """
    return sampled + timedelta(days=REPORT_DAYS)
