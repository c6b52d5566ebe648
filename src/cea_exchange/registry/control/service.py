"""Answers what the registry is asked."""

from collections.abc import Callable
from typing import Any

from cea_exchange.institution.control.service import InstitutionService
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.registry import Registry


class RegistryService(InstitutionService[Request]):
    """Answers what comes over the control socket; see there."""

    def __init__(
        self,
        registry: Registry,
        *,
        second_person: tuple[str, ...] | None,
        proposal_s: int,
        place: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(
            registry,
            REGISTRY_REQUESTS,
            second_person=second_person,
            proposal_s=proposal_s,
            place=place,
        )
