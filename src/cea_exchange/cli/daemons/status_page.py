"""What `venue status` and an institution's `status` show a person: sections of aligned lines."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from cea_exchange.cli.output import json_print

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


def venue_page(told: Mapping[str, Any]) -> Sections:
    """Return the sections of a venue's status.

    Parameters
    ----------
    told
        The answer to `status`; keys are those of `protocol/admin.md`.
    """
    date = _date(told["trading_date"])
    day = f"{date} {'open' if told['day_is_open'] else 'closed'}" if date else "none yet"
    pending, why = told["changes_pending"], told["cancels_only"]
    clock_wrong, overdue = told["clock_warning"], ", ".join(told["reviews_overdue"])
    return [
        (
            "venue",
            [
                ("time", f"{told['time']} ({told['clock']} clock)"),
                *([("CLOCK", clock_wrong)] if clock_wrong else []),
                *([("REVIEW OVERDUE", overdue)] if overdue else []),
                ("up", _duration(told["uptime_s"])),
                ("day", f"{day}, phase {told['phase']}"),
                ("halted", _halted(told)),
                ("takes", f"cancels only: {why}" if why else "everything"),
                *([("waiting", f"{pending} changes of a moved clock")] if pending else []),
                ("calendar", _calendar(told)),
            ],
        ),
        (
            "trading",
            [
                ("sessions", f"{told['sessions']:,}"),
                ("live orders", f"{told['orders_live']:,}"),
                ("per second", _rates(told)),
                ("refused", _refused(told)),
                ("products", f"{told['products']:,}, accounts {told['accounts']:,}"),
                ("delisted", ", ".join(told["delisted_products"]) or "none"),
                ("profile", f"{told['profile']}, {told['profile_hash']}"),
            ],
        ),
        (
            "registry",
            [
                ("lag", f"{told['lag_records']:,} records, {told['lag_s']:.1f} s"),
                ("level", told["lag_level"]),
                ("settlement", f"sequence {told['settlement_seq']:,}"),
                ("feed", f"item {told['feed_seq']:,}"),
                ("confirmed", _date(told["confirmed_date"]) or "no day yet"),
            ],
        ),
        (
            "data",
            [
                ("commands", f"{told['command_seq']:,}, events {told['event_seq']:,}"),
                ("journal", _bytes(told.get("journal_bytes"))),
                ("event store", _bytes(told.get("event_store_bytes"))),
                ("snapshot", _snapshot(told)),
                ("disk free", _bytes(told.get("disk_free_bytes"))),
                ("state hash", told["state_hash"]),
                ("metrics", told["metrics"] or "off"),
            ],
        ),
    ]


def institution_page(
    name: str, told: Mapping[str, Any], place: Lines = (), counts: Lines = ()
) -> Sections:
    """Return the sections of an institution's status.

    Parameters
    ----------
    place, counts
        Lines of its own: how far it is, and what its database has.
    """
    clock_wrong = told["clock_warning"]
    return [
        (
            name,
            [
                ("state", told["state"]),
                ("time", f"{told['time']} ({told['clock']} clock)"),
                *([("CLOCK", clock_wrong)] if clock_wrong else []),
                ("up", _duration(told["uptime_s"])),
                *place,
                ("second person", f"NONE: {told['unsafe']}" if told["unsafe"] else "asked for"),
                *((f"trouble: {part}", text) for part, text in told["troubles"].items()),
            ],
        ),
        (
            "ledger",
            [
                *counts,
                ("database", _bytes(told.get("database_bytes"))),
                ("disk free", _bytes(told.get("disk_free_bytes"))),
                ("metrics", told["metrics"] or "off"),
            ],
        ),
    ]


def _table(sections: Sections) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for title, lines in sections:
        for index, (name, value) in enumerate(lines):
            table.add_row("" if index else title, name, value)
        if title != sections[-1][0]:
            table.add_row()
    return table


def _halted(told: Mapping[str, Any]) -> str:
    names = ", ".join(told["halted_products"])
    if told["halted"]:
        who = "the registry is behind" if told["halted_for_lag"] else "by an operator"
        return f"the market ({who})" + (f"; products {names}" if names else "")
    return f"products {names}" if names else "nothing"


def _calendar(told: Mapping[str, Any]) -> str:
    left = told["calendar_days_left"]
    if left < 0:
        return f"ENDED on {told['calendar_last']}: no day opens by itself"
    text = f"until {told['calendar_last']}, {left:,} days"
    return f"{text}: ENDS SOON" if left <= DAYS_LEFT_WARNING else text


def _rates(told: Mapping[str, Any]) -> str:
    names = ("commands", "trades", "rejects")
    return ", ".join(f"{name} {told[f'{name}_per_s']:,.0f}" for name in names)


def _refused(told: Mapping[str, Any]) -> str:
    return (
        f"messages {told['refused']:,}, throttled {told['throttled']:,}, "
        f"keys {told['keys_refused']:,}, slow consumers {told['slow_consumers']:,}"
    )


def _snapshot(told: Mapping[str, Any]) -> str:
    age_s = told.get("snapshot_age_s")
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
