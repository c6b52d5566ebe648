"""Why a daemon refuses a request: one closed list of codes each, from `refusals.toml`."""

from cea_exchange.domain.refusals.bank import BankRefusal
from cea_exchange.domain.refusals.ccer import CcerRefusal
from cea_exchange.domain.refusals.institution import InstitutionRefusal
from cea_exchange.domain.refusals.platform import PlatformRefusal
from cea_exchange.domain.refusals.registry import RegistryRefusal
from cea_exchange.domain.refusals.venue import VenueRefusal

__all__ = [
    "BankRefusal",
    "CcerRefusal",
    "InstitutionRefusal",
    "PlatformRefusal",
    "RegistryRefusal",
    "VenueRefusal",
]
