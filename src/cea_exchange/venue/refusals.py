"""What several parts of the market refuse with: unknown names, missing persons and reasons.

The state machine returns a refusal and raises none: whoever asks may only want to know.
"""

from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control

ActRefusal = FrameError | None
"""Why an act may not be journaled; None if it may."""


def refused(code: VenueRefusal, where: str, expected: str, got: object) -> FrameError:
    """Return a refusal; `got` is shown as it is."""
    return FrameError(code, expected=expected, got=str(got), where=where)


def refused_by_words(code: VenueRefusal, fault: str) -> FrameError:
    """Return a refusal of words such as ``where: expected ..., got ...``."""
    where, _, rest = fault.partition(": expected ")
    expected, _, got = rest.partition(", got ")
    return refused(code, where, expected, got)


def account_unknown(where: str, account: str) -> FrameError:
    """Return the refusal of an account that nobody declared."""
    return refused(VenueRefusal.ACCOUNT_UNKNOWN, where, "a declared account", repr(account))


def product_unknown(where: str, product: str) -> FrameError:
    """Return the refusal of a product that nobody declared."""
    return refused(VenueRefusal.PRODUCT_UNKNOWN, where, "a declared product", repr(product))


def not_next(where: str, following: int, number: int) -> FrameError:
    """Return the refusal of a number that is not the next."""
    return refused(VenueRefusal.NOT_NEXT, where, f"number {following}", number)


def persons_refusal(where: str, act: control.ActOfTwo) -> ActRefusal:
    """Refuse an act without two persons who agree on it."""
    if not act.by or not act.second or act.by == act.second:
        got = f"{act.by!r} and {act.second!r}"
        return refused(VenueRefusal.SAME_PERSON, where, "two persons", got)
    return None


def reason_refusal(where: str, act: control.Act) -> ActRefusal:
    """Refuse an act without a reason."""
    if not act.why.strip():
        return refused(VenueRefusal.WHY_MISSING, where, "a reason", "none")
    return None
