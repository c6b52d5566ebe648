"""Whether exchange and registry of CCERs agree about a year, and each with itself."""

from collections.abc import Iterator

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.records import Method
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.year.checkpoint import CcerState
from cea_exchange.year.outcome.held import Reconciled, held, published

_DELIVERED = """SELECT t.trade_id, seller.account, buyer.account, product, sum(serial_last
    - serial_first + 1)
FROM deliveries AS d JOIN trades AS t ON t.settlement_seq = d.settlement_seq
JOIN lot_moves AS m ON m.entry_id = d.entry_id AND m.account_index = t.buyer_index
JOIN entries AS e ON e.entry_id = d.entry_id
JOIN products ON product_index = e.asset_index
JOIN accounts AS seller ON seller.account_index = d.account_index
JOIN accounts AS buyer ON buyer.account_index = m.account_index
WHERE d.kind = 'trade' AND d.state = 'posted'
GROUP BY t.trade_id, seller.account, buyer.account, product"""
_TRADED = """SELECT trade_id, seller.account, buyer.account, product, tonnes
FROM trades JOIN products ON product_index = asset_index
JOIN accounts AS seller ON seller.account_index = seller_index
JOIN accounts AS buyer ON buyer.account_index = buyer_index"""


def voluntary_reconciled(ccer: CcerStore, state: CcerState) -> Iterator[Reconciled]:
    """Yield what comes of holding the voluntary side's systems against each other.

    Notes
    -----
    Rules: CCER-STL-01, CCER-STL-02, CCER-FEE-01.
    """
    with ccer.view():
        audit = store_check(ccer, checks())
    yield Reconciled(
        "CCER registry against its postings, log and audit", audit.link_id, tuple(audit.differences)
    )
    yield held(
        "CCERs by day and method: bulletins of their exchange against their registry's trades",
        published(state.bulletins),
        _by_day(ccer),
    )
    yield held(
        "CCERs trade by trade: what was traded against the lots that were delivered",
        _figures(ccer, _TRADED),
        _figures(ccer, _DELIVERED),
    )
    yield held(
        "cash of CCERs, by account: paid in and traded against the exchange's book",
        _cash_due(ccer, state),
        {
            **state.cash.held,
            "paid in": state.cash.booked,
            "fees": state.cash.fees,
        },
    )


def _by_day(ccer: CcerStore) -> dict[tuple[int, str], tuple[int, int]]:
    rows = ccer.all(
        "SELECT trading_date, method, sum(tonnes), sum(cash) FROM trades"
        " GROUP BY trading_date, method"
    )
    return {
        (day, Method(method).name): (int(tonnes), int(cash)) for day, method, tonnes, cash in rows
    }


def _figures(ccer: CcerStore, query: str) -> dict[int, tuple[str, str, str, int]]:
    rows = ccer.all(query)
    return {
        trade: (seller, buyer, product, int(tonnes))
        for trade, seller, buyer, product, tonnes in rows
    }


def _cash_due(ccer: CcerStore, state: CcerState) -> dict[str, int]:
    """Return what each account must have of what the bank took in, and what the exchange must."""
    due, fees = dict(state.voluntary.paid_in), 0
    rows = ccer.all(
        "SELECT buyer.account, seller.account, cash, buy_fee, sell_fee FROM trades"
        " JOIN accounts AS buyer ON buyer.account_index = buyer_index"
        " JOIN accounts AS seller ON seller.account_index = seller_index"
    )
    for buyer, seller, cash, buy_fee, sell_fee in rows:
        due[buyer] = due.get(buyer, 0) - cash - buy_fee
        due[seller] = due.get(seller, 0) + cash - sell_fee
        fees += buy_fee + sell_fee
    paid_in = sum(state.voluntary.paid_in.values())
    return {account: fen for account, fen in due.items() if fen} | {
        "paid in": paid_in,
        "fees": fees,
    }
