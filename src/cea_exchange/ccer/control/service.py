"""The CCER registry's service: as every institution's, with the programme's refusals."""

from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.ccer.control.request import Request
from cea_exchange.control_plane.answers import Answer
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.control.service import InstitutionService


class CcerService(InstitutionService[Request]):
    """Answers what comes over the control socket; see `InstitutionService` for the settings."""

    requests = CCER_REQUESTS

    def refusal(self, error: Exception, by: str, request: Request | None) -> Answer:
        """Return the answer to what was refused; a rule of the programme has a code as all have."""
        if isinstance(error, ProgrammeError):
            error = ActError(error.code, str(error))
        return super().refusal(error, by, request)
