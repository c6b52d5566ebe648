"""Hold accounts and settle trades, delivery versus payment. Nothing about books.

    from cea_exchange.registry import ActError, Registry

`Registry` is the registry without a daemon, on its database; it needs no socket. `ActError` is how
it refuses an act.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cea_exchange.institution.checks import ActError
    from cea_exchange.registry.registry import Registry

__all__ = ["ActError", "Registry"]


def __getattr__(name: str) -> Any:
    # Who needs the ledger's arithmetic only gets no database with it.
    if name == "Registry":
        from cea_exchange.registry.registry import Registry

        return Registry
    if name == "ActError":
        from cea_exchange.institution.checks import ActError

        return ActError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
