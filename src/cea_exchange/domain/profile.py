"""The rules in force, as data: a profile is one TOML file, every value beside its rule's id.

The core receives `MarketRules`, a flat set of integers and what notices make of them from which
day on; the daemon and the script also need the sessions, the calendar's name and the composite's
weights.
"""

import re
from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.enums import Method, Phase, Side
from cea_exchange.domain.naming import name_check, name_fault
from cea_exchange.domain.profile_fields import (
    OPERATORS_MAX,
    Capacity,
    Count,
    Fen,
    GapScope,
    LastTrades,
    Levels,
    Open,
    Operators,
    OrderTonnes,
    Participants,
    ProductForm,
    ReserveRule,
    Rounding,
    Says,
    SelfTrade,
    SettlementAgent,
    Tie,
    TimeOfDay,
    TradingDays,
    Undersubscription,
    fields_of,
)
from cea_exchange.domain.ruled import UNSEEN, BasisPoints, Ruled, RuleId, Tonnes
from cea_exchange.domain.units import PRICE_FEN_MAX, price_parse
from cea_exchange.user_files.formats import FormatError, toml_parse
from cea_exchange.user_files.opening import UserFileError, text_read

PriceText = Annotated[str, Meta(pattern=r"^[0-9]{1,6}\.[0-9]{2}$")]
PhaseName = Literal["pre_open", "listed", "break", "listed_and_block", "closed"]

NOTICE_NAMES = {"since": "from", "listings": "list", "delistings": "delist"}
NOTICE_PREFIX = "notice from "
PROJECT_YEAR = re.compile(r"[A-Z0-9][A-Z0-9-]*-20[0-9]{2}")
"""A project's code and the year its reductions were made in (CCER-PRD-01)."""
NOTICED_AS_NULL = 13
"""So many values count in a profile's hash where its notices leave them out; later ones do not."""
PROFILES = resources.files("cea_exchange.domain").joinpath("profiles")


class ProfileError(ValueError):
    """A profile can't be used; the message says which, where in it, and why."""


class RuleChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Values that take the place of others from a trading day on, that day included."""

    since: int
    """yyyymmdd."""
    values: dict[str, int | bool]
    """By the names of `MarketRules`."""


class MarketRules(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What the market core decides by; integers and closed choices only.

    Here alone a field has its name, range, unit, meaning and rule: the shapes of a profile file and
    of its notices, and the table of protocol/profiles.md, follow.

    Notes
    -----
    Rules: CEA-LST-04, CEA-LST-10, and those of the fields.
    """

    name: str
    listed_band_bp: Annotated[BasisPoints, Says(
        "half width of the listed band; 0 is none", "CEA-LST-02", noticed=1
    )]
    band_rounding: Annotated[Rounding, Says("`half_up` or `inward`", "CEA-LST-03")]
    block_tonnes_min: Annotated[OrderTonnes, Says(
        "least tonnes of a block; listed orders stay below; 0 is no limit", "CEA-LST-01", noticed=3
    )]
    listed_tonnes_max: Annotated[OrderTonnes, Says(
        "most tonnes of a listed order; 0 is what stays below a block",
        "CEA-LST-01", added=1, noticed=4
    )] = 0
    block_band_bp: Annotated[BasisPoints, Says(
        "half width of the block band; 0 is none", "CEA-BLK-02", noticed=2
    )]
    block_free_tonnes: Annotated[OrderTonnes, Says(
        "a block of more tonnes has no band; 0: each has", "PLT-BLK-02", added=27, noticed=21
    )] = 0
    block_terms_fixed: Annotated[bool, Says(
        "whether a block's terms stand as they were offered, which is a fixed-price transfer: "
        "nobody enquires and nobody counters", "PLT-BLK-01", added=28, noticed=22
    )] = False
    enquiries_open_max: Annotated[Open, Says(
        "block enquiries that an account may have open at once; 0 is no limit",
        "CEA-BLK-12", added=6
    )] = 1000
    block_allowed: Annotated[bool, Says(
        "whether blocks are traded", "CEA-BLK-01", added=11, noticed=12
    )] = True
    block_confirmed: Annotated[bool, Says(
        "whether a block that both sides agree on waits for the exchange to confirm it",
        "CCER-BLK-01", added=26, noticed=20
    )] = False
    bidding_allowed: Annotated[bool, Says(
        "whether biddings are held", "CEA-BID-01", added=12, noticed=13
    )] = True
    bidding_tonnes_min: Annotated[OrderTonnes, Says(
        "least tonnes of a bidding; 0 and 1 are no limit", "CEA-BID-01", noticed=5
    )]
    bidding_band_bp: Annotated[BasisPoints, Says(
        "how far a bidding's prices may lie from the reference price; 0 lets its applicant "
        "choose", "CEA-BID-02", noticed=6
    )]
    bid_tonnes_min: Annotated[OrderTonnes, Says(
        "least tonnes of a bid; 0 and 1 are no limit", "CEA-AWD-05", noticed=7
    )]
    bids_open_max: Annotated[Open, Says(
        "bids that an account may have at once, in all biddings; 0 is no limit",
        "CEA-BID-12", added=7
    )] = 1000
    bidding_tie: Annotated[Tie, Says(
        "who of several at the marginal price wins: `time`, `random` or `pro_rata`", "CEA-AWD-03"
    )]
    bidding_undersubscription: Annotated[Undersubscription, Says(
        "bids for less than what is offered win it (`award_all`), or `cancel` the bidding",
        "CEA-AWD-04"
    )]
    bidding_reserve: Annotated[ReserveRule, Says(
        "what bids worse than a reserve price do: `exclude` them, or `cancel` the bidding where "
        "the clearing price is", "CEA-AWD-06"
    )]
    bidder_cap_bp: Annotated[BasisPoints, Says(
        "most of what is offered that one account may win; 0 is no cap", "CEA-AWD-07"
    )]
    bidder_group_cap_bp: Annotated[BasisPoints, Says(
        "the same for the accounts of one group together", "CEA-AWD-07"
    )]
    noncompetitive_max_bp: Annotated[BasisPoints, Says(
        "most of what is offered that bids without a price win together; 0: there are none",
        "CEA-AWD-08"
    )]
    levels_max: Annotated[Count, Says(
        "how many of the best opposite levels an order reaches; 0 is all", "CEA-LST-05"
    )]
    pick_allowed: Annotated[bool, Says("whether a taker may name the resting order", "CEA-LST-06")]
    self_trade: Annotated[SelfTrade, Says(
        "where an order meets one of its own account: `reject` it whole, `allow`, "
        "`cancel_resting`, `cancel_incoming` (what is left of it) or `cancel_both`", "CEA-LST-07"
    )]
    holdings_checked: Annotated[bool, Says("whether the market keeps balances", "CEA-FND-01")]
    fee_bp: Annotated[BasisPoints, Says(
        "each side's fee of an order's cumulative amount", "CEA-FEE-01", noticed=8
    )]
    listed_buy_fee_bp: Annotated[BasisPoints | None, Says(
        "a buyer's fee in listed trading, where it is another than `fee_bp`",
        "CEA-FEE-01", added=16, noticed=14
    )] = None
    listed_sell_fee_bp: Annotated[BasisPoints | None, Says(
        "a seller's fee in listed trading, where it is another", "CEA-FEE-01", added=17, noticed=15
    )] = None
    block_buy_fee_bp: Annotated[BasisPoints | None, Says(
        "a buyer's fee of a block, where it is another", "CEA-FEE-01", added=18, noticed=16
    )] = None
    block_sell_fee_bp: Annotated[BasisPoints | None, Says(
        "a seller's fee of a block, where it is another", "CEA-FEE-01", added=19, noticed=17
    )] = None
    bidding_buy_fee_bp: Annotated[BasisPoints | None, Says(
        "a buyer's fee in a bidding, where it is another", "CEA-FEE-01", added=20, noticed=18
    )] = None
    bidding_sell_fee_bp: Annotated[BasisPoints | None, Says(
        "a seller's fee in a bidding, where it is another", "CEA-FEE-01", added=21, noticed=19
    )] = None
    fee_min_fen: Annotated[Fen, Says("least fee of an order that traded", "CEA-FEE-01", noticed=9)]
    open_at_close: Annotated[bool, Says(
        "whether a day's open is the previous close; else the first listed trade's price",
        "PLT-PRC-01", added=29, noticed=23
    )] = False
    close_with_blocks: Annotated[bool, Says(
        "whether blocks count for the close beside listed trades", "PLT-PRC-02",
        added=30, noticed=24
    )] = False
    close_tonnes_over: Annotated[OrderTonnes, Says(
        "a day of no more tonnes than these keeps the previous close; 0: each trade counts",
        "PLT-PRC-03", added=31, noticed=25
    )] = 0
    close_trades_last: Annotated[LastTrades, Says(
        "so many of the day's last listed trades make the close; 0: all do",
        "PLT-PRC-04", added=32, noticed=26
    )] = 0
    gap_trading_days: Annotated[TradingDays, Says(
        "trading days that an account waits between a purchase and a sale of the same thing, "
        "whichever came first; 0: what it bought it may sell on the next",
        "CCER-FND-03", added=14
    )] = 0
    gap_scope: Annotated[GapScope, Says(
        "the same thing is an `instrument` (one product of this market), or the `product` that "
        "all instruments are of", "CCER-FND-03", added=15
    )] = "instrument"
    settlement_agent: Annotated[SettlementAgent, Says(
        "who keeps and settles the cash: the `registry`, as it does the tonnes, or the `exchange`",
        "CEA-STL-01", added=22
    )] = "registry"
    holding_limit_tonnes: Annotated[Tonnes, Says(
        "most tonnes of a product an account may hold; 0 is no limit", "CEA-FND-06", noticed=10
    )]
    holding_limit_joint: Annotated[bool, Says(
        "whether the limit is of all products, and of the accounts of a group, together, beside "
        "what these were allocated", "PLT-FND-01", added=33, noticed=27
    )] = False
    large_holder_tonnes: Annotated[Tonnes, Says(
        "from so many on an account is a large holder; 0: none is",
        "CEA-FND-08", added=5, noticed=11
    )] = 0
    order_count_max: Annotated[Capacity, Says("live orders the market has room for", "CEA-ORD-05")]
    orders_open_max: Annotated[Open, Says(
        "orders that an account may have on the books at once; 0 is no limit", "CEA-ORD-12", added=8
    )] = 0
    orders_kept_bp: Annotated[BasisPoints, Says(
        "so much of the room is kept for accounts with fewer orders than `orders_kept_each`",
        "CEA-ORD-13", added=9
    )] = 0
    orders_kept_each: Annotated[Open, Says(
        "so few orders on the books; 0 keeps no room", "CEA-ORD-13", added=10
    )] = 0
    operators_max: Annotated[Operators, Says(
        "operators of one account", "CEA-ACC-01", added=13
    )] = OPERATORS_MAX
    changes: tuple[RuleChange, ...] = ()
    """What notices change, by date, ascending."""

    def on(self, trading_date: int) -> "MarketRules":
        """Return the rules in force on a trading day (yyyymmdd; 0 is before the first).

        Notes
        -----
        Rules: CEA-NTC-01.
        """
        values: dict[str, int | bool] = {}
        for change in self.changes:
            if change.since <= trading_date:
                values |= change.values
        return msgspec.structs.replace(self, **values) if values else self

    def fee_bp_of(self, method: int, side: int) -> int:
        """Return the fee of a side of a trading method, a `Method` and a `Side` (CEA-FEE-01)."""
        own = getattr(self, f"{Method(method).name}_{Side(side).name}_fee_bp".lower())
        return self.fee_bp if own is None else int(own)

    @property
    def listed_tonnes_most(self) -> int:
        """Return the most tonnes a listed order may have, 0 for no limit (CEA-LST-01)."""
        below_blocks = max(self.block_tonnes_min - 1, 0)
        if not self.listed_tonnes_max or not below_blocks:
            return self.listed_tonnes_max or below_blocks
        return min(self.listed_tonnes_max, below_blocks)


class Session(Struct, frozen=True, forbid_unknown_fields=True):
    """From `time` on, the phase is `phase`; `closed` closes the day."""

    time: TimeOfDay
    phase: PhaseName
    rule: RuleId


class CompositeWeights(Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """The composite's weights from a date on; no weights means equal ones."""

    since: date
    weights: dict[str, Annotated[int, Meta(ge=0, le=1_000_000)]]
    rule: RuleId


class _NoticeHead(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=NOTICE_NAMES
):
    since: date
    why: Annotated[str, Meta(min_length=1)]
    rule: RuleId
    source: str = ""


if TYPE_CHECKING:
    _NoticeRules = _NoticeHead
else:
    _NoticeRules = msgspec.defstruct(
        "_NoticeRules",
        [
            (field.name, field.type | None, None)
            if field.says.noticed <= NOTICED_AS_NULL
            else (field.name, field.type | UnsetType, UNSET)
            for field in sorted(fields_of(MarketRules), key=lambda field: field.says.noticed)
            if field.says.noticed
        ],
        bases=(_NoticeHead,),
        frozen=True,
        kw_only=True,
    )


class Notice(_NoticeRules, frozen=True, kw_only=True, rename=NOTICE_NAMES):
    """What a notice changes from a trading day on; what it leaves out stays as it is.

    Attributes
    ----------
    since
        The first day; where that is none of trading, the next one.
    why, source
        What it is, and where it can be read.
    rule
        The rule that lets it change something.
    reference_prices
        Yuan per tonne from which products' bands are measured on that day.
    listings, delistings
        Products that are traded from that day on, with their first reference prices, and products
        that no longer are.
    """

    reference_prices: dict[str, PriceText] = msgspec.field(default_factory=dict)
    listings: dict[str, PriceText] = msgspec.field(default_factory=dict)
    delistings: tuple[str, ...] = ()

    def prices(self) -> dict[str, str]:
        """Return the prices it gives, of listings too, in yuan by product."""
        return {**self.reference_prices, **self.listings}

    def values(self) -> dict[str, int | bool]:
        """Return what it changes of the market's rules, by their names."""
        named = ((field.name, getattr(self, field.name, None)) for field in fields_of(MarketRules))
        return {name: value for name, value in named if value not in (None, UNSET)}


class Setting(Struct, frozen=True, omit_defaults=True):
    """One value of a profile, as `profile show` prints it."""

    name: str
    value: int | bool | str
    rule: str
    by: str = ""
    """The notice that set it, if one did."""
    unconfirmed: bool = False
    """Whether no text was seen that says so."""
    confidence: str = ""
    """How sure it is, where the profile says so: S, S2, R or D, as protocol/rules.md has them."""


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A market's rules, sessions and calendar.

    Notes
    -----
    Rules: CEA-DAY-01 to CEA-DAY-04, CEA-LST-09, CEA-PRC-04, OPEN-MKT-03.
    """

    name: str
    title: str
    rules: MarketRules
    public_levels: Annotated[Levels, Says(
        "levels of each side that everybody may see; 0 is all", "CEA-LST-09"
    )]
    sessions: tuple[tuple[str, Phase], ...]
    """(`HH:MM`, phase from then on), ascending; the last is `Phase.CLOSED` and closes the day."""
    day_opens_at: Annotated[TimeOfDay, Says("when the day opens", "CEA-DAY-02")]
    calendar: str
    composite: tuple[CompositeWeights, ...]
    settings: tuple[Setting, ...]
    notices: tuple[Notice, ...] = ()
    """By date, ascending."""
    as_of: date | None = None
    """Where a market has changed its rules: the day whose rules these are."""
    bidding_apply_days: Annotated[Count, Says(
        "working days between an application for a bidding and its day at least",
        "CEA-BID-10", added=2
    )] = 0
    bidding_review_days: Annotated[Count, Says(
        "working days within which it is reviewed", "CEA-BID-10", added=3
    )] = 0
    bidding_place_days: Annotated[Count, Says(
        "from so many working days before its day on a seller must hold what it would sell",
        "CEA-BID-11", added=4
    )] = 0
    listing_confirmed: Annotated[bool, Says(
        "whether a product that is declared waits until the exchange has confirmed its listing, "
        "and is traded from the next trading day on", "CCER-PRD-02", added=23
    )] = False
    product_form: Annotated[ProductForm, Says(
        "how products are named: as the registry likes (`any`), or a project and its generation "
        "year (`project_year`: PROJECT-2024)", "CCER-PRD-01", added=24
    )] = "any"
    participants: Annotated[Participants, Says(
        "who may trade: `any` holder of an account, all but those who are barred by law "
        "(`not_barred`), or of the others `organisations` alone, and no natural persons",
        "CCER-PAR-01", added=25
    )] = "any"
    text: str = ""
    """The file it was read from, comments included: what a venue keeps of it."""

    def composite_weight(self, product: str, trading_date: date | None) -> int:
        """Return the weight that the profile gives a product on a day (None: before the first).

        0 where it names none: such products weigh only where no other is listed.

        Notes
        -----
        Rules: CEA-PRC-04.
        """
        weights: dict[str, int] = {}
        for entry in self.composite:
            if trading_date is not None and entry.since <= trading_date:
                weights = dict(entry.weights)
        return weights.get(product, 0)

    def composite_weights(self, listed: Sequence[str], trading_date: date | None) -> list[int]:
        """Return what each listed product weighs in the composite on a day.

        All weigh alike where the profile names no weights for that date, or none of these products.

        Notes
        -----
        Rules: CEA-PRC-04.
        """
        named = [self.composite_weight(product, trading_date) for product in listed]
        return named if any(named) else [1] * len(named)

    def notices_between(self, after: date | None, until: date) -> list[Notice]:
        """Return what takes effect on a trading day that follows another (None: the first).

        Notes
        -----
        Rules: CEA-NTC-01.
        """
        return [
            notice
            for notice in self.notices
            if notice.since <= until and (after is None or after < notice.since)
        ]

    def product_fault(self, product: str) -> str | None:
        """Return what is wrong with a product's name; None if it is one of this market.

        Notes
        -----
        Rules: CCER-PRD-01.
        """
        fault = name_fault(product)
        if fault is None and self.product_form == "project_year":
            if PROJECT_YEAR.fullmatch(product) is None:
                return f"product: expected PROJECT-YEAR, such as P0001-2024, got {product!r}"
        return fault

    def is_listed(self, product: str, day: date | None) -> bool:
        """Return whether notices have a product traded on a day (None: before the first).

        One that a notice is still to list is not; one that no notice names is.

        Notes
        -----
        Rules: CEA-PRD-03.
        """
        is_listed = True
        for notice in reversed(self.notices):
            # The first one that names it says what was before.
            is_listed = product in notice.delistings or (
                is_listed and product not in notice.listings
            )
        for notice in self.notices_between(None, day) if day else ():
            is_listed = product in notice.listings or (
                is_listed and product not in notice.delistings
            )
        return is_listed

    def settings_on(self, day: date) -> tuple[Setting, ...]:
        """Return the values in force on a trading day; `by` names the notice that set one."""
        settings = {setting.name: setting for setting in self.settings}
        for notice in self.notices_between(None, day):
            for name, value in notice.values().items():
                rule = settings[name].rule if name in settings else notice.rule
                settings[name] = Setting(name, value, rule, f"from {notice.since}: {notice.why}")
        return tuple(
            setting for setting in settings.values() if not setting.name.startswith(NOTICE_PREFIX)
        )

    def profile_hash(self) -> str:
        """Return 32 hex digits that change with any value, session or rule id of the profile.

        Its comments don't count, and what is left at its default neither: a setting that is new to
        the program leaves the hashes of the profiles before it as they are.
        """
        values = msgspec.structs.replace(self, text="")
        canonical = msgspec.json.encode(values, order="deterministic")
        return blake2b(canonical, digest_size=16).hexdigest()


class _ProfileHead(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    title: str
    calendar: str
    as_of: date | None = None


def _file_shape() -> Any:
    """Build the shape of a profile file: every field `{value = ..., rule = "..."}`.

    What came to the format later stands last, in the order in which it came: the hashes of profiles
    depend on that.
    """
    fields = sorted(fields_of(MarketRules) + fields_of(Profile), key=lambda field: field.says.added)
    ruled: Any = Ruled
    first: list[Any] = [(f.name, ruled[f.type]) for f in fields if not f.says.added]
    later = [(f.name, ruled[f.type] | None, None) for f in fields if f.says.added]
    days: list[Any] = [
        ("session", Annotated[tuple[Session, ...], Meta(min_length=1)]),
        ("composite", tuple[CompositeWeights, ...], ()),
    ]
    return msgspec.defstruct(
        "ProfileFile",
        [*first, *days, *later, ("notice", tuple[Notice, ...], ())],
        bases=(_ProfileHead,),
        frozen=True,
        kw_only=True,
    )


ProfileFile = _file_shape()


def profile_names() -> list[str]:
    """Return the names of the packaged profiles."""
    names = (entry.name for entry in PROFILES.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_profile(name_or_path: str | Path) -> Profile:
    """Read a packaged profile by name, or a profile file by path.

    Parameters
    ----------
    name_or_path : str or Path
        A `Path`, or text with a slash or ending in `.toml`, is a file; anything else is a name.

    Raises
    ------
    ProfileError
        If there is no such profile, or it can't be read, has an unknown or missing key, a value of
        a wrong type or out of range, or sessions out of order.
    """
    place = f"profile {name_or_path}" if name_or_path in profile_names() else str(name_or_path)
    return profile_parse(profile_text(name_or_path), place)


def profile_text(name_or_path: str | Path) -> str:
    """Return a profile's file as it is written; parameters and errors are `load_profile`'s."""
    if not isinstance(name_or_path, (str, PathLike)):
        kind = type(name_or_path).__name__
        raise TypeError(f"profile: expected a name such as 'cea', or a path, got {kind}")
    if isinstance(name_or_path, str) and not _is_path(name_or_path):
        if name_or_path not in profile_names():
            known = ", ".join(profile_names())
            raise ProfileError(f"profile: expected one of {known} or a path, got {name_or_path!r}")
        return PROFILES.joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
    try:
        return text_read(Path(name_or_path), "a profile")
    except UserFileError as error:
        raise ProfileError(str(error)) from error


def profile_parse(text: str, place: str) -> Profile:
    """Read a profile from TOML text; `place` names it in errors."""
    try:
        file = msgspec.convert(toml_parse(text), ProfileFile, strict=True)
    except (FormatError, msgspec.ValidationError) as error:
        raise ProfileError(f"{place}: {error}") from error
    _check_sessions(file, place)
    _check_composite(file, place)
    _check_notices(file, place)
    return _profile(file, text)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(".toml")


def _check_sessions(file: Any, place: str) -> None:
    previous = file.day_opens_at.value
    for index, session in enumerate(file.session):
        if session.time <= previous:
            raise ProfileError(
                f"{place}: expected times that ascend from day_opens_at on, "
                f"got {session.time} after {previous} - at `$.session[{index}]`"
            )
        if (session.phase == "closed") != (index == len(file.session) - 1):
            raise ProfileError(
                f"{place}: the last session, and only that: expected 'closed', "
                f"got {session.phase!r} - at `$.session[{index}]`"
            )
        previous = session.time


def _check_composite(file: Any, place: str) -> None:
    for index, entry in enumerate(file.composite):
        where = f"`$.composite[{index}]`"
        if index and entry.since <= file.composite[index - 1].since:
            raise ProfileError(f"{place}: expected ascending dates, got {entry.since} - at {where}")
        if entry.weights and not any(entry.weights.values()):
            raise ProfileError(f"{place}: expected a positive weight, got all zero - at {where}")


def _check_notices(file: Any, place: str) -> None:
    size = file.block_tonnes_min.value
    for index, each in enumerate(file.notice):
        where = f"`$.notice[{index}]`"
        if index and each.since <= file.notice[index - 1].since:
            raise ProfileError(f"{place}: expected ascending dates, got {each.since} - at {where}")
        named = [*each.reference_prices, *each.listings, *each.delistings]
        if not ((values := each.values()) or named):
            raise ProfileError(f"{place}: expected something to change, got nothing - at {where}")
        if twice := [product for product in named if named.count(product) > 1]:
            raise ProfileError(f"{place}: expected {twice[0]} once, got it twice - at {where}")
        size = values.get("block_tonnes_min", size)
        if values.get("block_allowed") and not (size or file.block_allowed.value):
            raise ProfileError(f"{place}: block_tonnes_min: expected a size, got none - at {where}")
        for product in named:
            try:
                name_check(product, "product")
                if price_parse(text := each.prices().get(product, "1.00")) > PRICE_FEN_MAX:
                    raise ValueError(f"price of {product}: expected at most 100000.00, got {text}")
            except ValueError as error:
                raise ProfileError(f"{place}: {error} - at {where}") from error


def _settings(file: Any) -> tuple[Setting, ...]:
    settings = []
    for name in file.__struct_fields__:
        ruled = getattr(file, name)
        if isinstance(ruled, Ruled):
            sure = ruled.confidence
            marked = ruled.unconfirmed or sure in UNSEEN
            value = Setting(name, ruled.value, ruled.rule, unconfirmed=marked, confidence=sure)
            settings.append(value)
    settings += [Setting(f"session {each.time}", each.phase, each.rule) for each in file.session]
    for entry in file.composite:
        weights = ", ".join(f"{name} {weight}" for name, weight in sorted(entry.weights.items()))
        settings.append(Setting(f"composite from {entry.since}", weights or "equal", entry.rule))
    for notice in file.notice:
        said = [f"{name} {value}" for name, value in notice.values().items()]
        said += [f"{product} {price}" for product, price in notice.reference_prices.items()]
        said += [f"list {product} {price}" for product, price in notice.listings.items()]
        said += [f"delist {product}" for product in notice.delistings]
        words = f"{', '.join(said)} ({notice.why})"
        settings.append(Setting(f"{NOTICE_PREFIX}{notice.since}", words, notice.rule))
    return tuple(settings)


def _profile(file: Any, text: str) -> Profile:
    changes = tuple(
        RuleChange(date_number(notice.since), values)
        for notice in file.notice
        if (values := notice.values())
    )
    return Profile(
        name=file.name,
        title=file.title,
        rules=MarketRules(name=file.name, changes=changes, **_values(file, MarketRules)),
        sessions=tuple((s.time, Phase[s.phase.upper()]) for s in file.session),
        calendar=file.calendar,
        as_of=file.as_of,
        composite=file.composite,
        settings=_settings(file),
        notices=file.notice,
        text=text,
        **_values(file, Profile),
    )


def _values(file: Any, shape: type) -> dict[str, Any]:
    """Return what a file says of the fields that a struct declares."""
    ruled = ((field.name, getattr(file, field.name)) for field in fields_of(shape))
    return {name: value.value for name, value in ruled if value is not None}
