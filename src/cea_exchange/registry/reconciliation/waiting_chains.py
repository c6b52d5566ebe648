"""Check that what waits can be posted in its order, once its causes are gone."""

from collections.abc import Iterator

from cea_exchange.ledger.double_entry import Compartment, Holding, Trade, trade_legs
from cea_exchange.ledger.store import Store
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS
from cea_exchange.registry.settlement.waiting import Place, Waiting, at_places


def chain_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place that what waits was paid out from under.

    What a bust has taken back may be lacking: its party is asked to bring it (CEA-DEF-01).

    Rules: CEA-STL-09.
    """
    waiting = Waiting(store)
    waiting.refresh()
    places = waiting.places()
    if not places:
        return
    _received_add(store, waiting, places)
    undone = _places_of_undone(store)
    for place in sorted(places - undone):
        needed = waiting.needed(place)
        held = store.balance(Holding(*place, int(Compartment.TRADING)))
        if held < needed:
            account, asset = place
            yield (
                f"account {store.account_name(account)}: what waits to be posted needs {needed} of"
                f" {store.asset_name(asset)} in trading, {held} are there; it can't move:"
                f" {_chain(store, waiting, place)}"
            )


def _received_add(store: Store, waiting: Waiting, places: set[Place]) -> None:
    """Let trades that wait for the close count too, in front of what was postponed behind them."""
    rows = store.database.stream(
        f"SELECT {TRADE_COLUMNS} FROM trades WHERE state <> 'settled' AND state = 'received'"
        " ORDER BY settlement_seq"
    )
    for row in rows:
        trade = Trade(*row)
        legs = trade_legs(trade)
        if places & at_places(legs).keys():
            waiting.add(trade.settlement_seq, legs)


def _places_of_undone(store: Store) -> set[Place]:
    """Return where trades that were undone before they were posted would have brought something."""
    rows = store.all(
        f"SELECT {TRADE_COLUMNS} FROM trades WHERE state <> 'settled' AND state = 'busted'"
        " AND posted_seq = 0"
    )
    trades = [Trade(*row) for row in rows]
    return {
        place
        for trade in trades
        for place, amount in at_places(trade_legs(trade)).items()
        if amount > 0
    }


def _chain(store: Store, waiting: Waiting, place: Place) -> str:
    """Return the trades and records that take something there, in their order."""
    names = []
    for seq in waiting.takers(place):
        trade_id = store.find("trades", "trade_id", settlement_seq=seq)
        names.append(f"record {seq}" if trade_id is None else f"trade {trade_id}")
    return ", ".join(names)
