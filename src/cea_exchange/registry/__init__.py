"""Hold accounts and settle trades, delivery versus payment. Nothing about books.

    from cea_exchange.registry import Registry

`Registry` is the registry without a daemon, on its database; it needs no socket.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry

__all__ = ["Registry"]


def __getattr__(name: str) -> Any:
    # Who needs the ledger's arithmetic only gets no database with it.
    if name != "Registry":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cea_exchange.registry.acts import Registry

    return Registry
