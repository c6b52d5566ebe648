"""Requests about proposals, decisions on them, and the record of acts."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.registry.control.requests.fields import Why
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.paging import message_shown, page_read
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

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry

COUNT_MAX = 1_000
"""Rows in one answer; the rest is asked for from the next number on."""

Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Count = Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)]


class Proposals(Request, tag="proposals"):
    """Print the proposals that wait for a second person."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "proposal list"
    example = "proposal list --key bo"

    all: Annotated[bool, field("Decided and expired ones too.", name="--all")] = False
    first: Annotated[Number, field("The first number.")] = 1
    count: Annotated[Count, field("How many at most.")] = 100


class Approve(Request, tag="approve"):
    """Agree to a proposal of another person; it is done at once."""

    roles = APPROVING
    is_scoped = False
    command = "proposal approve"
    example = "proposal approve 12 --key bo"

    proposal: Annotated[Number, field("The proposal's number.", name="number")]
    request_hash: Annotated[
        str | None, field("What was seen (request_hash): another one is refused.", name="--hash")
    ] = None


class Reject(Request, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    roles = (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER)
    is_scoped = False
    command = "proposal reject"
    example = 'proposal reject 12 --why "wrong account" --key bo'

    proposal: Annotated[Number, field("The proposal's number.", name="number")]
    why: Why


class Acts(Request, tag="acts"):
    """Print what was done over the control socket, and by whom."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    command = "act list"
    example = "act list --since 1000 --json"

    since: Annotated[Number, field("The first act's number.")] = 1
    count: Annotated[Count, field("How many at most.")] = 100

    def act(self, registry: "Registry") -> dict[str, Any]:
        acts = registry.act_log.since(self.since, self.count + 1)
        shown = (
            (
                act._asdict()
                | {"request": message_shown(act.request), "answer": message_shown(act.answer)},
                len(act.request) + len(act.answer),
            )
            for act in acts
        )
        found, further = page_read(shown, self.count, "act_id")
        return {"acts": found, "next": further}
