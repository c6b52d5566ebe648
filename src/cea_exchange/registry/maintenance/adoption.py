"""Let another stream follow where the venue's journal lost what is settled here.

Two persons decide it, and the venue begins again from what the registry holds (`venue adopt`). From
then on the stream of before is refused: whoever finds the old journal can't go on with it.
"""

import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from cea_exchange.domain.naming import CASH_NAME, is_one_line
from cea_exchange.domain.records import DAY_CLOSED_DTYPE, Method
from cea_exchange.institution.venue_link.feed import VENUE, feed_last_seq
from cea_exchange.institution.venue_link.holding_hash import holding_hash
from cea_exchange.institution.venue_link.settlement_records import record_at, records_from
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.adoption import (
    AdoptionError,
    AdoptionStatement,
    NumbersGiven,
    statement_encode,
)
from cea_exchange.protocol.control import (
    AccountRestored,
    AccountSuspended,
    AdoptedAccount,
    AdoptedProduct,
    AdoptedState,
    FeedCommand,
    FeedItem,
    KeyGranted,
    KeyRevoked,
    control_decode,
)
from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.settlement.holdings_hash import holdings_hash

HASH_MASK = (1 << 64) - 1


def adopt(
    store: Store, path: Path, *, first: Operator, second: Operator, why: str, at_ns: int
) -> AdoptionStatement:
    """Let a new stream follow the last settled record, and write the statement for the venue.

    Raises AdoptionError: there is no reason, nothing was settled yet, the ledger does not agree
    with itself or with the venue, or the file is there. Nothing was changed.

    Rules: CEA-OPR-02.

    Parameters
    ----------
    store
        Open for writing, so no daemon runs.
    path
        The statement's file; it must not be there.
    first, second
        The two persons.
    why, at_ns
        Their reason, and when.
    """
    if not why.strip() or not is_one_line(why):
        raise AdoptionError(f"why: expected one line of text, got {why!a}")
    old_log_id = _settled_log_id(store)
    if old_log_id is None:
        raise AdoptionError("registry: expected a stream that was settled, got none yet")
    if store.state != "ok":
        raise AdoptionError(f"registry: expected the state ok, got {store.state}")
    odd = accounts_differing(store, whole=True)
    if odd:
        raise AdoptionError(f"registry: balances are not the sum of the postings: {odd[0]}")
    state = _state(store)
    held = holdings_hash(store)
    if _holdings_hash(state) != held:
        raise AdoptionError("registry: holdings are not those that it compares with the venue")
    statement = AdoptionStatement(
        old_log_id=old_log_id,
        log_id=uuid.uuid4().hex,
        by=first.name,
        second=second.name,
        why=why,
        at_ns=at_ns,
        holdings_hash=held,
        state=state,
        keys=_keys(store),
    )
    with store.transaction():
        names = (first.name, second.name, why, at_ns)
        row = (statement.log_id, old_log_id, store.last_seq, *names)
        store.insert(
            "adoptions (log_id, old_log_id, last_seq, first_operator, second_operator, why, at_ns)",
            [row],
        )
        store.last_seq_set(statement.log_id, store.last_seq)
        # The file before the commit: without it the new stream could never begin.
        _file_write(path, statement_encode(statement))
    # What the venue of before has does not count any more.
    store.partners.heard(VENUE, "")
    return statement


def _settled_log_id(store: Store) -> str | None:
    """Return which stream the last settled record is of.

    A statement that was lost, or never used, is replaced by another of the same life.
    """
    replaced = store.find("adoptions", "old_log_id", log_id=store.log_id, last_seq=store.last_seq)
    return store.log_id if replaced is None else replaced


def _file_write(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise AdoptionError(f"{path}: expected a new file to write, {error.strerror}") from None


def _state(store: Store) -> AdoptedState:
    feed_seq = _feed_seq(store)
    numbers, holdings = _numbers(store), _holdings(store)
    accounts = store.all(
        "SELECT account_index, account, account_group FROM accounts"
        " WHERE account_index >= 0 ORDER BY account_index"
    )
    products = store.all("SELECT product, reference_price FROM products ORDER BY product_index")
    # What the venue hears of from the feed it does not begin with.
    declared = dict.fromkeys(("account_declared", "product_declared"), 0)
    suspended: set[str] = set()
    command = None
    for command in _feed_commands(store, feed_seq):
        tag = command.__struct_config__.tag
        if tag in declared:
            declared[tag] += 1
        if isinstance(command, AccountSuspended):
            suspended.add(command.account)
        elif isinstance(command, AccountRestored):
            suspended.discard(command.account)
    return AdoptedState(
        settlement_seq=store.last_seq,
        feed_seq=feed_seq,
        feed_last=command,
        trading_date=numbers.trading_date,
        trade_id=numbers.trade_id,
        order_id=numbers.order_id,
        event_seq=numbers.event_seq,
        market_data_seq=numbers.market_data_seq,
        command_seq=numbers.command_seq,
        products=tuple(
            AdoptedProduct(name, _reference_price(store, index, price))
            for index, (name, price) in enumerate(products[: declared["product_declared"]])
        ),
        accounts=tuple(
            AdoptedAccount(
                name,
                group,
                holdings[index][CASH_ASSET],
                _tonnes(holdings[index]),
                numbers.report_seqs.get(index, 0),
                suspended_by_registry=name in suspended,
            )
            for index, name, group in accounts[: declared["account_declared"]]
        ),
        busted=_busted(store),
    )


def _holdings_hash(state: AdoptedState) -> int:
    """Return the hash that a venue would come to, protocol/state_hash.md."""
    total = 0
    for account in state.accounts:
        total += holding_hash(account.account, CASH_NAME, account.cash)
        for product, tonnes in account.holdings:
            total += holding_hash(account.account, state.products[product].product, tonnes)
    return total & HASH_MASK


def _keys(store: Store) -> tuple[KeyGranted, ...]:
    """Return the grants in force, as the venue received them."""
    keys: dict[str, KeyGranted] = {}
    for command in _feed_commands(store, _feed_seq(store)):
        if isinstance(command, KeyGranted):
            keys[command.key] = command
        elif isinstance(command, KeyRevoked):
            keys.pop(command.key, None)
    return tuple(keys.values())


def _feed_seq(store: Store) -> int:
    """Return the last item before the first transfer that the venue has not answered.

    From there on the venue takes the feed again, so what was on its way arrives after all.
    """
    pending = store.one("SELECT min(transfer_seq) FROM transfers WHERE state = 'pending'")
    return feed_last_seq(store) if pending is None else pending - 1


def _feed_commands(store: Store, last: int) -> Iterator[FeedCommand]:
    rows = store.column(
        "SELECT item FROM feed WHERE transfer_seq <= ? ORDER BY transfer_seq", (last,)
    )
    for item in rows:
        decoded = control_decode(item)
        assert isinstance(decoded, FeedItem)
        yield decoded.command


def _holdings(store: Store) -> dict[int, Counter[int]]:
    """Return what each account holds at the venue, by asset.

    Trades that are not posted and stand count as if they were, and so does what was postponed, as
    in the holdings hash: to the venue they have happened.
    """
    found: dict[int, Counter[int]] = defaultdict(Counter)
    rows = store.execute(
        "SELECT account_index, asset_index, amount FROM balances"
        " WHERE account_index >= 0 AND compartment = ?",
        (int(Compartment.TRADING),),
    )
    for account, asset, amount in rows:
        found[account][asset] += amount
    rows = store.execute(
        "SELECT buyer_index, seller_index, product_index, tonnes, cash, buy_fee, sell_fee"
        " FROM trades WHERE state <> 'settled' AND state <> 'busted' AND posted_seq = 0"
    )
    for buyer, seller, product, tonnes, cash, buy_fee, sell_fee in rows:
        found[buyer][CASH_ASSET] -= cash + buy_fee
        found[seller][CASH_ASSET] += cash - sell_fee
        found[seller][product] -= tonnes
        found[buyer][product] += tonnes
    rows = store.execute(
        "SELECT account_index, asset_index, amount FROM postponed"
        " WHERE posted_seq = 0 AND compartment = ?",
        (int(Compartment.TRADING),),
    )
    for account, asset, amount in rows:
        found[account][asset] += amount
    return found


def _tonnes(held: Counter[int]) -> tuple[tuple[int, int], ...]:
    tonnes = ((asset, held[asset]) for asset in held if asset != CASH_ASSET and held[asset])
    return tuple(sorted(tonnes))


def _busted(store: Store) -> tuple[int, ...]:
    rows = store.column(
        "SELECT trade_id FROM trades JOIN busts ON busts.trade_seq = trades.settlement_seq"
        " ORDER BY trade_id"
    )
    return tuple(trade_id for trade_id in rows)


def _reference_price(store: Store, product_index: int, declared: int) -> int:
    """Return a product's last close; of a day without one, what its listed trades make of it.

    Rules: CEA-LST-08, as the day's close would have been.
    """
    closed_on, price = 0, declared
    close_seq = store.one(
        "SELECT max(settlement_seq) FROM day_closes WHERE product_index = ?", (product_index,)
    )
    record = None if close_seq is None else record_at(store, close_seq)
    if record is not None:
        closed = record.view(DAY_CLOSED_DTYPE)[0]
        closed_on, price = int(closed["trading_date"]), int(closed["close"])
    tonnes = amount = 0
    trades = store.execute(
        "SELECT price, tonnes FROM trades WHERE product_index = ? AND method = ?"
        " AND trading_date > ? AND state <> 'busted'",
        (product_index, int(Method.LISTED), closed_on),
    )
    for trade_price, trade_tonnes in trades:
        tonnes += trade_tonnes
        amount += trade_price * trade_tonnes
    return (2 * amount + tonnes) // (2 * tonnes) if tonnes else price


def _numbers(store: Store) -> NumbersGiven:
    numbers = NumbersGiven()
    for records in records_from(store):
        numbers.take(records)
    return numbers
