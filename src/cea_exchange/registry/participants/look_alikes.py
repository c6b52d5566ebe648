"""Names that were given, by what a reader sees, so that none is given that looks like another."""

from cea_exchange.domain.look_alikes import look_alike_keys
from cea_exchange.institution.look_alikes import look_alike_refuse
from cea_exchange.ledger.store import Store


def look_alikes_add(store: Store, kind: str, name: str) -> None:
    """Keep a name; belongs in the transaction of what bears it.

    Raises ActError: it looks like another one of its kind, that is or was in use.

    Rules: CEA-PER-04.

    Parameters
    ----------
    kind
        ``account``, ``entity``, ``group`` or ``product``.
    name
        The same again is no other one.
    """
    for folded in sorted(look_alike_keys(name)) if name else ():
        known = store.find("look_alikes", "name", kind=kind, folded=folded)
        if known is None:
            store.insert("look_alikes (kind, folded, name)", [(kind, folded, name)])
        elif known != name:
            look_alike_refuse(kind, name)
