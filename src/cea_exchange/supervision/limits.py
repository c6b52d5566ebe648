"""What the patterns are measured by, as data: the packaged file, or one's own."""

import functools
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.ruled import Cited
from cea_exchange.user_files.formats import toml_parse
from cea_exchange.user_files.opening import UserFileError, text_read

PerMille = Annotated[int, Meta(ge=0, le=1_000_000)]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Days = Annotated[int, Meta(ge=1, le=366)]
Tonnes = Annotated[int, Meta(ge=0, le=1 << 60)]


class LimitsError(ValueError):
    """A file of limits can't be used; the message says which, where in it, and why."""


class Pattern(Cited, frozen=True, kw_only=True):
    """A pattern's figures: beside the rule, where they come from."""

    source: str


class WashGroup(Pattern, frozen=True, kw_only=True):
    """Any of the three, once there are tonnes enough, more than chance gives, much of their own."""

    chance_per_mille: PerMille
    own_per_mille: PerMille
    day_per_mille: PerMille
    phase_per_mille: PerMille
    trades_min: Count
    tonnes_min: Tonnes


class WashRing(Pattern, frozen=True, kw_only=True):
    """All of them, in any of the windows."""

    accounts_min: Annotated[int, Meta(ge=3, le=6)]
    accounts_max: Annotated[int, Meta(ge=3, le=6)]
    net_per_mille_max: PerMille
    value_per_mille_max: PerMille
    volume_per_mille: PerMille
    windows_days: tuple[Days, ...]


class MatchedOrders(Pattern, frozen=True, kw_only=True):
    """All of them, and more often than chance explains."""

    within_s: Seconds
    size_per_mille_max: PerMille
    times_min: Count
    days: Days
    chance_per_million: Annotated[int, Meta(ge=1, le=1_000_000)]


class Spoofing(Pattern, frozen=True, kw_only=True):
    """All of them; `ratio_high` makes it grave."""

    window_s: Seconds
    tonnes_min: Tonnes
    ratio_min: Count
    ratio_high: Count
    book_per_mille: PerMille
    canceled_per_mille: PerMille
    episodes_min: Count


class Layering(Pattern, frozen=True, kw_only=True):
    """All of them."""

    window_s: Seconds
    levels_min: Annotated[int, Meta(ge=2, le=5)]
    book_per_mille: PerMille
    canceled_per_mille: PerMille
    episodes_min: Count


class LimitQueue(Pattern, frozen=True, kw_only=True):
    """All of them."""

    queue_per_mille: PerMille
    canceled_per_mille: PerMille
    resting_s: Seconds
    times_min: Count


class DenseEntry(Pattern, frozen=True, kw_only=True):
    """Fast cancels that are most of the orders, large cancels, messages, orders to trades: any."""

    fast_s: Seconds
    fast_cancels_min: Count
    canceled_per_mille: PerMille
    large_per_mille: PerMille
    large_cancels_min: Count
    messages_min: Count
    ratio_window_s: Seconds
    orders_to_trades: Count
    ratio_orders_min: Count


class Ramping(Pattern, frozen=True, kw_only=True):
    """All of them."""

    window_s: Seconds
    share_per_mille: PerMille
    move_per_mille: PerMille
    reverse_s: Seconds
    reverse_per_mille: PerMille
    tonnes_min: Tonnes
    usual_moves: Count
    least_move_per_mille: PerMille
    least_day_per_mille: PerMille


class MarkingClose(Pattern, frozen=True, kw_only=True):
    """Both shares, and one of the two effects; or a lesser share of the day and a rare move."""

    window_s: Seconds
    window_per_mille: PerMille
    day_per_mille: PerMille
    move_per_mille: PerMille
    close_per_hundred_thousand: PerMille
    usual_moves: Count
    least_move_per_mille: PerMille
    least_day_per_mille: PerMille


class ThinClose(Pattern, frozen=True, kw_only=True):
    """Both."""

    tonnes_max: Tonnes
    move_per_mille: PerMille


class Building(Pattern, frozen=True, kw_only=True):
    """All of them."""

    side_per_mille: PerMille
    minutes_min: Count
    days_min: Days
    price_per_mille_max: PerMille


class Corner(Pattern, frozen=True, kw_only=True):
    """All of them; the lower share is watched."""

    lower_per_mille: PerMille
    float_per_mille: PerMille
    price_per_mille: PerMille
    price_days: Days
    deadline_days: Days
    deadline_month: Annotated[int, Meta(ge=1, le=12)]
    deadline_day: Annotated[int, Meta(ge=1, le=31)]


class Evasion(Pattern, frozen=True, kw_only=True):
    """The limit is the profile's, or of the facts that are given."""


class LargeHolder(Pattern, frozen=True, kw_only=True):
    """No pattern: who must report."""

    limit_per_mille: PerMille


class FrontRunning(Pattern, frozen=True, kw_only=True):
    """Much of a mean day; or less of it that is nearly all of the account's own."""

    window_s: Seconds
    volume_per_mille: PerMille
    days: Days
    own_per_mille: PerMille
    least_volume_per_mille: PerMille
    associate_volume_per_mille: PerMille
    reverse_per_mille: PerMille


class BidRing(Pattern, frozen=True, kw_only=True):
    """Any of them."""

    won_per_mille: PerMille
    equal_bids_min: Count


class ReverseTrades(Pattern, frozen=True, kw_only=True):
    """Either so often between those who belong together, or at such a loss."""

    chance_per_mille: PerMille
    own_per_mille: PerMille
    times_min: Count
    days: Days
    loss_per_mille: PerMille
    round_trips_min: Count


class OffPrice(Pattern, frozen=True, kw_only=True):
    """Both."""

    off_per_mille: PerMille
    tonnes_min: Tonnes


class BlockEdge(Pattern, frozen=True, kw_only=True):
    """Both the distance and the way back."""

    off_per_mille: PerMille
    days: Days


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits of all patterns, by their names."""

    warning_per_mille: PerMille
    wash_group: WashGroup
    wash_ring: WashRing
    matched_orders: MatchedOrders
    spoofing: Spoofing
    layering: Layering
    limit_queue: LimitQueue
    dense_entry: DenseEntry
    ramping: Ramping
    marking_close: MarkingClose
    thin_close: ThinClose
    building: Building
    corner: Corner
    evasion: Evasion
    large_holder: LargeHolder
    front_running: FrontRunning
    bid_ring: BidRing
    reverse_trades: ReverseTrades
    off_price: OffPrice
    block_edge: BlockEdge


@functools.cache
def limits_packaged() -> Limits:
    """Read the packaged limits."""
    file = resources.files("cea_exchange.supervision").joinpath("limits.toml")
    return limits_parse(file.read_text(encoding="utf-8"), "limits.toml")


def limits_read(path: Path) -> Limits:
    """Read limits from a file.

    Raises
    ------
    LimitsError
        It can't be read, is no TOML, or does not fit.
    """
    try:
        return limits_parse(text_read(path, "a file of limits"), str(path))
    except UserFileError as error:
        raise LimitsError(str(error)) from error


def limits_parse(text: str, place: str) -> Limits:
    """Read limits from TOML text; `place` names it in errors.

    Raises
    ------
    LimitsError
        It is no TOML, or does not fit.
    """
    try:
        return msgspec.convert(toml_parse(text), Limits, strict=True)
    except ValueError as error:
        raise LimitsError(f"{place}: {error}") from error
