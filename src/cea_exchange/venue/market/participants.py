"""Who may trade: an account whose holder may not is suspended as long as the profile says so."""

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import ActRefusal, refused

BARRED = tuple(
    holder
    for holder in get_args(control.Holder)
    if holder not in ("organisation", "natural_person")
)
"""Holders that the law keeps from trading: who supervises, keeps, runs or verifies, and their
staff."""
_KEPT_OUT: Mapping[str, tuple[str, ...]] = {
    "any": (),
    "not_barred": BARRED,
    "organisations": (*BARRED, "natural_person"),
}


def may_trade(profile: Profile, holder: control.Holder) -> bool:
    """Return whether a holder of an account takes part in a market.

    Notes
    -----
    Rules: CCER-PAR-01 (natural persons), CCER-PAR-02 (who is barred).
    """
    return holder not in _KEPT_OUT[profile.participants]


def holder_of(act: control.AccountDeclared) -> control.Holder:
    """Return who holds an account that is declared; who is not named is an organisation."""
    return act.holder or "organisation"


def judged(
    core: Any,
    profile: Profile,
    indexes: Mapping[str, int],
    holders: Mapping[str, control.Holder],
    barred: dict[str, bool],
    suspended_by_registry: Mapping[str, bool],
    suspended_by_measure: Mapping[str, bool],
) -> list[np.ndarray]:
    """Suspend accounts whose holders may not trade by a profile, restore those that may again.

    Parameters
    ----------
    indexes
        The accounts to look at.
    holders
        Who holds them, where it is no organisation.
    barred, suspended_by_registry, suspended_by_measure
        Names of the accounts that are suspended for another reason than an operator's word:
        whether for that, too. `barred` changes.

    Notes
    -----
    Rules: CCER-PAR-01, CCER-PAR-02.
    """
    parts = []
    for account, index in indexes.items():
        if not may_trade(profile, holders.get(account, "organisation")):
            if account not in barred:
                suspended = bool(core.account(index)["suspended"])
                suspended = suspended_by_measure.get(account, suspended)
                barred[account] = suspended_by_registry.get(account, suspended)
                parts.append(core.suspend(index))
        elif account in barred:
            stays_suspended = barred.pop(account) or account in suspended_by_registry
            stays_suspended |= account in suspended_by_measure
            if not stays_suspended:
                parts.append(core.restore(index))
    return parts


def reinstatement_refusal(
    account: str,
    holders: Mapping[str, control.Holder],
    barred: Mapping[str, bool],
    suspended_by_measure: Mapping[str, bool],
    suspended_by_registry: Mapping[str, bool],
) -> ActRefusal:
    """Say why no operator's suspension of an account can be lifted; None if one can.

    Notes
    -----
    Rules: CCER-PAR-01, CCER-PAR-02, CEA-ACC-03.
    """
    where = f"account {account!r}"
    if suspended_by_measure.get(account) is False:
        expected, got = "one that no measure suspends", "one that a measure does"
        return refused(VenueRefusal.SUSPENDED_BY_MEASURE, where, expected, got)
    if barred.get(account) is False:
        expected, got = "a holder that may trade here", f"a holder that may not: {holders[account]}"
        return refused(VenueRefusal.HOLDER_BARRED, where, expected, got)
    if suspended_by_registry.get(account) is False:
        expected, got = "one that an operator suspended", "one that the registry did"
        return refused(VenueRefusal.SUSPENDED_BY_REGISTRY, where, expected, got)
    return None
