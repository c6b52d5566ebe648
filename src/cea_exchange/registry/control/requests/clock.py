"""Requests about the registry's clock, and the days it counts its terms by."""

from cea_exchange.institution.control import requests
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import OPERATOR, ROLES


class ClockMove(requests.ClockMove, Request, tag="clock_move"):
    """Move a manual clock; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN


class ClockConfirm(requests.ClockConfirm, Request, tag="clock_confirm"):
    """Say that the system's clock is right, which `registry status` says is doubted.

    A second person has to approve it.
    """

    roles = (OPERATOR,)
    second = Second.OWN


class CalendarLoad(requests.CalendarLoad, Request, tag="calendar_load"):
    """Load the working days of the next year from a file; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN


class CalendarShow(requests.CalendarShow, Request, tag="calendar_show"):
    """Print how far the working days are known: a term that ends later has no last day yet."""

    roles = ROLES
