"""Double entry, pure: what moves where. No database, no sockets, no clock.

A *posting* adds an amount (tonnes, or fen of cash) to one account's holding of one asset in one
compartment. An *entry* is a set of postings that belong together; per asset they sum to zero, so
nothing appears or vanishes. What comes from outside is taken from a contra account, which alone may
be negative::

    issuance account --issue--> registration --begin--> transit --DEPOSITED--> trading
    bank account ----pay in-->    ^  ^  |  ^               |                      |
                                  |  |  |  +-TRANSFER_REJECTED                    |
                                  |  |  |  +--------------WITHDRAWN---------------+
         judicial <---freeze------+  |  +--pay out--> banking ----> bank account
            |                        |
            +--deduct--> another's   +--apply--> applied ---> surrendered, cancelled,
                                                              carried over, or back

The trading compartment moves only by settlement records, so that at every settlement sequence it
is, number for number, what the venue holds.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from cea_exchange.domain.enums import PRODUCT_NONE, Side
from cea_exchange.ledger.institutions import CONTRA, SINKS, Institution

CASH_ASSET = PRODUCT_NONE
"""Asset index of cash; every other asset index is a product index."""

AMOUNT_LIMIT = 1 << 62
"""All tonnes of a product, and all fen of cash, stay below it."""


class Compartment(IntEnum):
    """Where within an account something is held."""

    CONTRA = 0
    """the other side of what comes from outside; only contra accounts have it"""
    REGISTRATION = 1
    """the registration account (登记账户), and the bank sub-account for cash"""
    TRANSIT = 2
    """on its way to the venue"""
    TRADING = 3
    """the trading account (交易账户), usable at the venue"""
    APPLIED = 4
    """set aside for an application: surrender, cancellation, carryover, a transfer to another"""
    JUDICIAL = 5
    """frozen by a court (司法冻结)"""
    BANKING = 6
    """cash on its way out through the bank"""
    SUPERVISORY = 7
    """kept by the supervisor's order (监管冻结)"""


class EntryKind(IntEnum):
    """Why holdings changed."""

    ISSUE = 1
    """allowances come into being"""
    PAY_IN = 2
    """cash comes from the bank"""
    TRANSFER_BEGUN = 3
    """registration to transit, on the way to the venue"""
    DEPOSITED = 4
    """transit to trading: the venue has it"""
    TRANSFER_RETURNED = 5
    """transit back to registration: the venue refused it"""
    WITHDRAWN = 6
    """trading to registration: the venue let it go"""
    TRADE = 7
    """allowances against cash, both or neither"""
    BUST = 8
    """a trade's legs, back again"""
    DISTRIBUTED = 9
    """from the authority to a province, and from there to an entity"""
    RECALLED = 10
    """the same way back, and from the authority out of circulation"""
    SET_ASIDE = 11
    """registration to applied: an application was made"""
    SET_FREE = 12
    """back: it was withdrawn or refused"""
    SURRENDERED = 13
    """what was applied for, from an entity to its province, and from there to the authority"""
    RETIRED = 14
    """surrendered allowances leave circulation"""
    CANCELLED = 15
    """voluntarily cancelled allowances leave circulation"""
    CARRIED_OVER = 16
    """allowances of an old vintage leave circulation, others are issued for them"""
    FROZEN = 17
    """registration to judicial: a court's order"""
    RELEASED = 18
    """back"""
    DEDUCTED = 19
    """from what is frozen to whom the court says"""
    ENFORCED = 20
    """to an heir, a successor in law, or by enforcement"""
    MERGED = 21
    """to the account that an account was merged into"""
    PAY_OUT_BEGUN = 22
    """registration to banking: the bank is instructed to pay"""
    PAID_OUT = 23
    """the bank has paid"""
    PAY_OUT_RETURNED = 24
    """back: the bank refused"""
    RESERVE_USED = 25
    """the risk reserve pays for one who defaulted"""
    RESERVE_RECOVERED = 26
    """and gets it back from him"""
    CLAIM_PAID = 27
    """a debtor pays what a bust left him owing"""
    ISSUE_REVERSED = 28
    """what was issued by mistake, and is still with the authority, was never issued"""
    WITHHELD = 29
    """registration to supervisory: the supervisor's order"""
    GIVEN_BACK = 30
    """back"""
    FORFEITED = 31
    """from there out of circulation, by order"""
    DELIVERED = 32
    """from a seller to a buyer, or back, where the exchange settles the cash"""
    RESERVE_CONTRIBUTED = 43
    """from the fees into the risk reserve"""
    PROCEEDS_BOOKED = 44
    """what the authority's sales brought, to the account it has for that"""
    PAY_IN_REVERSED = 45
    """a pay-in that was booked by mistake, as far as its cash is still there"""


BETWEEN_ACCOUNTS = frozenset(
    {
        EntryKind.DEDUCTED,
        EntryKind.MERGED,
        EntryKind.CLAIM_PAID,
        EntryKind.RESERVE_CONTRIBUTED,
        EntryKind.PROCEEDS_BOOKED,
    }
)
"""What moves cash from one account to another, other than trades and what the reserve lends."""


class Posting(NamedTuple):
    """One leg: `amount` is added to the holding; tonnes, or fen for `CASH_ASSET`."""

    account_index: int
    asset_index: int
    compartment: int
    amount: int


class Holding(NamedTuple):
    """Whose, of what, where: the key of a balance."""

    account_index: int
    asset_index: int
    compartment: int


class Movement(NamedTuple):
    """An entry that is no trade: why, from whom to whom, of what and how much; see `legs_of`."""

    kind: EntryKind
    account_index: int
    counter_index: int
    asset_index: int
    amount: int


class Trade(NamedTuple):
    """What the registry settles of a trade. Cash and fees in fen."""

    settlement_seq: int
    trade_id: int
    trading_date: int
    method: int
    buyer_index: int
    seller_index: int
    product_index: int
    price: int
    tonnes: int
    cash: int
    buy_fee: int
    sell_fee: int


class Claim(NamedTuple):
    """What one account owes another, outside the postings: tonnes, or fen for `CASH_ASSET`."""

    debtor_index: int
    creditor_index: int
    asset_index: int
    amount: int


class LedgerError(Exception):
    """A movement that can not be: nothing of it was posted."""


_TRADE_FIELDS = (
    *("settlement_seq", "trade_id", "trading_date", "method", "side"),
    *("account_index", "counter_account_index", "product_index"),
    *("price", "tonnes", "cash", "buy_fee", "sell_fee"),
)


def trade_figures(records: Any) -> list[tuple[int, ...]]:
    """Return what `trade_from_figures` takes for each of many records (an array of `EVENT_DTYPE`).

    Column by column, which is several times as fast as record by record.
    """
    return list(zip(*(records[name].tolist() for name in _TRADE_FIELDS), strict=True))


def trade_from_figures(figures: Sequence[int]) -> Trade:
    """Return the trade of a record's figures.

    Raises
    ------
    LedgerError
        One of them contradicts another, or is none a trade can have.
    """
    seq, trade_id, date, method, side, taker, maker, *terms = figures
    if side == Side.BUY:
        trade = Trade(seq, trade_id, date, method, taker, maker, *terms)
    elif side == Side.SELL:
        trade = Trade(seq, trade_id, date, method, maker, taker, *terms)
    else:
        raise LedgerError(f"side: expected 1 or 2, got {side}")
    trade_check(trade)
    return trade


def trade_check(trade: Trade) -> None:
    """Raise `LedgerError` unless the trade's figures agree with each other."""
    if not 0 < trade.trade_id < AMOUNT_LIMIT:
        raise LedgerError(f"trade_id: expected positive and below 2^62, got {trade.trade_id}")
    if trade.price <= 0 or trade.tonnes <= 0:
        raise LedgerError(f"price and tonnes: expected positive, got {trade.price}, {trade.tonnes}")
    if trade.cash != trade.price * trade.tonnes:
        raise LedgerError(f"cash: expected {trade.price * trade.tonnes}, got {trade.cash}")
    if trade.buy_fee < 0:
        raise LedgerError(f"buy_fee: expected at least 0, got {trade.buy_fee}")
    cost = trade.cash + trade.buy_fee
    if cost >= AMOUNT_LIMIT:
        raise LedgerError(f"cash and buy_fee: expected below 2^62 together, got {cost}")
    if not 0 <= trade.sell_fee <= trade.cash:
        raise LedgerError(f"sell_fee: expected within 0..{trade.cash}, got {trade.sell_fee}")


def trade_legs(trade: Trade) -> list[Posting]:
    """Return a trade's postings: delivery versus payment, four legs and the fees' if there are any.

    Notes
    -----
    The buyer pays the fee on top, the seller's is taken out of the proceeds.

    Rules: CEA-STL-01 (delivery versus payment).
    """
    buyer, seller, product = trade.buyer_index, trade.seller_index, trade.product_index
    trading = Compartment.TRADING
    legs = [
        Posting(buyer, CASH_ASSET, trading, -(trade.cash + trade.buy_fee)),
        Posting(seller, CASH_ASSET, trading, trade.cash - trade.sell_fee),
        Posting(seller, product, trading, -trade.tonnes),
        Posting(buyer, product, trading, trade.tonnes),
    ]
    fees = trade.buy_fee + trade.sell_fee
    if fees:
        legs.append(Posting(Institution.FEES, CASH_ASSET, Compartment.REGISTRATION, fees))
    return legs


def bust_legs(trade: Trade) -> list[Posting]:
    """Return the postings that undo a trade: its own, the other way.

    Notes
    -----
    Rules: CEA-STL-04 (bust).
    """
    return [leg._replace(amount=-leg.amount) for leg in trade_legs(trade)]


def bust_claims(trade: Trade) -> list[Claim]:
    """Return what is owed after the bust of a trade that could not be undone.

    Paid, these claims would leave everybody as if there had been no trade: the buyer owes the
    tonnes, the seller what the sale brought, and the fee account both fees, to the buyer, who paid
    them in the price and on top of it. Nobody owes anything to himself.

    Notes
    -----
    Rules: CEA-STL-04 (bust).
    """
    buyer, seller, fees = trade.buyer_index, trade.seller_index, trade.buy_fee + trade.sell_fee
    claims = (
        Claim(buyer, seller, trade.product_index, trade.tonnes),
        Claim(seller, buyer, CASH_ASSET, trade.cash - trade.sell_fee),
        Claim(int(Institution.FEES), buyer, CASH_ASSET, fees),
    )
    return [claim for claim in claims if claim.amount and claim[0] != claim[1]]


class _Move(NamedTuple):
    """From where to where an entry of some kind goes, and what of it is fixed."""

    source: Compartment
    target: Compartment
    within: bool = False
    """within one account"""
    account: int | None = None
    """always from this account"""
    counter: int | None = None
    """always to this account"""
    asset: str = ""
    """``cash`` or ``tonnes`` only"""


_REGISTRATION, _APPLIED = Compartment.REGISTRATION, Compartment.APPLIED
_MOVES = {
    EntryKind.ISSUE: _Move(
        Compartment.CONTRA, _REGISTRATION, account=Institution.ISSUANCE, asset="tonnes"
    ),
    EntryKind.PAY_IN: _Move(
        Compartment.CONTRA, _REGISTRATION, account=Institution.BANK, asset="cash"
    ),
    EntryKind.PAY_IN_REVERSED: _Move(
        _REGISTRATION, Compartment.CONTRA, counter=Institution.BANK, asset="cash"
    ),
    EntryKind.TRANSFER_BEGUN: _Move(_REGISTRATION, Compartment.TRANSIT, within=True),
    EntryKind.DEPOSITED: _Move(Compartment.TRANSIT, Compartment.TRADING, within=True),
    EntryKind.TRANSFER_RETURNED: _Move(Compartment.TRANSIT, _REGISTRATION, within=True),
    EntryKind.WITHDRAWN: _Move(Compartment.TRADING, _REGISTRATION, within=True),
    EntryKind.DISTRIBUTED: _Move(_REGISTRATION, _REGISTRATION, asset="tonnes"),
    EntryKind.RECALLED: _Move(_REGISTRATION, _REGISTRATION, asset="tonnes"),
    EntryKind.SET_ASIDE: _Move(_REGISTRATION, _APPLIED, within=True, asset="tonnes"),
    EntryKind.SET_FREE: _Move(_APPLIED, _REGISTRATION, within=True, asset="tonnes"),
    EntryKind.SURRENDERED: _Move(_APPLIED, _APPLIED, asset="tonnes"),
    EntryKind.RETIRED: _Move(
        _APPLIED,
        _REGISTRATION,
        account=Institution.AUTHORITY,
        counter=Institution.RETIREMENT,
        asset="tonnes",
    ),
    EntryKind.CANCELLED: _Move(
        _APPLIED, _REGISTRATION, counter=Institution.CANCELLATION, asset="tonnes"
    ),
    EntryKind.CARRIED_OVER: _Move(
        _APPLIED, _REGISTRATION, counter=Institution.CARRYOVER, asset="tonnes"
    ),
    EntryKind.FROZEN: _Move(_REGISTRATION, Compartment.JUDICIAL, within=True),
    EntryKind.RELEASED: _Move(Compartment.JUDICIAL, _REGISTRATION, within=True),
    EntryKind.DEDUCTED: _Move(Compartment.JUDICIAL, _REGISTRATION),
    EntryKind.ENFORCED: _Move(_APPLIED, _REGISTRATION, asset="tonnes"),
    EntryKind.MERGED: _Move(_REGISTRATION, _REGISTRATION),
    EntryKind.PAY_OUT_BEGUN: _Move(
        _REGISTRATION, Compartment.BANKING, within=True, asset="cash"
    ),
    EntryKind.PAID_OUT: _Move(
        Compartment.BANKING, Compartment.CONTRA, counter=Institution.BANK, asset="cash"
    ),
    EntryKind.PAY_OUT_RETURNED: _Move(
        Compartment.BANKING, _REGISTRATION, within=True, asset="cash"
    ),
    EntryKind.RESERVE_USED: _Move(
        _REGISTRATION, _REGISTRATION, account=Institution.RISK_RESERVE, asset="cash"
    ),
    EntryKind.RESERVE_RECOVERED: _Move(
        _REGISTRATION, _REGISTRATION, counter=Institution.RISK_RESERVE, asset="cash"
    ),
    EntryKind.CLAIM_PAID: _Move(_REGISTRATION, _REGISTRATION),
    EntryKind.ISSUE_REVERSED: _Move(
        _REGISTRATION,
        Compartment.CONTRA,
        account=Institution.AUTHORITY,
        counter=Institution.ISSUANCE,
        asset="tonnes",
    ),
    EntryKind.WITHHELD: _Move(
        _REGISTRATION, Compartment.SUPERVISORY, within=True, asset="tonnes"
    ),
    EntryKind.GIVEN_BACK: _Move(
        Compartment.SUPERVISORY, _REGISTRATION, within=True, asset="tonnes"
    ),
    EntryKind.FORFEITED: _Move(
        Compartment.SUPERVISORY,
        _REGISTRATION,
        counter=Institution.CANCELLATION,
        asset="tonnes",
    ),
    EntryKind.DELIVERED: _Move(Compartment.TRADING, Compartment.TRADING, asset="tonnes"),
    EntryKind.RESERVE_CONTRIBUTED: _Move(
        _REGISTRATION,
        _REGISTRATION,
        account=Institution.FEES,
        counter=Institution.RISK_RESERVE,
        asset="cash",
    ),
    EntryKind.PROCEEDS_BOOKED: _Move(
        _REGISTRATION, _REGISTRATION, counter=Institution.PROCEEDS, asset="cash"
    ),
}


def legs_of(
    kind: int, account_index: int, counter_index: int, asset_index: int, amount: int
) -> list[Posting]:
    """Return the two postings of an entry that is no trade.

    Parameters
    ----------
    kind
        An `EntryKind` but `TRADE` and `BUST`: says from which compartment into which.
    account_index, counter_index
        From whom, to whom; the same account where it stays within one.

    Raises
    ------
    LedgerError
        `amount` is not positive, or the kind does not move this asset between these accounts.
    """
    move = _MOVES[EntryKind(kind)]
    name = EntryKind(kind).name.lower()
    if amount <= 0:
        raise LedgerError(f"amount: expected positive, got {amount}")
    if move.asset and move.asset != ("cash" if asset_index == CASH_ASSET else "tonnes"):
        raise LedgerError(f"asset of {name}: expected {move.asset}, got {asset_index}")
    if move.within != (account_index == counter_index):
        which = "the same account" if move.within else "another account"
        raise LedgerError(f"{name}: expected {which}, got {account_index} to {counter_index}")
    if move.account not in (None, account_index) or move.counter not in (None, counter_index):
        ends = f"{move.account} to {move.counter}"
        raise LedgerError(f"{name}: expected from {ends}, got {account_index} to {counter_index}")
    if account_index in SINKS:
        raise LedgerError(f"{name}: expected to take what circulates, got from {account_index}")
    return [
        Posting(account_index, asset_index, move.source, -amount),
        Posting(counter_index, asset_index, move.target, amount),
    ]


def unbalanced_assets(postings: Iterable[Sequence[int]]) -> dict[int, int]:
    """Return per asset what the postings sum to, where that is not zero."""
    sums: dict[int, int] = {}
    for _account, asset, _compartment, amount in postings:
        sums[asset] = sums.get(asset, 0) + amount
    return {asset: total for asset, total in sums.items() if total}


class BalancesKept(Protocol):
    """What `post` needs of balances: a dict that has the holdings does."""

    def __getitem__(self, holding: Holding, /) -> int: ...

    def update(self, amounts: dict[Holding, int], /) -> None: ...


def post(balances: BalancesKept, postings: Sequence[Posting]) -> None:
    """Add an entry's postings to the balances; all of them or, if one can't be, none.

    Parameters
    ----------
    balances
        Must have every holding that the postings touch.
    postings
        The legs of one entry.

    Raises
    ------
    LedgerError
        The legs don't sum to zero, or an account would hold less than nothing or too much.
    """
    wrong = unbalanced_assets(postings)
    if wrong:
        raise LedgerError(f"legs: expected a sum of zero in each asset, got {wrong}")
    after: dict[Holding, int] = {}
    for account, asset, compartment, amount in postings:
        holding = Holding(account, asset, compartment)
        after[holding] = after.get(holding, balances[holding]) + amount
    for holding, amount in after.items():
        if amount < 0 and not _is_contra(holding):
            raise InsufficientHolding(holding, balances[holding], amount - balances[holding])
        if not -AMOUNT_LIMIT < amount < AMOUNT_LIMIT:
            raise LedgerError(f"holding: expected below 2^62, got {amount} of {holding}")
    balances.update(after)


def _is_contra(holding: Holding) -> bool:
    """Tell whether it is the other side of what comes from outside, which alone is negative."""
    return holding.compartment == Compartment.CONTRA and holding.account_index in CONTRA


class InsufficientHolding(LedgerError):
    """An account has less than is to be taken from it."""

    def __init__(self, holding: Holding, held: int, change: int) -> None:
        super().__init__(f"{holding} holds {held}, {-change} are to leave it")
        self.holding = holding
        self.held = held
        self.change = change
