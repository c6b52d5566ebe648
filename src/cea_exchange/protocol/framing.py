"""The messages between processes: two frames, a tag and a payload, and what the payloads hold.

Records travel as they are in memory; everything else is MessagePack. What can't be understood is
refused with one line: what was expected, what it got, and where.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, dataclass_transform

import google_crc32c
import msgspec
import numpy as np

from cea_exchange.domain.documents.day_totals import day_volume
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    MARKET_DATA_DTYPE,
    BlockFlag,
    CommandKind,
    EventKind,
    Method,
    OrderFlag,
    Side,
    Tif,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.domain.units import tonnes_capped
from cea_exchange.protocol.control import DECODE_ERRORS, Name

FRAME_BYTES_MAX = 1 << 20
REPLAY_COUNT_MAX = 5_000
BLOCKS_COUNT_MAX = 500
HISTORY_COUNT_MAX = 1_000

TAG_COMMANDS = b"C"
TAG_MESSAGE = b"M"
TAG_REPORTS = b"R"

TOPIC_MARKET_DATA = b"md"
TOPIC_DEPTH = b"depth"
TOPIC_STATISTICS = b"stats"
TOPIC_BULLETIN = b"bulletin"
TOPIC_HEARTBEAT = b"hb"

TOPIC_SETTLEMENT = b"S"
TOPIC_SETTLEMENT_HEARTBEAT = b"H"

Seq = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


def refusal_message(error: FrameError) -> dict[str, str]:
    """Return what a refused message is answered."""
    return {
        "op": "refused",
        "code": error.code.name,
        "expected": error.expected,
        "got": error.got,
        "where": error.where,
    }


# A type checker does not inherit that it is frozen.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Request(msgspec.Struct, tag_field="op", frozen=True, forbid_unknown_fields=True):
    """Base of what a client may ask over order entry."""


class Logon(Request, tag="logon"):
    """Begin a session: reports of the key's account come to this connection from now on.

    With the number of the last report that the client has, the next ones follow the answer, up to
    REPLAY_COUNT_MAX. A client that draws a number when it begins and counts its logons is not taken
    over by one of its own that was long on its way.
    """

    report_seq: Seq | None = None
    client: Seq | None = None
    attempt: Seq = 0


class Logoff(Request, tag="logoff"):
    """End the session; what the key's operator has open is cancelled, or kept if asked."""

    keep_orders: bool = False


class Heartbeat(Request, tag="heartbeat"):
    """Keep the session; answered with date, phase and the account's last report."""


class ReportReplay(Request, tag="replay"):
    """Send own reports again, `count` of them from number `first` on."""

    first: Seq = msgspec.field(name="from")
    count: Seq


class BookRequest(Request, tag="book"):
    """Send the five best levels of a product with the orders in them."""

    product: Name


class PartyRequest(Request, tag="party"):
    """Say an account's or a group's index by its name, or an account's name by its index.

    One of the three is given: block offers name their counterparty by index.
    """

    account: str | None = None
    group: str | None = None
    account_index: Annotated[int, msgspec.Meta(ge=0, le=ACCOUNT_NONE)] | None = None


class BlocksRequest(Request, tag="blocks"):
    """Say the open blocks that the account made or is asked in, from an id on.

    At most BLOCKS_COUNT_MAX come; for more, ask again from what the answer calls `next`.
    """

    first: Seq = msgspec.field(name="from", default=0)


class StatementRequest(Request, tag="statement"):
    """Say what the statement of a day begins with: where it is, and what the account has now.

    Without a date the open day is meant, between days the last one.
    """

    date: Annotated[str, msgspec.Meta(max_length=10)] | None = None


class HistoryRequest(Request, tag="history"):
    """Say own reports in one answer, at most HISTORY_COUNT_MAX from number `first` on.

    Unlike a replay it is no part of the session's stream of reports.
    """

    first: Seq = msgspec.field(name="from")
    count: Seq


class BiddingsRequest(Request, tag="biddings"):
    """Say the day's biddings: terms, windows, results; nothing of the bids."""


class SettlementRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a range of the settlement stream; a `log_id`, if given, must be the venue's."""

    first: Seq = msgspec.field(name="from")
    count: Seq
    log_id: str | None = None


class SnapshotRequest(Request, tag="snapshot"):
    """Send all books as everybody may see them, and the sequence to go on from."""


class MarketRequest(Request, tag="market"):
    """Send phase, halts, bands and the day's statistics."""


class DepthRequest(Request, tag="depth"):
    """Send the five best levels of a product."""

    product: str


_market_data_requests = msgspec.msgpack.Decoder(SnapshotRequest | MarketRequest | DepthRequest)


class SessionEnd(StrEnum):
    """Why a session ended."""

    LOGGED_OFF = "logged_off"
    TAKEN_OVER = "taken_over"
    SILENT = "silent"
    SLOW = "slow"
    REVOKED = "revoked"
    OPERATOR = "operator"


_requests = msgspec.msgpack.Decoder(
    Logon
    | Logoff
    | Heartbeat
    | ReportReplay
    | BookRequest
    | PartyRequest
    | BlocksRequest
    | StatementRequest
    | HistoryRequest
    | BiddingsRequest
)
_settlement_requests = msgspec.msgpack.Decoder(SettlementRequest)


def request_decode(payload: bytes) -> Request:
    """Return what a client asks; FrameError if it is no known request."""
    known = "logon, logoff, heartbeat, replay, book, party, blocks, biddings, statement, history"
    return _decode(_requests, payload, f"a request ({known})")


def settlement_request_decode(payload: bytes) -> SettlementRequest:
    """Return which range is asked for; FrameError if it is no such request."""
    return _decode(_settlement_requests, payload, "a replay request {from, count, log_id}")


def market_data_request_decode(payload: bytes) -> Request:
    """Return what is asked of the snapshot socket; FrameError if it is no known request."""
    return _decode(_market_data_requests, payload, "a request (snapshot, market, depth)")


def _decode(decoder: msgspec.msgpack.Decoder, payload: bytes, expected: str) -> Any:
    try:
        return decoder.decode(payload)
    except DECODE_ERRORS as error:
        raise FrameError(
            VenueRefusal.BAD_REQUEST, expected=expected, got=str(error), where="payload"
        ) from None


# -- Commands -------------------------------------------------------------------------------------


def command_count(payload: bytes | memoryview) -> int:
    """Return how many commands a payload holds; FrameError if its length can't be right."""
    size = len(payload)
    count, rest = divmod(size, COMMAND_DTYPE.itemsize)
    if rest or not count or size > FRAME_BYTES_MAX:
        raise FrameError(
            VenueRefusal.BAD_REQUEST,
            expected=f"1 to {FRAME_BYTES_MAX // 64} records of {COMMAND_DTYPE.itemsize} bytes",
            got=f"{size} bytes",
            where="payload",
        )
    return count


def command_faults(records: np.ndarray) -> np.ndarray:
    """Return, per record, whether it is malformed: no market is asked about such a one.

    The account and operator must be 0 here; the gateway fills them from the key afterwards.
    """
    kind = records["kind"]
    enters = kind == CommandKind.ENTER
    side = records["side"]
    faults = kind < CommandKind.ENTER
    faults |= records["reserved"] != 0
    faults |= (records["account_index"] != 0) | (records["operator_index"] != 0)
    faults |= enters & (side != Side.BUY) & (side != Side.SELL)
    faults |= records["tif"] > max(Tif)
    faults |= (records["flags"] & ~np.uint8(OrderFlag.POST_ONLY)) != 0
    faults |= ~enters & ((side != 0) | (records["tif"] != 0) | (records["flags"] != 0))
    blocks = kind > CommandKind.AMEND
    if blocks.any():
        faults[blocks] = _block_faults(records[blocks])
    return faults


def _block_faults(records: np.ndarray) -> np.ndarray:
    """Return, per record that is no listed command, whether it is malformed."""
    kind, side, flags = records["kind"], records["side"], records["flags"]
    enquiries = kind == CommandKind.BLOCK_ENQUIRY
    entries = enquiries | (kind == CommandKind.BLOCK_OFFER)
    addressed = flags & np.uint8(BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP)
    faults = (kind > CommandKind.BID_CANCEL) | (records["reserved"] != 0)
    faults |= (records["account_index"] != 0) | (records["operator_index"] != 0)
    faults |= records["tif"] != 0
    faults |= entries & (side != Side.BUY) & (side != Side.SELL)
    faults |= ~entries & ((side != 0) | (flags != 0))
    faults |= addressed == BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP
    faults |= (flags != addressed) & (~enquiries | (flags >= BlockFlag.ENQUIRY))
    most = np.where(addressed != 0, np.uint64(ACCOUNT_NONE), np.uint64(0))
    faults |= entries & (records["pick_order_id"] > most)
    faults |= enquiries & (records["order_id"] != 0)
    for flag, name in ((BlockFlag.PRICE_OPEN, "price"), (BlockFlag.TONNES_OPEN, "tonnes")):
        faults |= ((flags & np.uint8(flag)) != 0) & (records[name] != 0)
    return faults


_WITH_SIDE = (CommandKind.ENTER, CommandKind.BLOCK_ENQUIRY, CommandKind.BLOCK_OFFER)
_ADDRESSED = BlockFlag.TO_ACCOUNT | BlockFlag.TO_GROUP
_FLAGS_ALLOWED: dict[int, list[int]] = {
    CommandKind.ENTER: [0, 1],
    CommandKind.BLOCK_ENQUIRY: [n for n in range(16) if n & _ADDRESSED != _ADDRESSED],
    CommandKind.BLOCK_OFFER: [0, 1, 2],
}


def command_fault(record: np.void) -> FrameError:
    """Return what is wrong with one record that `command_faults` marks (without a place)."""
    kind = int(record["kind"])
    known = kind in list(CommandKind)
    allowed: dict[str, Sequence[int]] = {
        "kind": [int(member) for member in CommandKind],
        "reserved": [0],
        "account_index": [0],
        "operator_index": [0],
        "side": [1, 2] if kind in _WITH_SIDE else [0],
        "tif": [int(member) for member in Tif] if kind == CommandKind.ENTER else [0],
        "flags": _FLAGS_ALLOWED.get(kind, [0]),
    }
    if kind in _WITH_SIDE and kind != CommandKind.ENTER:
        allowed |= _block_fields(record)
    for field, values in allowed.items():
        if int(record[field]) not in values and (known or field == "kind"):
            expected = "one of " + ", ".join(map(str, values[:16])) if len(values) > 1 else "0"
            if isinstance(values, range):
                expected = f"{values[0]} to {values[-1]}"
            return FrameError(
                VenueRefusal.BAD_REQUEST,
                expected=expected,
                got=str(int(record[field])),
                where=field,
            )
    raise ValueError("record: expected one with a fault, got one with none")


def _block_fields(record: np.void) -> dict[str, Sequence[int]]:
    """Return what an enquiry or an offer may have in the fields that its flags speak of."""
    flags = int(record["flags"])
    allowed: dict[str, Sequence[int]] = {
        "pick_order_id": range(ACCOUNT_NONE + 1) if flags & _ADDRESSED else [0]
    }
    if record["kind"] == CommandKind.BLOCK_ENQUIRY:
        allowed["order_id"] = [0]
    for flag, name in ((BlockFlag.PRICE_OPEN, "price"), (BlockFlag.TONNES_OPEN, "tonnes")):
        if flags & flag:
            allowed[name] = [0]
    return allowed


# -- Public and settlement streams ----------------------------------------------------------------


def market_data_records(events: np.ndarray) -> np.ndarray:
    """Return the public part of the events that have a `market_data_seq`: no names, no accounts."""
    public = events[events["market_data_seq"] != 0]
    rows = np.zeros(len(public), MARKET_DATA_DTYPE)
    for field in ("kind", "phase", "product_index", "trading_date"):
        rows[field] = public[field]
    day_closed = public["kind"] == EventKind.DAY_CLOSED
    rows["market_data_seq"] = public["market_data_seq"]
    plain = ~day_closed
    fields = ("side", "method", "order_id", "counter_order_id", "price", "tonnes", "trade_id")
    for field in fields:
        rows[field][plain] = public[field][plain]
    if day_closed.any():
        from_close = public[day_closed].view(DAY_CLOSED_DTYPE)
        rows["price"][day_closed] = from_close["close"]
        volumes = [tonnes_capped(day_volume(closed, Method.LISTED)) for closed in from_close]
        rows["tonnes"][day_closed] = volumes
    return rows


class Band(msgspec.Struct, frozen=True):
    """From what price a product's band is measured, and its limits, all in fen."""

    product: str
    product_index: int
    reference_price: int
    band_low: int
    band_high: int


class CutHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Goes before the records of one message of the public stream.

    Attributes
    ----------
    log_id
        Names the numbering.
    previous, seq
        From which event (`seq` of the market's events) to which: the market as of event `previous`,
        with this message applied, is the market as of event `seq`. `previous` is the `seq` of the
        message before.
    part, parts
        A large one comes in several messages, `part` 0, 1, ... of `parts`, with the same numbers.
    bands
        Those that changed; in part 0.
    """

    log_id: str
    previous: int
    seq: int
    part: int = 0
    parts: int = 1
    bands: tuple[Band, ...] = ()


class StreamPlace(msgspec.Struct, frozen=True):
    """The public stream's heartbeat: the last `seq` and `market_data_seq` that were sent."""

    log_id: str
    seq: int
    market_data_seq: int


class SnapshotHeader(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="snapshot"):
    """Goes before the BookChange records of one message of a snapshot.

    Attributes
    ----------
    log_id, seq
        Which message of the stream the snapshot is as of; go on with the one whose `previous` is
        `seq`.
    market_data_seq
        Of the last MarketData record up to there.
    part, parts
        As in `CutHeader`.
    market
        Phase, halts, bands and statistics, as the request `market` answers; in part 0.
    """

    log_id: str
    seq: int
    market_data_seq: int
    part: int = 0
    parts: int = 1
    market: dict[str, Any] = {}


_cut_headers = msgspec.msgpack.Decoder(CutHeader)
_stream_places = msgspec.msgpack.Decoder(StreamPlace)
_snapshot_headers = msgspec.msgpack.Decoder(SnapshotHeader)


def cut_header_decode(payload: bytes) -> CutHeader:
    """Return the header of a message of the public stream; FrameError if it is none."""
    return _decode(_cut_headers, payload, "a header {log_id, previous, seq, part, parts, bands}")


def stream_place_decode(payload: bytes) -> StreamPlace:
    """Return what a heartbeat of the public stream says; FrameError if it is none."""
    return _decode(_stream_places, payload, "a heartbeat {log_id, seq, market_data_seq}")


def snapshot_header_decode(payload: bytes) -> SnapshotHeader:
    """Return the header of a snapshot's message; FrameError if it is none."""
    return _decode(_snapshot_headers, payload, "a header of a snapshot")


def settlement_header(
    log_id: str, first_seq: int, count: int, payload: bytes, feed: Mapping[str, Any] | None = None
) -> bytes:
    """Return the header that goes before `count` settlement records.

    Parameters
    ----------
    feed
        In an answer to a replay request, `feed_seq` and `feed_hash` of the last item of the
        registry's feed that the venue has taken.
    """
    return msgspec.msgpack.encode(
        {
            "log_id": log_id,
            "first_seq": first_seq,
            "count": count,
            "crc32c": google_crc32c.value(payload),
            **(feed or {}),
        }
    )
