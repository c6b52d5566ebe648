"""What may be asked over the control socket, all of it."""

from cea_exchange.control_plane.requests import Requests, requests_in
from cea_exchange.institution.control.request import Request
from cea_exchange.platform.control.requests import (
    allocation,
    basics,
    enforcement,
    entity_list,
    filings,
    messages,
    oversight,
    verification,
)

PLATFORM_REQUESTS: Requests[Request] = Requests(
    requests_in(
        *(basics, entity_list, filings, messages, oversight, verification),
        *(allocation, enforcement),
    )
)
