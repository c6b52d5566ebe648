"""Alarms from what the daemons report: the rules of contrib/prometheus, at one look."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

DISK_FREE_BYTES_MIN = 20_000_000_000
DISK_MS_MAX = 50.0
CALENDAR_DAYS_MIN = 30
GRAVE = ("bad", "warn")

Status = Mapping[str, Any]


class Alarm(NamedTuple):
    """Something to look at.

    Attributes
    ----------
    system
        Whose it is.
    key
        Its text is `alarm.KEY`.
    tone
        `bad`: at once; `warn`: soon.
    detail
        Numbers or the daemon's own words; "" where the text says all.
    """

    system: str
    key: str
    tone: str
    detail: str = ""


def alarms_of(
    statuses: Mapping[str, Status], silent: Mapping[str, str], disk_ms: float | None
) -> list[Alarm]:
    """Return what calls for somebody, gravest first.

    Parameters
    ----------
    statuses
        By system, of those that answer.
    silent
        By system, why the others do not.
    disk_ms
        What one `fdatasync` in a hundred of the venue's took at least, in the last second.
    """
    found = [Alarm(system, "silent", "bad", why) for system, why in silent.items()]
    for system, status in statuses.items():
        found += [Alarm(system, *rest) for rest in _of_any(status)]
        found += [Alarm(system, *rest) for rest in _OWN.get(system, _nothing)(status)]
    if disk_ms is not None and disk_ms > DISK_MS_MAX:
        found.append(Alarm("venue", "disk_slow", "warn", f"{disk_ms:.0f} ms"))
    return sorted(found, key=lambda alarm: GRAVE.index(alarm.tone))


Found = Iterator[tuple[str, str, str]]


def _of_any(status: Status) -> Found:
    if status.get("clock_warning"):
        yield "clock", "bad", str(status["clock_warning"])
    if status.get("unsafe"):
        yield "unsafe", "bad", str(status["unsafe"])
    for part, why in (status.get("troubles") or {}).items():
        yield "trouble", "warn", f"{part}: {why}"
    if status.get("keys_cut_off"):
        yield "keys_cut_off", "bad", ", ".join(map(str, status["keys_cut_off"]))
    if status.get("fronts_ended"):
        yield "fronts_ended", "warn", str(status["fronts_ended"])
    free = status.get("disk_free_bytes")
    if free is not None and free < DISK_FREE_BYTES_MIN:
        yield "disk_full", "warn", f"{free / 1e9:.1f} GB"


def _of_venue(status: Status) -> Found:
    if status["halted"]:
        yield ("halted_for_lag" if status["halted_for_lag"] else "halted"), "bad", ""
    if status["halted_products"]:
        yield "products_halted", "warn", ", ".join(status["halted_products"])
    if status["cancels_only"]:
        yield "cancels_only", "bad", str(status["cancels_only"])
    if status["lag_level"] != "normal":
        yield "lag", "bad", f"{status['lag_records']} / {status['lag_s']} s"
    if status["reviews_overdue"]:
        yield "reviews_overdue", "warn", ", ".join(map(str, status["reviews_overdue"]))
    if status["calendar_days_left"] <= CALENDAR_DAYS_MIN:
        yield "calendar", "warn", str(status["calendar_last"])
    if status["changes_pending"]:
        yield "changes_pending", "warn", str(status["changes_pending"])


def _of_registry(status: Status) -> Found:
    if status["state"] != "ok":
        yield "settlement_stopped", "bad", str(status["state"])
    for key in ("trades_failed", "claims", "bank_unapplied", "duties_overdue"):
        if status[key]:
            yield key, "warn", str(status[key])


def _nothing(_status: Status) -> Found:
    return iter(())


_OWN: dict[str, Callable[[Status], Found]] = {"venue": _of_venue, "registry": _of_registry}
