"""What may be asked over the control socket, all of it; see `service` for how it is answered."""

from cea_exchange.control_plane.requests import Requests, requests_in
from cea_exchange.institution.control import request, requests
from cea_exchange.registry.control.requests import (
    accounts,
    approvals,
    basics,
    clock,
    distribution,
    enforcement,
    persons,
    views,
)
from cea_exchange.registry.control.requests.compliance import (
    carryover,
    duties,
    obligation,
    offset,
    surrender,
)
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.control.requests.settlement import (
    adjustment,
    bank,
    claims,
    defaults,
    statements,
)
from cea_exchange.registry.participants.roles import OFFICIALS, OPERATOR


class Status(requests.Status, Request, tag="status"):
    """How far the registry is."""

    roles = OFFICIALS


class Stop(requests.Stop, Request, tag="stop"):
    """End the daemon."""

    roles = (OPERATOR,)


REGISTRY_REQUESTS: Requests[Request] = Requests(
    (
        Status,
        Stop,
        *requests_in(
            accounts,
            adjustment,
            approvals,
            bank,
            basics,
            carryover,
            claims,
            clock,
            defaults,
            distribution,
            duties,
            enforcement,
            obligation,
            offset,
            persons,
            statements,
            surrender,
            views,
        ),
    )
)
MAY = REGISTRY_REQUESTS.roles()
"""By op who may ask it; what is not in it nobody may."""
SECOND = {op: each.second for op, each in REGISTRY_REQUESTS.by_op.items() if each.second}
"""By op whose second person approves it."""


def request_decode(payload: bytes) -> Request:
    """Return the request in a message; ActError if it is none, see `Requests.decode`."""
    return request.request_decode(REGISTRY_REQUESTS, payload)
