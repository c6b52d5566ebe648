"""Turns the core's event records into named events."""

from collections.abc import Callable

import numpy as np

from cea_exchange.domain.documents.day_totals import day_amount, day_volume, day_volume_intra_group
from cea_exchange.domain.records import (
    BIDDING_OPENED_DTYPE,
    DAY_CLOSED_DTYPE,
    PRODUCT_NONE,
    BlockFlag,
    EventKind,
    EventRow,
    Method,
    Operation,
    OrderFlag,
    Phase,
    Pricing,
    Reason,
    Restriction,
    Side,
    Tif,
)
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.matching import events as named
from cea_exchange.matching.text.names import Asked, Names


def date_text(trading_date: int) -> str:
    """Write yyyymmdd as an ISO date."""
    digits = f"{trading_date:08d}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def events_named(
    rows: np.ndarray, names: Names, asked: Asked, seq_offset: int = 0
) -> list[named.Event]:
    """Return the named events of the core's rows.

    Parameters
    ----------
    rows : ndarray of EVENT_DTYPE
        What the core gave for one command.
    names : Names
        The market's names; of an accepted order its text id is in already.
    asked : Asked
        The words of the command, which refusals repeat.
    seq_offset : int
        How many events the market has given that are not the core's.
    """
    events = named.Events()
    for index, values in enumerate(rows.tolist()):
        row = EventRow._make(values)
        if row.kind == EventKind.DAY_CLOSED:
            statistics = rows[index : index + 1].view(DAY_CLOSED_DTYPE)[0]
            events.append(_day_closed(statistics, names, seq_offset))
        elif row.kind == EventKind.BIDDING_OPENED:
            terms = rows[index : index + 1].view(BIDDING_OPENED_DTYPE)[0]
            events.append(_bidding_opened(terms, names, seq_offset))
        elif row.kind in _NAMERS:
            events.append(_NAMERS[row.kind](row, names, asked, row.seq + seq_offset))
    return events


def time_text(time_ns: int) -> str | None:
    """Write an instant as Shanghai's time; 0 is none."""
    return time_from_ns(time_ns).isoformat() if time_ns else None


def _product_name(row: EventRow, names: Names) -> str | None:
    return names.products[row.product_index] if row.product_index < len(names.products) else None


def _account_name(row: EventRow, names: Names) -> str | None:
    return names.accounts[row.account_index] if row.account_index < len(names.accounts) else None


def _terms(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    return {
        "seq": seq,
        "id": names.order_text(row.order_id, row.client_order_id),
        "account": _account_name(row, names),
        "product": _product_name(row, names),
        "side": Side(row.side).name.lower(),
        "price": price_format(row.price),
        "tonnes": row.tonnes,
    }


def _accepted(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.OrderAccepted(
        **_terms(row, names, seq),
        tif=Tif(row.tif).name.lower(),
        post_only=bool(row.flags & OrderFlag.POST_ONLY),
        pick=asked.pick,
    )


def _rested(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.OrderRested(**_terms(row, names, seq))


def _amended(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.OrderAmended(**_terms(row, names, seq))


def _expired(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.OrderExpired(**_terms(row, names, seq))


def _canceled(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.OrderCanceled(**_terms(row, names, seq), reason=Reason(row.reason).name)


def _rejected(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    is_of_bid = row.command in (Operation.BID, Operation.BID_CANCEL)
    rejected = named.BidRejected if is_of_bid else named.OrderRejected
    return rejected(
        seq=seq,
        id=asked.id,
        account=asked.account,
        product=_product_name(row, names) or asked.product,
        command=Operation(row.command).name.lower(),
        reason=Reason(row.reason).name,
    )


def _transfer_rejected(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.TransferRejected(
        seq=seq,
        id=None,
        account=asked.account,
        product=asked.product,
        command=Operation(row.command).name.lower(),
        reason=Reason(row.reason).name,
        cash=asked.cash,
        tonnes=asked.tonnes,
    )


def _trade(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    taker = names.accounts[row.account_index]
    maker = names.accounts[row.counter_account_index]
    taker_id = names.order_text(row.order_id, row.client_order_id)
    maker_id = names.order_text(row.counter_order_id, row.counter_client_order_id)
    if row.method == Method.BLOCK:
        taker_id = maker_id = names.block_text(row.order_id)
    elif row.method == Method.BIDDING:
        maker_id = names.block_text(row.counter_order_id)
    is_taker_buying = row.side == Side.BUY
    return named.Trade(
        seq=seq,
        product=names.products[row.product_index],
        method=Method(row.method).name.lower(),
        price=price_format(row.price),
        tonnes=row.tonnes,
        buyer=taker if is_taker_buying else maker,
        seller=maker if is_taker_buying else taker,
        buy_id=taker_id if is_taker_buying else maker_id,
        sell_id=maker_id if is_taker_buying else taker_id,
        aggressor=Side(row.side).name.lower(),
        intra_group=names.is_intra_group(row.account_index, row.counter_account_index),
        buy_fee=cash_format(row.buy_fee),
        sell_fee=cash_format(row.sell_fee),
        trade_id=row.trade_id,
    )


def _block_terms(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    """A block's terms; `account` is who acts."""
    return {
        "seq": seq,
        "id": names.block_text(row.order_id),
        "account": _account_name(row, names),
        "product": _product_name(row, names),
        "side": Side(row.side).name.lower(),
        "price": None if row.flags & BlockFlag.PRICE_OPEN else price_format(row.price),
        "tonnes": None if row.flags & BlockFlag.TONNES_OPEN else row.tonnes,
    }


def _block_entered(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    to_account, to_group = row.flags & BlockFlag.TO_ACCOUNT, row.flags & BlockFlag.TO_GROUP
    return _block_terms(row, names, seq) | {
        "counterparty": names.accounts[row.counter_account_index] if to_account else None,
        "to_group": names.groups[row.counter_client_order_id] if to_group else None,
        "enquiry": names.block_text(row.counter_order_id) if row.counter_order_id else None,
    }


def _block_ended(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    by_counterparty = row.flags & BlockFlag.BY_COUNTERPARTY
    owner = row.counter_account_index if by_counterparty else row.account_index
    # The close ends it, or the exchange.
    is_nobodys = row.kind == EventKind.BLOCK_LAPSED or row.reason == Reason.NOT_CONFIRMED
    return _block_terms(row, names, seq) | {
        "account": names.accounts[owner],
        "by": None if is_nobodys else _account_name(row, names),
    }


def _block_enquired(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockEnquired(**_block_entered(row, names, seq))


def _block_offered(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockOffered(**_block_entered(row, names, seq))


def _block_countered(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockCountered(**_block_terms(row, names, seq))


def _block_agreed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockAgreed(**_block_terms(row, names, seq))


def _block_withdrawn(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockWithdrawn(**_block_ended(row, names, seq), reason=Reason(row.reason).name)


def _block_rejected(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockRejected(**_block_ended(row, names, seq))


def _block_lapsed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BlockLapsed(**_block_ended(row, names, seq))


def _bidding(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    return {
        "seq": seq,
        "id": names.block_text(row.order_id),
        "account": _account_name(row, names),
        "product": _product_name(row, names),
    }


def _bidding_opened(row: np.void, names: Names, seq_offset: int) -> named.Event:
    return named.BiddingOpened(
        seq=int(row["seq"]) + seq_offset,
        id=names.block_text(int(row["bidding_id"])),
        account=names.accounts[int(row["account_index"])],
        product=names.products[int(row["product_index"])],
        side=Side(row["side"]).name.lower(),
        tonnes=int(row["tonnes"]),
        floor=price_format(int(row["floor"])),
        ceiling=price_format(int(row["ceiling"])),
        pricing=Pricing(row["pricing"]).name.lower(),
        opens_at=time_text(int(row["opens_at"])),
        closes_at=time_text(int(row["closes_at"])),
    )


def _bidding_closed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BiddingClosed(
        **_bidding(row, names, seq),
        clearing_price=price_format(row.price) if row.price else None,
        tonnes=row.tonnes,
        bidders=row.counter_order_id,
    )


def _bidding_canceled(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BiddingCanceled(**_bidding(row, names, seq), reason=Reason(row.reason).name)


def _bid(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    return {
        "seq": seq,
        "id": names.order_text(row.order_id, row.client_order_id),
        "bidding": names.block_text(row.counter_order_id),
        "account": _account_name(row, names),
        "product": _product_name(row, names),
        "price": price_format(row.price) if row.price else None,
        "tonnes": row.tonnes,
    }


def _bid_accepted(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BidAccepted(**_bid(row, names, seq))


def _bid_canceled(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.BidCanceled(**_bid(row, names, seq), reason=Reason(row.reason).name)


def _deposited(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.Deposited(**_transfer(row, names, seq))


def _withdrawn(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.Withdrawn(**_transfer(row, names, seq))


def _transfer(row: EventRow, names: Names, seq: int) -> dict[str, object]:
    is_cash = row.product_index == PRODUCT_NONE
    return {
        "seq": seq,
        "account": _account_name(row, names),
        "product": _product_name(row, names),
        "cash": cash_format(row.cash) if is_cash else None,
        "tonnes": None if is_cash else row.tonnes,
    }


def _day_opened(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.DayOpened(seq=seq, date=date_text(row.trading_date))


def _phase_changed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.PhaseChanged(seq=seq, phase=Phase(row.phase).name.lower())


def _composite_closed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    date = date_text(row.trading_date)
    return named.CompositeClosed(seq=seq, date=date, price=price_format(row.price))


def _halted(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.Halted(seq=seq, product=_product_name(row, names))


def _resumed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.Resumed(seq=seq, product=_product_name(row, names))


def _suspended(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.AccountSuspended(seq=seq, account=_account_name(row, names))


def _restored(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.AccountRestored(seq=seq, account=_account_name(row, names))


def _restricted(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    account = _account_name(row, names)
    return named.AccountRestricted(seq=seq, account=account, barred=restrictions_named(row.flags))


def restrictions_named(bits: int) -> list[str]:
    """Return the names of what a measure keeps an account from."""
    return [each.name.lower() for each in Restriction if bits & each]


def _reference_price_changed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    product = _product_name(row, names)
    return named.ReferencePriceChanged(seq=seq, product=product, price=price_format(row.price))


def _product_listed(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    product = _product_name(row, names)
    return named.ProductListed(seq=seq, product=product, price=price_format(row.price))


def _product_delisted(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.ProductDelisted(seq=seq, product=_product_name(row, names))


def _large_holder(row: EventRow, names: Names, asked: Asked, seq: int) -> named.Event:
    return named.LargeHolder(
        seq=seq,
        account=_account_name(row, names),
        product=_product_name(row, names),
        tonnes=row.tonnes,
    )


def _day_closed(row: np.void, names: Names, seq_offset: int) -> named.Event:
    def price_or_none(price: int) -> str | None:
        return price_format(price) if price else None

    return named.DayClosed(
        seq=int(row["seq"]) + seq_offset,
        date=date_text(int(row["trading_date"])),
        product=names.products[int(row["product_index"])],
        open=price_format(int(row["open"])),
        high=price_or_none(int(row["high"])),
        low=price_or_none(int(row["low"])),
        close=price_format(int(row["close"])),
        volume=named.VolumeByMethod(*(day_volume(row, method) for method in Method)),
        amount=named.AmountByMethod(*(cash_format(day_amount(row, method)) for method in Method)),
        volume_intra_group=day_volume_intra_group(row),
    )


_NAMERS: dict[int, Callable[[EventRow, Names, Asked, int], named.Event]] = {
    EventKind.ORDER_ACCEPTED: _accepted,
    EventKind.ORDER_RESTED: _rested,
    EventKind.ORDER_AMENDED: _amended,
    EventKind.ORDER_CANCELED: _canceled,
    EventKind.ORDER_EXPIRED: _expired,
    EventKind.ORDER_REJECTED: _rejected,
    EventKind.TRADE: _trade,
    EventKind.BLOCK_ENQUIRED: _block_enquired,
    EventKind.BLOCK_OFFERED: _block_offered,
    EventKind.BLOCK_COUNTERED: _block_countered,
    EventKind.BLOCK_WITHDRAWN: _block_withdrawn,
    EventKind.BLOCK_REJECTED: _block_rejected,
    EventKind.BLOCK_LAPSED: _block_lapsed,
    EventKind.BLOCK_AGREED: _block_agreed,
    EventKind.BID_ACCEPTED: _bid_accepted,
    EventKind.BID_CANCELED: _bid_canceled,
    EventKind.BIDDING_CLOSED: _bidding_closed,
    EventKind.BIDDING_CANCELED: _bidding_canceled,
    EventKind.DEPOSITED: _deposited,
    EventKind.WITHDRAWN: _withdrawn,
    EventKind.TRANSFER_REJECTED: _transfer_rejected,
    EventKind.DAY_OPENED: _day_opened,
    EventKind.PHASE_CHANGED: _phase_changed,
    EventKind.COMPOSITE_CLOSED: _composite_closed,
    EventKind.HALTED: _halted,
    EventKind.RESUMED: _resumed,
    EventKind.ACCOUNT_SUSPENDED: _suspended,
    EventKind.ACCOUNT_RESTRICTED: _restricted,
    EventKind.ACCOUNT_RESTORED: _restored,
    EventKind.REFERENCE_PRICE_CHANGED: _reference_price_changed,
    EventKind.LARGE_HOLDER: _large_holder,
    EventKind.PRODUCT_LISTED: _product_listed,
    EventKind.PRODUCT_DELISTED: _product_delisted,
}
# CHECKPOINT and TRADE_BUSTED have no name: they are the venue's, whose readers take records.

