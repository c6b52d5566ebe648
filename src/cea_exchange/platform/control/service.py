"""The platform's service: as every institution's, with services that know who asks."""

from typing import Any

from cea_exchange.institution.control.request import Request
from cea_exchange.institution.control.service import InstitutionService
from cea_exchange.institution.persons import Person
from cea_exchange.platform.control.admin import PLATFORM_REQUESTS
from cea_exchange.platform.platform import Platform


class PlatformService(InstitutionService[Request]):
    """Answers what comes over the control socket; see `InstitutionService` for the settings."""

    requests = PLATFORM_REQUESTS
    services: Platform

    def act(self, person: Person, request: Request) -> dict[str, Any]:
        """Do what is asked, or keep it for a second person, in the name of who asks."""
        with self.services.asked_by(person):
            return super().act(person, request)

    def _done(self, person: Person, request: Request, **second: Any) -> dict[str, Any]:
        # What was proposed is done in the name of its proposer, whoever approves it.
        with self.services.asked_by(person):
            return super()._done(person, request, **second)
