"""Names that were given, by what a reader sees, so that none is given that looks like another."""

from cea_exchange.domain.look_alikes import look_alike_keys
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.record_store import RecordStore


def look_alikes_add(store: RecordStore, kind: str, name: str) -> None:
    """Keep a name; belongs in the transaction of what bears it.

    Raises ActError: it looks like another one of its kind, that is or was in use. It does not say
    like which one: whoever asks may have no business to know.

    Rules: CEA-PER-04.

    Parameters
    ----------
    kind
        What bears the name, as ``account``.
    name
        The same again is no other one.
    """
    for folded in sorted(look_alike_keys(name)) if name else ():
        known = store.find("look_alikes", "name", kind=kind, folded=folded)
        if known is None:
            store.insert("look_alikes (kind, folded, name)", [(kind, folded, name)])
        elif known != name:
            raise ActError(
                InstitutionRefusal.NAME_LOOKS_ALIKE,
                f"{kind}: expected one that looks like no other, got {name!r} (CEA-PER-04)",
            )
