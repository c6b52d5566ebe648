"""What may be asked over the control socket, all of it."""

from cea_exchange.ccer.control.request import Request
from cea_exchange.ccer.control.requests import (
    accounts,
    basics,
    batches,
    cancellations,
    enforcement,
    lots,
    market,
    projects,
    vvbs,
)
from cea_exchange.control_plane.requests import Requests, requests_in

CCER_REQUESTS: Requests[Request] = Requests(
    requests_in(basics, accounts, vvbs, projects, batches, lots, cancellations, enforcement, market)
)
