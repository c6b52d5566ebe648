"""Control messages: all that is journaled and is no trading command.

They are msgspec structs in MessagePack, distinguished by the field ``t``. Decoding is strict: an
unknown field, a wrong type or a number out of range is an error, never a guess.

``at_ns`` is the journaled time (nanoseconds since 1970, UTC). The venue's sequencer sets it; what
comes from elsewhere may leave it 0.

Long, because it is one contract: every message that a journal may hold, in one page.
"""

import re
from hashlib import sha256
from typing import Annotated, Literal, dataclass_transform

import msgspec

from cea_exchange.domain.documents.cases import AnyBody
from cea_exchange.domain.enums import Phase

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Key = Annotated[str, msgspec.Meta(min_length=40, max_length=40)]
Fen = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Reserve = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
TIME_NS_MAX = 2**62
"""Journaled times lie within 1970 and the year 2116."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Time = Annotated[int, msgspec.Meta(ge=0, le=TIME_NS_MAX)]
Amount = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Holding = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Index = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
LogId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
ProfileHash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
PROFILE_TEXT_MAX = 1 << 18
"""Characters of a profile file: four bytes each, and the message still fits a frame."""
Hash = int
Date = Annotated[int, msgspec.Meta(ge=1_01_01, le=9999_12_31)]
LOST_WITH_IT_MAX = 4_095
"""Sessions that one message tells beside the first."""
OperatorIndex = Annotated[int, msgspec.Meta(ge=0, le=15)]
Role = Literal["trader", "canceller", "reader"]
LagLevel = Literal["normal", "warn", "throttle", "cancel_only", "halt"]
Step = Annotated[int, msgspec.Meta(ge=0, le=7)]
Barred = Literal["purchases", "sales", "tonnes_out", "cash_out"]
AdjustmentKind = Literal["sale", "purchase", "release"]
AdjustmentMethod = Literal["bidding", "listed", "block"]
Who = Annotated[str, msgspec.Meta(max_length=64)]
Why = Annotated[str, msgspec.Meta(max_length=200)]
Holder = Literal[
    "organisation", "natural_person", "authority", "registry", "exchange", "verifier", "staff"
]
"""Who holds an account: any organisation, a legal person or not, or a natural person; those who
supervise (`authority`), keep the ledger, run the market or verify, and the staff of these."""


DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding bytes of others may raise; a payload nested very deeply is a RecursionError."""


class ControlError(ValueError):
    """A control message that can not be understood: what was expected, what came, and where."""


def _tag(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# A type checker does not inherit that it is frozen.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Control(
    msgspec.Struct, tag_field="t", tag=_tag, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Base of every control message."""

    at_ns: Time = 0


class Act(Control, kw_only=True):
    """Base of what an operator may do: who did it and why; empty where the daemon's timer did.

    Attributes
    ----------
    by : str
        The name of the admin key it came by.
    why : str
        The operator's words.
    """

    by: Who = ""
    why: Why = ""


class ActOfTwo(Act, kw_only=True):
    """Base of what takes two persons; `second` is the name of the key that agreed."""

    second: Who = ""


class ProductDeclared(Control):
    """A product exists from now on; its index is its rank among the declarations, from 0.

    Attributes
    ----------
    listing_date : int
        From which day on it is to be traded, where the exchange confirms listings (CCER-PRD-02);
        left out, as soon as that has.
    """

    product: Name
    reference_price: Fen
    listing_date: Date | msgspec.UnsetType = msgspec.UNSET


class AccountDeclared(Control):
    """An account exists from now on; its index is its rank among the declarations, from 0.

    Attributes
    ----------
    holder : str
        Who it is that trades by it (CCER-PAR-01, CCER-PAR-02); left out, an organisation.
    """

    account: Name
    group: str = ""
    holder: Holder | msgspec.UnsetType = msgspec.UNSET


class AccountSuspended(Control):
    """The registry suspends the account: as `Suspend`, until it is `AccountRestored`."""

    account: Name


class AccountRestored(Control):
    """The registry lets the account trade again, unless an operator has suspended it too."""

    account: Name


class KeyGranted(Control):
    """A CURVE public key acts for an operator of an account.

    Attributes
    ----------
    role : str
        A ``trader`` may send every command, a ``canceller`` only cancels, a ``reader`` none: it
        follows the account's reports.
    cancel_on_disconnect : bool
        Whether a trader's orders are cancelled when its session is lost (CEA-ORD-11).
    """

    key: Key
    account: Name
    operator_index: OperatorIndex = 0
    role: Role = "trader"
    cancel_on_disconnect: bool = True


class KeyRevoked(Control):
    """The key acts for nobody any more; refused from its next message on.

    The orders of its operator are cancelled, if its grant says `cancel_on_disconnect` and no other
    trader's key is in force for that operator.
    """

    key: Key


class TransferIn(Control, kw_only=True):
    """Cash (without a product) or tonnes come from the registry into the trading account."""

    account: Name
    product: Name | None = None
    amount: Amount


class TransferOut(Control, kw_only=True):
    """Cash (without a product) or tonnes are to leave the trading account for the registry."""

    account: Name
    product: Name | None = None
    amount: Amount


class Seizure(Control, kw_only=True):
    """A court's freeze, or a recall, takes cash (no product) or tonnes out of the trading account.

    As a `TransferOut`, but neither orders nor a suspension stand in its way, and where there is
    less it takes what there is (CEA-ENF-02, CEA-DIS-11).
    """

    account: Name
    product: Name | None = None
    amount: Amount
    why: Literal["court", "recall"] = "court"


class LedgerHead(Control, kw_only=True):
    """The registry's chain of hashes has come to a link: journaled, it can't be made another.

    Attributes
    ----------
    link_id : int
        The link's number.
    head : str
        The hash of it and of all links before it.
    """

    link_id: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    head: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


FeedCommand = (
    ProductDeclared
    | AccountDeclared
    | AccountSuspended
    | AccountRestored
    | KeyGranted
    | KeyRevoked
    | TransferIn
    | TransferOut
    | Seizure
    | LedgerHead
)


class FeedItem(Control):
    """One item of the registry's numbered stream: 1, 2, ... without a gap, over all kinds."""

    transfer_seq: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    command: FeedCommand


def feed_command_hash(command: FeedCommand | None) -> str:
    """Return the SHA-256 of a command of the feed, by which both sides compare it; '' of none."""
    return "" if command is None else sha256(control_encode(command)).hexdigest()


class DayOpen(ActOfTwo):
    """A trading day begins, in the phase pre_open.

    A `second` has agreed to open without the registry's confirmation of the last day.
    """

    date: Date


class DayClose(Act):
    """The trading day ends: orders expire, statistics are published."""


class PhaseSet(Act):
    """The phase of the open day changes."""

    phase: Phase


class Halt(Act):
    """A product, or without one the whole market, stops trading."""

    product: Name | None = None


class Resume(Act):
    """The halt of a product, or without one of the whole market, is lifted."""

    product: Name | None = None


class Suspend(Act):
    """The account may no longer trade or withdraw; its orders are cancelled."""

    account: Name


class Restore(Act):
    """The account may trade again; refused while the registry alone has suspended it.

    And while its holder may not trade at all.
    """

    account: Name


class Kill(Act):
    """The kill switch: an account's orders are cancelled and it is suspended, until `Restore`.

    Without an account everybody's orders are cancelled and the market is halted, until `Resume`.
    """

    account: Name | None = None


class MeasureTaken(ActOfTwo, kw_only=True):
    """The exchange takes a measure against an account; from step 6 on two persons do.

    Attributes
    ----------
    measure
        Its number: 1, 2, ...
    case
        The file it belongs to.
    step
        Of the ladder (CEA-MSR-01).
    barred
        Of step 6: what the account is kept from.
    starts, ends
        The first and the last trading date it counts on; 0: at once, until it is lifted.
    """

    measure: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    case: Name
    account: Name
    step: Step
    barred: Annotated[tuple[Barred, ...], msgspec.Meta(max_length=4)] = ()
    starts: Annotated[int, msgspec.Meta(ge=0, le=9999_12_31)] = 0
    ends: Annotated[int, msgspec.Meta(ge=0, le=9999_12_31)] = 0


class MeasureLifted(ActOfTwo, kw_only=True):
    """A measure ends before its day; of one from step 6 on two persons say so."""

    measure: Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class Measured(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A measure as it was taken, and how it was lifted; None while nobody has ended it."""

    taken: MeasureTaken
    lifted: MeasureLifted | None = None


class MeasuresKept(ActOfTwo, kw_only=True):
    """The measures of the life before an adoption go on; follows `Adopt` and its keys.

    Attributes
    ----------
    measures
        All of them, as they were journaled then, ended ones too; the first has number 1.
    """

    measures: Annotated[tuple[Measured, ...], msgspec.Meta(min_length=1)]


class CaseEntered(ActOfTwo, kw_only=True):
    """An entry of a case file: nothing of a file is ever changed or taken out (CEA-CAS-01).

    Attributes
    ----------
    case
        The file's name, as measures give it.
    entry
        Its number in the file: 1, 2, ...
    body
        What it says.
    """

    case: Name
    entry: Annotated[int, msgspec.Meta(ge=1, le=2**32)]
    body: AnyBody


class AnnouncementMade(Act, kw_only=True):
    """The exchange tells everybody something, such as a risk; nothing changes (CEA-INF-06).

    Attributes
    ----------
    about
        What it is about.
    product
        None is the whole market.
    """

    about: Literal["risk", "suspension", "resumption", "rules", "auction", "listing"]
    product: Name | None = None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000, pattern=r"\S")]


class AdjustmentAccountNamed(ActOfTwo):
    """An account is one by which the authority adjusts the market; no key trades by it."""

    account: Name


class MarketAdjusted(ActOfTwo, kw_only=True):
    """The authority sells from its reserve, buys, or releases at a fixed price; two persons do.

    Attributes
    ----------
    adjustment
        Its number: 1, 2, ...
    kind
        ``sale`` and ``purchase`` by any method; ``release`` at a fixed price.
    method
        A bidding, a listed order, or a block offer that is open to all.
    price
        Of the order or the block; of a bidding its floor, or as a buyer its ceiling.
    trigger
        What let the authority act: a trigger of the adjustment rules, by its name.
    closes_at, reserve_price
        Of a bidding, as in `BiddingOpen`.
    """

    adjustment: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    account: Name
    kind: AdjustmentKind
    method: AdjustmentMethod
    product: Name
    tonnes: Amount
    price: Fen
    trigger: Name
    closes_at: Time = 0
    reserve_price: Reserve = 0


class AdjustmentEnded(ActOfTwo, kw_only=True):
    """What is open of an act of market adjustment is taken off."""

    adjustment: Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class AllocationNoted(ActOfTwo, kw_only=True):
    """What an account was allocated this year: it may hold so much beside a joint limit."""

    account: Name
    tonnes: Holding


class TradeBust(ActOfTwo):
    """A trade is undone, both legs and the fees, if what it moved is still there.

    Attributes
    ----------
    settlement_seq : int
        Where the trade is in the settlement stream.
    trade : bytes
        Its record as it stands there, so that replay needs nothing but the journal.
    """

    settlement_seq: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    trade: Annotated[bytes, msgspec.Meta(min_length=160, max_length=160)]


class CashPaidIn(ActOfTwo):
    """Cash came into the exchange's bank account, for an account; only where the exchange settles.

    Attributes
    ----------
    amount : int
        Fen.
    reference : str
        The bank's own of the payment; it is booked once.
    """

    account: Name
    amount: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    reference: Name


class CashPaidOut(ActOfTwo):
    """The same the other way: what the exchange's bank paid out."""

    account: Name
    amount: Annotated[int, msgspec.Meta(ge=1, le=2**62)]
    reference: Name


class CashCorrected(ActOfTwo):
    """Two persons found what an account's cash is, where the exchange's records did not agree.

    Attributes
    ----------
    cash : int
        Fen that the account has from now on; market and book say so.
    """

    account: Name
    cash: Count


class LostOperator(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """An operator of an account."""

    account: Name
    operator_index: OperatorIndex


class SessionLost(Control, omit_defaults=True):
    """A session ended without a logout, or was not heard of: its operator's orders are cancelled.

    Only the orders of that operator of the account; what another of its operators entered stays.
    `others` were lost with it, and all orders are looked through once. Many are cancelled in
    slices, each with a message of its own, between which others trade.

    Attributes
    ----------
    after_order_id, last_order_id
        Only orders behind the one, up to the other: those that were there when the session was
        lost. 0 is all.
    orders_max
        So many of them at most, oldest first; 0 is all.
    """

    account: Name
    operator_index: OperatorIndex
    others: Annotated[tuple[LostOperator, ...], msgspec.Meta(max_length=LOST_WITH_IT_MAX)] = ()
    after_order_id: Count = 0
    last_order_id: Count = 0
    orders_max: Count = 0


class ReferencePriceSet(Act):
    """The product's band is measured from another price, before the day's first listed phase."""

    product: Name
    price: Fen


class ProductList(Act):
    """The product is traded from now on, its band measured from a price.

    Before the day's first listed phase. A product is listed when it is declared, unless a notice of
    the profile lists it on a later day.
    """

    product: Name
    price: Fen


class ListingConfirmed(Act):
    """The exchange confirms a product's first listing: traded from the next trading day on.

    At the price it was declared with, and not before the day it was declared for.
    """

    product: Name


class ProductDelist(Act):
    """The product is traded no more: what is open of it ends, holdings stay and may leave."""

    product: Name


class BlockConfirmed(Act):
    """The exchange confirms a block that both sides agree on: it trades (CCER-BLK-01)."""

    block_id: Count


class BlockRefused(Act):
    """The exchange refuses a block that both sides agree on: it is over (CCER-BLK-01)."""

    block_id: Count


class BiddingApplied(Act, kw_only=True):
    """Somebody applies for a bidding on a later day.

    Attributes
    ----------
    bidding
        Its name from now on.
    limit
        The floor, or as a buyer the ceiling: ``close``, the previous close of that day, or
        ``band_end``, as far from it as bids may go.
    date, applied_on
        Of the session, and of the application.
    opens_at, closes_at
        As in `BiddingOpen`.
    """

    bidding: Name
    account: Name
    product: Name
    side: Literal["buy", "sell"] = "sell"
    tonnes: Amount
    limit: Literal["close", "band_end"]
    pricing: Literal["uniform", "pay_as_bid"]
    date: Date
    opens_at: Time = 0
    closes_at: Time = 0
    applied_on: Date


class BiddingReviewed(Act):
    """An operator approves an application, or refuses it with a reason."""

    bidding: Name
    approved: bool


class BiddingLapsed(Act):
    """An application is over without a bidding; `why` is the daemon's word, or an operator's."""

    bidding: Name


class BiddingOpen(ActOfTwo, kw_only=True):
    """A bidding is announced; its applicant's lock begins.

    Two persons do, of what was applied for on paper; or the daemon, whose `by` is empty, of an
    application that was approved.

    Attributes
    ----------
    bidding
        Its name, one of the market's on that trading day.
    account
        Who applied.
    side
        What the applicant does.
    limit
        Its floor, or as a buyer its ceiling.
    opens_at, closes_at
        Nanoseconds since 1970 (UTC); 0: at once, and until it is closed by hand or with the day.
    reserve_price
        The worst price that is taken, shown to no participant; 0 is none.
    """

    bidding: Name
    account: Name
    product: Name
    side: Literal["buy", "sell"] = "sell"
    tonnes: Amount
    limit: Fen
    pricing: Literal["uniform", "pay_as_bid"]
    opens_at: Time = 0
    closes_at: Time = 0
    reserve_price: Reserve = 0


class BiddingWindowOpen(Act):
    """Bids are taken in an announced bidding from now on."""

    bidding: Name


class BiddingClose(Act):
    """An open bidding is awarded; one that is halted is cancelled."""

    bidding: Name


class BiddingCancel(Act):
    """A bidding ends without an award."""

    bidding: Name


class AdoptedProduct(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A product as an adopted venue begins with it; its index is its rank.

    Attributes
    ----------
    delisted
        Whether it was, as far as the venue's own papers say.
    """

    product: Name
    reference_price: Fen
    delisted: bool = False


class AdoptedAccount(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """An account as an adopted venue begins with it; its index is its rank.

    Attributes
    ----------
    cash
        In fen.
    holdings
        Product index and tonnes, ascending, none of them zero.
    report_seq
        The last number that one of its reports may have had.
    suspended
        Whether an operator had suspended it, as far as the venue's own papers say.
    suspended_by_registry
        Whether the registry has.
    """

    account: Name
    group: str
    cash: Holding
    holdings: tuple[tuple[Index, Holding], ...]
    report_seq: Count
    suspended: bool = False
    suspended_by_registry: bool = False


class AdoptedState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an adopted venue goes on from: the registry's holdings, and numbers.

    Attributes
    ----------
    settlement_seq
        The last record that the registry settled; the next one follows it.
    feed_seq, feed_last
        The last item of the registry's feed that is in here, and what it said.
    trading_date
        The last day; it is over, whatever phase it was in.
    trade_id, order_id, event_seq, market_data_seq, command_seq
        The last ones that may have been given; the next lie beyond.
    busted
        Ids of the trades of lives before that were busted, whether anything moved or not.
    """

    settlement_seq: Count
    feed_seq: Count
    feed_last: FeedCommand | None
    trading_date: Annotated[int, msgspec.Meta(ge=0, le=9999_12_31)]
    trade_id: Count
    order_id: Count
    event_seq: Count
    market_data_seq: Count
    command_seq: Count
    products: tuple[AdoptedProduct, ...]
    accounts: tuple[AdoptedAccount, ...]
    busted: tuple[Count, ...] = ()


class Adopt(ActOfTwo):
    """The first message of a journal that takes another's place; see protocol/adoption.md.

    The keys in force follow it, each in a `KeyGranted`.

    Attributes
    ----------
    old_log_id
        Of the journal whose work was lost.
    kept
        The folder in the data folder where that journal and its event store lie, as found.
    registry_by, registry_second
        Who let the registry follow this journal from `state` on.
    """

    old_log_id: LogId
    kept: Name
    registry_by: Who
    registry_second: Who
    state: AdoptedState


class ProfileChanged(Act):
    """The market's rules are others from here on: the first message of a segment that says so.

    Attributes
    ----------
    profile_hash, previous_hash
        Of the rules from now on, and of those until now.
    text
        The whole profile file, so that replay needs nothing but the journal.
    """

    profile_hash: ProfileHash
    previous_hash: ProfileHash
    text: Annotated[str, msgspec.Meta(max_length=PROFILE_TEXT_MAX)]


class Checkpoint(Control):
    """Hashes of the state so far; replay recomputes and compares them."""

    state_hash: Hash
    holdings_hash: Hash
    settlement_seq: Count


class SettlementConfirmed(Control):
    """The registry has settled up to that sequence and agrees with the venue's totals."""

    settlement_seq: Count
    trading_date: Date


class LagLevelSet(Control):
    """The registry is that far behind, and the venue takes less or more because of it.

    ``halt`` halts the market until a lower level; an operator's halt stays, whatever the level.
    """

    level: LagLevel
    lag_records: Count
    lag_s: Count


AnyControl = (
    FeedCommand
    | FeedItem
    | DayOpen
    | DayClose
    | PhaseSet
    | Halt
    | Resume
    | Suspend
    | Restore
    | Kill
    | MeasureTaken
    | MeasureLifted
    | MeasuresKept
    | CaseEntered
    | AnnouncementMade
    | AdjustmentAccountNamed
    | MarketAdjusted
    | AdjustmentEnded
    | AllocationNoted
    | TradeBust
    | CashPaidIn
    | CashPaidOut
    | CashCorrected
    | SessionLost
    | ReferencePriceSet
    | ProductList
    | ListingConfirmed
    | ProductDelist
    | BlockConfirmed
    | BlockRefused
    | BiddingApplied
    | BiddingReviewed
    | BiddingLapsed
    | BiddingOpen
    | BiddingWindowOpen
    | BiddingClose
    | BiddingCancel
    | Adopt
    | ProfileChanged
    | Checkpoint
    | SettlementConfirmed
    | LagLevelSet
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyControl)


def control_encode(message: Control) -> bytes:
    """Return the bytes of a control message.

    Examples
    --------
    >>> control_decode(control_encode(Halt(product="CEA24"))).product
    'CEA24'
    """
    return _encoder.encode(message)


def control_decode(payload: bytes) -> AnyControl:
    """Return the control message in `payload`.

    Raises
    ------
    ControlError
        On anything but exactly one well-formed control message.
    """
    try:
        return _decoder.decode(payload)
    except DECODE_ERRORS as error:
        raise ControlError(f"control message: {error}") from None


def control_encode_checked(message: Control) -> bytes:
    """Return the bytes of a control message that is the same when it is read again.

    Encoding checks no limits: what only decoding refuses would stop every replay from then on.

    Raises
    ------
    ControlError
        It can't be encoded, can't be read again, or would be another message then.
    """
    try:
        payload = control_encode(message)
    except (ValueError, OverflowError) as error:
        raise ControlError(f"control message: {error}") from None
    again = control_decode(payload)
    if again != message:
        raise ControlError(f"control message: expected {message}, would be read again as {again}")
    return payload
