"""An exchange and registry for China's carbon allowances: the embedding API.

    from cea_exchange import Market, OrderBook, Side

`Market` is a whole market with accounts, money and the trading day; `OrderBook` one product's book
in integers; `clear_auction` awards an auction on its own; `events_table` makes a table of events,
`cea_exchange.plots` draws them. Nothing here opens a socket, a database
or a file; daemons, clients and commands live in `cea_exchange.venue`, `.registry`, `.client` and
`.cli`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from cea_exchange._book import OrderBook
    from cea_exchange.core.award import award_arrays
    from cea_exchange.domain.profile import Profile, load_profile
    from cea_exchange.domain.records import (
        ACCOUNT_NONE,
        CHECKPOINT_DTYPE,
        COMMAND_DTYPE,
        DAY_CLOSED_DTYPE,
        EVENT_DTYPE,
        LEVEL_DTYPE,
        MARKET_DATA_DTYPE,
        ORDER_DTYPE,
        PRODUCT_NONE,
        CommandKind,
        EventKind,
        Method,
        Operation,
        OrderFlag,
        Phase,
        Reason,
        Side,
        Tif,
    )
    from cea_exchange.matching.auction import AuctionBid, AuctionResult, clear_auction
    from cea_exchange.matching.award import AwardRules
    from cea_exchange.matching.event_tables import EventsTable, events_table
    from cea_exchange.matching.market import Market
    from cea_exchange.matching.tables import to_arrow, to_pandas, to_polars

__all__ = [
    "ACCOUNT_NONE",
    "CHECKPOINT_DTYPE",
    "COMMAND_DTYPE",
    "DAY_CLOSED_DTYPE",
    "EVENT_DTYPE",
    "LEVEL_DTYPE",
    "MARKET_DATA_DTYPE",
    "ORDER_DTYPE",
    "PRODUCT_NONE",
    "AuctionBid",
    "AuctionResult",
    "AwardRules",
    "CommandKind",
    "EventKind",
    "EventsTable",
    "Market",
    "Method",
    "Operation",
    "OrderBook",
    "OrderFlag",
    "Phase",
    "Profile",
    "Reason",
    "Side",
    "Tif",
    "__version__",
    "award_arrays",
    "clear_auction",
    "events_table",
    "load_profile",
    "to_arrow",
    "to_pandas",
    "to_polars",
]

# Loaded at first use: a command that needs no market starts without one, and the reference market
# runs where nothing is compiled.
_HOMES = {
    "AuctionBid": "cea_exchange.matching.auction",
    "AuctionResult": "cea_exchange.matching.auction",
    "AwardRules": "cea_exchange.matching.award",
    "EventsTable": "cea_exchange.matching.event_tables",
    "Market": "cea_exchange.matching.market",
    "OrderBook": "cea_exchange._book",
    "Profile": "cea_exchange.domain.profile",
    "award_arrays": "cea_exchange.core.award",
    "clear_auction": "cea_exchange.matching.auction",
    "events_table": "cea_exchange.matching.event_tables",
    "load_profile": "cea_exchange.domain.profile",
    "to_arrow": "cea_exchange.matching.tables",
    "to_pandas": "cea_exchange.matching.tables",
    "to_polars": "cea_exchange.matching.tables",
}


if not TYPE_CHECKING:
    # A type checker would take any name for one of this module's.
    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name == "__version__":
            value = globals()[name] = _version()
            return value
        value = getattr(import_module(_HOMES.get(name, "cea_exchange.domain.records")), name)
        globals()[name] = value
        return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cea-exchange")
    except PackageNotFoundError:
        # The source tree without an installation: it has no version to speak of.
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
