"""What `venue status` and an institution's `status` show a person: sections of aligned lines."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from cea_exchange.cli.language import word
from cea_exchange.cli.output import json_print
from cea_exchange.domain.timetable import time_from_ns

Lines = Iterable[tuple[str, str]]
Sections = list[tuple[str, list[tuple[str, str]]]]
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
DAYS_LEFT_WARNING = 30


def status_show(
    ask: Callable[[], Mapping[str, Any]],
    page: Callable[[Mapping[str, Any]], Sections],
    every_s: float | None,
    json: bool,
) -> None:
    """Print a page, once, or again and again in its place until the reader has seen enough."""
    if json:
        json_print(ask())
    elif every_s is None:
        Console(highlight=False).print(_table(page(ask())))
    else:
        with Live(_table(page(ask())), auto_refresh=False) as live:
            while True:
                time.sleep(every_s)
                live.update(_table(page(ask())), refresh=True)


def venue_page(status: Mapping[str, Any]) -> Sections:
    """Return the sections of a venue's status.

    Parameters
    ----------
    status
        The answer to `status`; keys are those of `protocol/admin.md`.
    """
    date = _date(status["trading_date"])
    day = f"{date} {'open' if status['day_is_open'] else 'closed'}" if date else "none yet"
    pending, why = status["changes_pending"], status["cancels_only"]
    clock_wrong, overdue = status["clock_warning"], ", ".join(status["reviews_overdue"])
    return [
        (
            "venue",
            [
                ("time", f"{status['time']} ({status['clock']} clock)"),
                *([("CLOCK", clock_wrong)] if clock_wrong else []),
                *([("REVIEW OVERDUE", overdue)] if overdue else []),
                ("up", _duration(status["uptime_s"])),
                ("day", f"{day}, phase {status['phase']}"),
                ("halted", _halted(status)),
                ("takes", f"cancels only: {why}" if why else "everything"),
                *([("waiting", f"{pending} changes of a moved clock")] if pending else []),
                ("calendar", _calendar(status)),
            ],
        ),
        (
            "trading",
            [
                ("sessions", f"{status['sessions']:,}"),
                ("live orders", f"{status['orders_live']:,}"),
                ("per second", _rates(status)),
                ("refused", _refused(status)),
                ("products", f"{status['products']:,}, accounts {status['accounts']:,}"),
                ("delisted", ", ".join(status["delisted_products"]) or "none"),
                ("to list", _listings(status["listings_waiting"])),
                ("profile", f"{status['profile']}, {status['profile_hash']}"),
            ],
        ),
        (
            "registry",
            [
                ("lag", f"{status['lag_records']:,} records, {status['lag_s']:.1f} s"),
                ("level", status["lag_level"]),
                ("settlement", f"sequence {status['settlement_seq']:,}"),
                ("feed", f"item {status['feed_seq']:,}"),
                ("confirmed", _date(status["confirmed_date"]) or "no day yet"),
            ],
        ),
        (
            "data",
            [
                ("commands", f"{status['command_seq']:,}, events {status['event_seq']:,}"),
                ("journal", _bytes(status.get("journal_bytes"))),
                ("event store", _bytes(status.get("event_store_bytes"))),
                ("snapshot", _snapshot(status)),
                ("disk free", _bytes(status.get("disk_free_bytes"))),
                ("state hash", status["state_hash"]),
                ("metrics", status["metrics"] or "off"),
            ],
        ),
    ]


def _listings(waiting: Sequence[Mapping[str, Any]]) -> str:
    """Say which first listings wait, and for whom or what."""
    return (
        ", ".join(
            f"{one['product']} ({'confirmed' if one['confirmed_on'] else 'to be confirmed'})"
            for one in waiting
        )
        or "none"
    )


def institution_page(
    name: str, status: Mapping[str, Any], place: Lines = (), counts: Lines = ()
) -> Sections:
    """Return the sections of an institution's status.

    Parameters
    ----------
    place, counts
        Lines of its own: how far it is, and what its database has.
    """
    clock_wrong = status["clock_warning"]
    return [
        (
            name,
            [
                ("state", status["state"]),
                ("time", f"{status['time']} ({status['clock']} clock)"),
                *([("CLOCK", clock_wrong)] if clock_wrong else []),
                ("up", _duration(status["uptime_s"])),
                *place,
                *_anchor_lines(status.get("anchors", {})),
                ("second person", f"NONE: {status['unsafe']}" if status["unsafe"] else "asked for"),
                *((f"trouble: {part}", text) for part, text in status["troubles"].items()),
            ],
        ),
        (
            "ledger",
            [
                *counts,
                ("database", _bytes(status.get("database_bytes"))),
                ("disk free", _bytes(status.get("disk_free_bytes"))),
                ("metrics", status["metrics"] or "off"),
            ],
        ),
    ]


def _anchor_lines(anchors: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, str]]:
    """Yield how far each partner keeps the heads of the chain."""
    for partner, kept in anchors.items():
        behind = "all of it"
        if kept["acts"]:
            since = time_from_ns(kept["since_ns"]).isoformat(timespec="seconds")
            behind = f"but the last {kept['acts']:,} acts, since {since}"
        elif not kept["link_id"]:
            behind = "nothing yet"
        yield f"kept by {partner}", f"link {kept['link_id']:,} of the chain, {behind}"


def _table(sections: Sections) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for title, lines in sections:
        for index, (name, value) in enumerate(lines):
            table.add_row("" if index else word(title), word(name), value)
        if title != sections[-1][0]:
            table.add_row()
    return table


def _halted(status: Mapping[str, Any]) -> str:
    names = ", ".join(status["halted_products"])
    if status["halted"]:
        who = "the registry is behind" if status["halted_for_lag"] else "by an operator"
        return f"the market ({who})" + (f"; products {names}" if names else "")
    return f"products {names}" if names else "nothing"


def _calendar(status: Mapping[str, Any]) -> str:
    left = status["calendar_days_left"]
    if left < 0:
        return f"ENDED on {status['calendar_last']}: no day opens by itself"
    text = f"until {status['calendar_last']}, {left:,} days"
    return f"{text}: ENDS SOON" if left <= DAYS_LEFT_WARNING else text


def _rates(status: Mapping[str, Any]) -> str:
    names = ("commands", "trades", "rejects")
    return ", ".join(f"{name} {status[f'{name}_per_s']:,.0f}" for name in names)


def _refused(status: Mapping[str, Any]) -> str:
    return (
        f"messages {status['refused']:,}, throttled {status['throttled']:,}, "
        f"keys {status['keys_refused']:,}, slow consumers {status['slow_consumers']:,}"
    )


def _snapshot(status: Mapping[str, Any]) -> str:
    age_s = status.get("snapshot_age_s")
    return "none yet" if age_s is None else f"{_duration(age_s)} ago"


def _date(number: int) -> str:
    return f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}" if number else ""


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    clock = f"{hours:02}:{minutes:02}:{seconds:02}"
    return f"{days} d {clock}" if days else clock


def _bytes(count: float | None) -> str:
    if count is None:
        return "unknown"
    rank = 0
    while count >= 1024 and rank < len(UNITS) - 1:
        count, rank = count / 1024, rank + 1
    return f"{count:,.1f} {UNITS[rank]}" if rank else f"{count:,.0f} B"
