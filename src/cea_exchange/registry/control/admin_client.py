"""Ask a running registry something over its admin socket."""

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.control.admin_client import AdminClient

REGISTRY = AdminClient("registry", RegistryRefusal)
registry_ask = REGISTRY.ask
