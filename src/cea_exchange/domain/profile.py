"""The rules in force, as data: a profile is one TOML file, every value beside its rule's id.

The core receives `MarketRules`, a flat set of integers and what notices make of them from which
day on; the daemon and the script also need the sessions, the calendar's name and the composite's
weights.
"""

import tomllib
from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.naming import name_check
from cea_exchange.domain.records import Phase
from cea_exchange.domain.units import AMOUNT_FEN_LIMIT, PRICE_FEN_MAX, price_parse

RULE_ID_FORM = r"^[A-Z]+-[A-Z]+-[0-9]{2}$"
TIME_FORM = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

RuleId = Annotated[str, Meta(pattern=RULE_ID_FORM)]
TimeOfDay = Annotated[str, Meta(pattern=TIME_FORM)]
PriceText = Annotated[str, Meta(pattern=r"^[0-9]{1,6}\.[0-9]{2}$")]
NOTICE_NAMES = {"since": "from", "listings": "list", "delistings": "delist"}
PhaseName = Literal["pre_open", "listed", "break", "listed_and_block", "closed"]
SelfTrade = Literal["reject", "allow", "cancel_resting", "cancel_incoming", "cancel_both"]
Rounding = Literal["half_up", "inward"]
Tie = Literal["time", "random", "pro_rata"]
Undersubscription = Literal["award_all", "cancel"]
ReserveRule = Literal["exclude", "cancel"]

OPERATORS_MAX = 16
"""What records and markets have room for."""
NOTICE_PREFIX = "notice from "


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

    Notes
    -----
    Rules: CEA-LST-01, CEA-LST-02, CEA-LST-04, CEA-LST-05, CEA-LST-07, CEA-LST-10, CEA-BLK-01,
    CEA-BLK-02, CEA-BLK-12, CEA-BID-01, CEA-BID-02, CEA-BID-12, CEA-AWD-03 to CEA-AWD-08,
    CEA-FEE-01, CEA-FND-06, CEA-ORD-12, CEA-ORD-13.
    """

    name: str
    listed_band_bp: int
    """Half width of the listed band in basis points of the reference price; 0 is no band."""
    band_rounding: str
    """`half_up` or `inward`."""
    block_tonnes_min: int
    """A block reaches this many tonnes, a listed order stays below them; 0 is no limit."""
    listed_tonnes_max: int = 0
    """Most tonnes of a listed order; 0 is what stays below a block."""
    block_band_bp: int
    """Half width of a block's band, as `listed_band_bp`."""
    enquiries_open_max: int = 1000
    """Block enquiries that an account may have open at once; 0 is no limit."""
    block_allowed: bool = True
    """Whether blocks are traded at all."""
    bidding_allowed: bool = True
    """Whether biddings are held at all."""
    bidding_tonnes_min: int
    """What a bidding must offer at least; 0 and 1 are no limit."""
    bidding_band_bp: int
    """How far bids may lie from the reference price, as `listed_band_bp`; 0 lets the applicant
    choose any limit."""
    bid_tonnes_min: int
    """Least tonnes of a bid; 0 and 1 are no limit."""
    bids_open_max: int = 1000
    """Bids that an account may have at once, in all biddings; 0 is no limit."""
    bidding_tie: str
    """Who of several at the marginal price wins: `time`, `random` or `pro_rata`."""
    bidding_undersubscription: str
    """Bids for less than what is offered win it (`award_all`), or `cancel` the bidding."""
    bidding_reserve: str
    """Bids worse than a bidding's reserve price don't count (`exclude`), or a clearing price that
    is worse `cancel`s the bidding."""
    bidder_cap_bp: int
    """Most of what is offered that one account may win, in basis points; 0 is no cap."""
    bidder_group_cap_bp: int
    """The same for the accounts of one group together."""
    noncompetitive_max_bp: int
    """Most of what is offered that bids without a price win together; 0: there are no such bids."""
    levels_max: int
    """How many of the best opposite price levels one order reaches; 0 is all."""
    pick_allowed: bool
    self_trade: str
    """Where an order would meet one of its own account: `reject` (the whole order), `allow`,
    `cancel_resting`, `cancel_incoming` (what is left of it) or `cancel_both`."""
    holdings_checked: bool
    """False: the market keeps no balances (book only, for replays of foreign flow)."""
    fee_bp: int
    """Fee in basis points of an order's cumulative amount, from each side."""
    fee_min_fen: int
    """Least fee of an order that traded, in fen."""
    holding_limit_tonnes: int
    """Most tonnes of a product an account may hold; 0 is no limit."""
    large_holder_tonnes: int = 0
    """From so many tonnes of a product on an account is a large holder; 0 is none."""
    order_count_max: int
    """Live orders the market has room for."""
    orders_open_max: int = 0
    """Orders that an account may have on the books at once; 0 is no limit."""
    orders_kept_bp: int = 0
    """So much of the market's room, in basis points, is kept for accounts with fewer orders than
    the next."""
    orders_kept_each: int = 0
    operators_max: int = OPERATORS_MAX
    """Operators that may act in one account."""
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

    @property
    def listed_tonnes_most(self) -> int:
        """Return the most tonnes a listed order may have, 0 for no limit (CEA-LST-01)."""
        below_blocks = max(self.block_tonnes_min - 1, 0)
        if not self.listed_tonnes_max or not below_blocks:
            return self.listed_tonnes_max or below_blocks
        return min(self.listed_tonnes_max, below_blocks)


class Ruled(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every value has: the rule it comes from, and whether no text was seen that says so."""

    rule: RuleId
    unconfirmed: bool = False


class RuledInt(Ruled, frozen=True, kw_only=True):
    """A number and the rule it comes from."""

    value: Annotated[int, Meta(ge=0, lt=1 << 62)]


class RuledAmount(Ruled, frozen=True, kw_only=True):
    """Tonnes or fen that an order may have, and the rule they come from."""

    value: Annotated[int, Meta(ge=0, le=AMOUNT_FEN_LIMIT)]


class RuledBasisPoints(Ruled, frozen=True, kw_only=True):
    """Hundredths of a percent, at most all of it, and the rule they come from."""

    value: Annotated[int, Meta(ge=0, le=10_000)]


class RuledCapacity(Ruled, frozen=True, kw_only=True):
    """How many of something there is room for, and the rule that says what happens beyond."""

    value: Annotated[int, Meta(ge=1, lt=1 << 31)]


class RuledLevels(Ruled, frozen=True, kw_only=True):
    """How many price levels of each side, 0 for all, and the rule that says so."""

    value: Annotated[int, Meta(ge=0, le=10_000)]


class RuledOperators(Ruled, frozen=True, kw_only=True):
    """How many operators an account may have, and the rule that says so."""

    value: Annotated[int, Meta(ge=1, le=OPERATORS_MAX)]


class RuledOpen(Ruled, frozen=True, kw_only=True):
    """How many of something an account may have open, 0 for any, and the rule that says so."""

    value: Annotated[int, Meta(ge=0, lt=1 << 32)]


class RuledBool(Ruled, frozen=True, kw_only=True):
    """A switch and the rule it comes from."""

    value: bool


class RuledRounding(Ruled, frozen=True, kw_only=True):
    """How a band's limits are rounded, and the rule that says so."""

    value: Rounding


class RuledSelfTrade(Ruled, frozen=True, kw_only=True):
    """What happens to an order that would meet its own account's, and the rule that says so."""

    value: SelfTrade


class RuledTie(Ruled, frozen=True, kw_only=True):
    """Who of several equal bids wins, and the rule that says so."""

    value: Tie


class RuledUndersubscription(Ruled, frozen=True, kw_only=True):
    """What becomes of a bidding that is short of bids, and the rule that says so."""

    value: Undersubscription


class RuledReserveRule(Ruled, frozen=True, kw_only=True):
    """What a price worse than the reserve price does, and the rule that says so."""

    value: ReserveRule


class RuledTime(Ruled, frozen=True, kw_only=True):
    """A time of day in Shanghai and the rule it comes from."""

    value: TimeOfDay


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


Tonnes = Annotated[int, Meta(ge=0, lt=1 << 62)]
Amount = Annotated[int, Meta(ge=0, le=AMOUNT_FEN_LIMIT)]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000)]


class Notice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=NOTICE_NAMES):
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

    since: date
    why: Annotated[str, Meta(min_length=1)]
    rule: RuleId
    source: str = ""
    listed_band_bp: BasisPoints | None = None
    block_band_bp: BasisPoints | None = None
    block_tonnes_min: Amount | None = None
    listed_tonnes_max: Amount | None = None
    bidding_tonnes_min: Amount | None = None
    bidding_band_bp: BasisPoints | None = None
    bid_tonnes_min: Amount | None = None
    fee_bp: BasisPoints | None = None
    fee_min_fen: Amount | None = None
    holding_limit_tonnes: Tonnes | None = None
    large_holder_tonnes: Tonnes | None = None
    block_allowed: bool | None = None
    bidding_allowed: bool | None = None
    reference_prices: dict[str, PriceText] = {}
    listings: dict[str, PriceText] = {}
    delistings: tuple[str, ...] = ()

    def prices(self) -> dict[str, str]:
        """Return the prices it gives, of listings too, in yuan by product."""
        return {**self.reference_prices, **self.listings}

    def values(self) -> dict[str, int | bool]:
        """Return what it changes of the market's rules, by their names."""
        named = ((name, getattr(self, name)) for name in MarketRules.__struct_fields__[1:]
                 if name in self.__struct_fields__)
        return {name: value for name, value in named if value is not None}


class ProfileFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of a profile file."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    title: str
    calendar: str
    listed_band_bp: RuledBasisPoints
    band_rounding: RuledRounding
    block_tonnes_min: RuledAmount
    block_band_bp: RuledBasisPoints
    bidding_tonnes_min: RuledAmount
    bidding_band_bp: RuledBasisPoints
    bid_tonnes_min: RuledAmount
    bidding_tie: RuledTie
    bidding_undersubscription: RuledUndersubscription
    bidding_reserve: RuledReserveRule
    bidder_cap_bp: RuledBasisPoints
    bidder_group_cap_bp: RuledBasisPoints
    noncompetitive_max_bp: RuledBasisPoints
    levels_max: RuledInt
    pick_allowed: RuledBool
    self_trade: RuledSelfTrade
    holdings_checked: RuledBool
    fee_bp: RuledBasisPoints
    fee_min_fen: RuledAmount
    holding_limit_tonnes: RuledInt
    order_count_max: RuledCapacity
    public_levels: RuledLevels
    day_opens_at: RuledTime
    session: Annotated[tuple[Session, ...], Meta(min_length=1)]
    composite: tuple[CompositeWeights, ...] = ()
    listed_tonnes_max: RuledAmount | None = None
    bidding_apply_days: RuledInt | None = None
    bidding_review_days: RuledInt | None = None
    bidding_place_days: RuledInt | None = None
    large_holder_tonnes: RuledInt | None = None
    enquiries_open_max: RuledOpen | None = None
    bids_open_max: RuledOpen | None = None
    orders_open_max: RuledOpen | None = None
    orders_kept_bp: RuledBasisPoints | None = None
    orders_kept_each: RuledOpen | None = None
    block_allowed: RuledBool | None = None
    bidding_allowed: RuledBool | None = None
    operators_max: RuledOperators | None = None
    notice: tuple[Notice, ...] = ()


class Setting(Struct, frozen=True, omit_defaults=True):
    """One value of a profile, as `profile show` prints it."""

    name: str
    value: int | bool | str
    rule: str
    by: str = ""
    """The notice that set it, if one did."""
    unconfirmed: bool = False
    """Whether no text was seen that says so."""


class Profile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A market's rules, sessions and calendar.

    Notes
    -----
    Rules: CEA-DAY-01 to CEA-DAY-04, CEA-LST-09, CEA-PRC-04, OPEN-MKT-03.
    """

    name: str
    title: str
    rules: MarketRules
    public_levels: int
    """Price levels of each side that everybody may see; 0 is all."""
    sessions: tuple[tuple[str, Phase], ...]
    """(`HH:MM`, phase from then on), ascending; the last is `Phase.CLOSED` and closes the day."""
    day_opens_at: str
    calendar: str
    composite: tuple[CompositeWeights, ...]
    settings: tuple[Setting, ...]
    notices: tuple[Notice, ...] = ()
    """By date, ascending."""
    bidding_apply_days: int = 0
    """Working days between an application for a bidding and its day at least."""
    bidding_review_days: int = 0
    """Working days within which it is reviewed."""
    bidding_place_days: int = 0
    """From so many working days before its day on a seller must hold what it would sell."""
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
        canonical = msgspec.json.encode(
            msgspec.structs.replace(self, text=""), order="deterministic"
        )
        return blake2b(canonical, digest_size=16).hexdigest()


def profile_names() -> list[str]:
    """Return the names of the packaged profiles."""
    folder = resources.files("cea_exchange.domain").joinpath("profiles")
    names = (entry.name for entry in folder.iterdir())
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
    if not isinstance(name_or_path, (str, PathLike)):
        kind = type(name_or_path).__name__
        raise TypeError(f"profile must be a name such as 'cea', or a path, was {kind}")
    if isinstance(name_or_path, str) and not _is_path(name_or_path):
        if name_or_path not in profile_names():
            known = ", ".join(profile_names())
            raise ProfileError(f"profile must be one of {known} or a path, was {name_or_path!r}")
        folder = resources.files("cea_exchange.domain").joinpath("profiles")
        text = folder.joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
        return profile_parse(text, f"profile {name_or_path}")
    path = Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: can't be read: {error}") from error
    return profile_parse(text, str(path))


def profile_parse(text: str, place: str) -> Profile:
    """Read a profile from TOML text; `place` names it in errors."""
    try:
        raw = tomllib.loads(text)
        file = msgspec.convert(raw, ProfileFile, strict=True)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{place}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ProfileError(f"{place}: {error}") from error
    _check_sessions(file, place)
    _check_composite(file, place)
    _check_notices(file, place)
    return _profile(file, text)


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text or text.endswith(".toml")


def _check_sessions(file: ProfileFile, place: str) -> None:
    previous = file.day_opens_at.value
    for index, session in enumerate(file.session):
        if session.time <= previous:
            raise ProfileError(
                f"{place}: times must ascend from day_opens_at on, "
                f"was {session.time} after {previous} - at `$.session[{index}]`"
            )
        last = index == len(file.session) - 1
        if (session.phase == "closed") != last:
            raise ProfileError(
                f"{place}: the last session, and only that, must be 'closed', "
                f"was {session.phase!r} - at `$.session[{index}]`"
            )
        previous = session.time


def _check_composite(file: ProfileFile, place: str) -> None:
    for index, entry in enumerate(file.composite):
        where = f"`$.composite[{index}]`"
        if index and entry.since <= file.composite[index - 1].since:
            raise ProfileError(f"{place}: dates must ascend, was {entry.since} - at {where}")
        if entry.weights and not any(entry.weights.values()):
            raise ProfileError(f"{place}: a weight must be positive, were all zero - at {where}")


def _check_notices(file: ProfileFile, place: str) -> None:
    for index, notice in enumerate(file.notice):
        where = f"`$.notice[{index}]`"
        if index and notice.since <= file.notice[index - 1].since:
            raise ProfileError(f"{place}: dates must ascend, was {notice.since} - at {where}")
        named = [*notice.reference_prices, *notice.listings, *notice.delistings]
        if not (notice.values() or named):
            raise ProfileError(f"{place}: a notice must change something - at {where}")
        if len({*named}) < len(named):
            raise ProfileError(f"{place}: a notice must name a product once - at {where}")
        for product in named:
            try:
                name_check(product, "product")
                price = price_parse(notice.prices().get(product, "1.00"))
                if price > PRICE_FEN_MAX:
                    raise ValueError(f"price of {product} must be at most 100000.00")
            except ValueError as error:
                raise ProfileError(f"{place}: {error} - at {where}") from error


def _settings(file: ProfileFile) -> tuple[Setting, ...]:
    settings = []
    for field in file.__struct_fields__:
        ruled = getattr(file, field)
        if hasattr(ruled, "rule"):
            marked = getattr(ruled, "unconfirmed", False)
            settings.append(Setting(field, ruled.value, ruled.rule, unconfirmed=marked))
    for session in file.session:
        settings.append(Setting(f"session {session.time}", session.phase, session.rule))
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


def _profile(file: ProfileFile, text: str) -> Profile:
    ruled = {
        field: getattr(file, field).value
        for field in MarketRules.__struct_fields__
        if hasattr(getattr(file, field, None), "value")
    }
    changes = tuple(
        RuleChange(date_number(notice.since), notice.values())
        for notice in file.notice
        if notice.values()
    )
    rules = MarketRules(name=file.name, changes=changes, **ruled)
    return Profile(
        name=file.name,
        title=file.title,
        rules=rules,
        public_levels=file.public_levels.value,
        sessions=tuple((s.time, Phase[s.phase.upper()]) for s in file.session),
        day_opens_at=file.day_opens_at.value,
        calendar=file.calendar,
        composite=file.composite,
        settings=_settings(file),
        notices=file.notice,
        text=text,
        **{
            field: getattr(file, field).value
            for field in ("bidding_apply_days", "bidding_review_days", "bidding_place_days")
            if getattr(file, field) is not None
        },
    )

