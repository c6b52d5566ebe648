"""Who sees the control room, and who may act in it."""

from cea_exchange.screens.access import Rights

LOOKERS = ("operator", "regulator")
SYSTEMS_SHOWN = ("venue", "registry")


def looks(rights: Rights) -> bool:
    """Whether somebody sees the control room."""
    return any(rights.role(system) in LOOKERS for system in SYSTEMS_SHOWN)


def looks_at(system: str, rights: Rights) -> bool:
    """Whether somebody sees what concerns one of the two."""
    return rights.role(system) in LOOKERS


def acts_at(system: str, rights: Rights) -> bool:
    """Whether somebody may act there; the daemon decides, this only says what is offered."""
    return rights.role(system) == "operator"
