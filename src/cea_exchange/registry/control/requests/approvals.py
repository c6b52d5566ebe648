"""Requests about proposals, decisions on them, and the record of acts."""

from cea_exchange.institution.control import requests
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import (
    APPROVER,
    APPROVING,
    AUTHORITY,
    INITIATOR,
    OPERATOR,
    PROVINCE,
    REGULATOR,
    ROLES,
)


class Proposals(requests.Proposals, Request, tag="proposals"):
    """Print the proposals that wait for a second person."""

    roles = ROLES


class Approve(requests.Approve, Request, tag="approve"):
    """Agree to a proposal of another person; it is done at once."""

    roles = APPROVING


class Reject(requests.Reject, Request, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    roles = (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER)


class Acts(requests.Acts, Request, tag="acts"):
    """Print what was done over the control socket, and by whom."""

    roles = (OPERATOR, REGULATOR)
