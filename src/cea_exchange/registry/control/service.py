"""Answers what the registry is asked."""

from cea_exchange.institution.control.service import InstitutionService
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.control.requests.request import Request


class RegistryService(InstitutionService[Request]):
    """Answers what comes over the control socket; see there."""

    requests = REGISTRY_REQUESTS
