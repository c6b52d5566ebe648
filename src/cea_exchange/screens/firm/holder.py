"""The account at the registry and the enterprise at the platform of a firm's person."""

from cea_exchange.screens.access import Rights

REPRESENTATIVES = ("initiator", "approver")
FILING = ("preparer", "reviewer", "signatory")


def account_of(rights: Rights) -> str:
    """Return the account that somebody represents; empty if none."""
    return _name(rights, "registry", "account")


def enterprise_of(rights: Rights) -> str:
    """Return the enterprise that somebody files for; empty if none."""
    return _name(rights, "platform", "enterprise")


def _name(rights: Rights, system: str, kind: str) -> str:
    seat = rights.seat(system)
    found, _, name = seat.body.partition(" ") if seat else ("", "", "")
    return name if found == kind else ""


def represents(rights: Rights) -> bool:
    """Whether somebody speaks for an account at the registry."""
    return rights.role("registry") in REPRESENTATIVES and account_of(rights) != ""


def files(rights: Rights) -> bool:
    """Whether somebody files for an enterprise at the platform."""
    return rights.role("platform") in FILING and enterprise_of(rights) != ""
