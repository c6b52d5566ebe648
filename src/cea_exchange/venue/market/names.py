"""Resolves the names that operators give: a known account or product, or a refusal."""

from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.venue.market.state_machine import VenueStateMachine


def account_known(machine: VenueStateMachine, name: str) -> int:
    """Return an account's index; FrameError if there is none of that name."""
    index = machine.account_index(name)
    if index >= len(machine.account_names):
        raise FrameError(
            VenueRefusal.ACCOUNT_UNKNOWN, expected="an account", got=name, where="account"
        )
    return index


def product_known(machine: VenueStateMachine, name: str | None) -> None:
    """Refuse a product that there is not; None is the whole market."""
    if name is not None and machine.product_index(name) >= len(machine.product_names):
        raise FrameError(
            VenueRefusal.PRODUCT_UNKNOWN, expected="a product", got=name, where="product"
        )
