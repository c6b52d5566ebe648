"""Proposals, decisions on them, and the record of acts."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

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
    """Proposals that wait, or with `all` every one that there was, from a number on."""

    roles = ROLES
    is_look = True
    is_scoped = False

    all: bool = False
    first: Number = 1
    count: Count = 100


class Approve(Request, tag="approve"):
    """Agree to a proposal, which is done at once."""

    roles = APPROVING
    is_scoped = False

    proposal: Number
    request_hash: str | None = None


class Reject(Request, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    roles = (OPERATOR, AUTHORITY, PROVINCE, INITIATOR, APPROVER)
    is_scoped = False

    proposal: Number
    why: str


class Acts(Request, tag="acts"):
    """What was done over this socket, from a number on."""

    roles = (OPERATOR, REGULATOR)
    is_look = True

    since: Number = 1
    count: Count = 100

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
