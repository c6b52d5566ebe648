"""Operators' requests to a venue: each act becomes one journaled command with who and why.

Knows the market's commands, and no socket.
"""

from cea_exchange.control_plane.requests import Requests, requests_in
from cea_exchange.venue.requests import (
    accounts,
    adjustment,
    biddings,
    cases,
    daily,
    looks,
    measures,
    second,
)
from cea_exchange.venue.requests.base import AdminRequest

VENUE_REQUESTS: Requests[AdminRequest] = Requests(
    requests_in(looks, daily, accounts, biddings, second, measures, cases, adjustment)
)
