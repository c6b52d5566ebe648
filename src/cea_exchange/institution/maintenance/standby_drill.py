"""The drill of a ledger's servers: a primary that is stopped and its standby change places.

    look      the standby could take over, and would lose nothing
    stopped   the operator has stopped the primary: nobody listens, so it has sent all that it has
    promoted  the standby takes writes
    follows   the operator has made the primary of before its standby, which could take over again
"""

import time
from collections.abc import Callable
from typing import Literal

import msgspec

from cea_exchange.institution.maintenance.standby import Servers
from cea_exchange.ledger.database.server import Server
from cea_exchange.ledger.record_store import StoreError

LOOKS_PER_S = 5

Step = Literal["stopped", "promoted", "follows"]
Progress = Callable[[Step, str, float], None]
"""Called with a step that is done, whose it was, and the seconds since the step before."""


class DrillReport(msgspec.Struct, frozen=True, kw_only=True):
    """The two servers of a drill, and how long each step took.

    Attributes
    ----------
    stopped
        The primary of before.
    promoted
        The primary of now, as it answered then.
    stop_s, promote_s, follow_s
        Until the primary was off; from then on until the other took writes; and from then on until
        the one of before could take over again. Nothing could be written from somewhere in the
        first of the three until the end of the second.
    """

    stopped: str
    promoted: Server
    stop_s: float
    promote_s: float
    follow_s: float


def drill(
    servers: Servers,
    server: str,
    *,
    stop: Callable[[str], None],
    follow: Callable[[str], None],
    wait_s: float,
    progress: Progress,
) -> DrillReport:
    """Let a standby and its primary change places.

    Parameters
    ----------
    server
        The standby.
    stop, follow
        Called with the primary of before: it is to be stopped, and to be made the other's standby.
        Either may return before it is done.
    wait_s
        For how long each is waited for after that.

    Raises
    ------
    StoreError
        It can't take over without a loss, or something did not happen in its time.
    """
    report = servers.look()
    if server not in report.ready:
        ready = ", ".join(report.ready)
        raise StoreError(
            f"{server}: expected a standby that could take over without a loss,"
            f" got {ready or 'none that could'}"
        )
    (old,) = (each.server for each in report.servers if each.role == "primary")
    asked_s = time.monotonic()
    stop(old)
    _await(
        lambda: not servers.listens(old),
        wait_s,
        f"{old}: expected to be stopped within {wait_s:g} s, it still listens: {server} was not"
        " promoted",
    )
    stopped_s = time.monotonic()
    progress("stopped", old, stopped_s - asked_s)
    promoted = servers.promote(server)
    promoted_s = time.monotonic()
    progress("promoted", server, promoted_s - stopped_s)
    follow(old)
    _await(
        lambda: old in servers.look().ready,
        wait_s,
        f"{old}: expected to follow {server} within {wait_s:g} s, it does not: no commit has a"
        " second copy there",
    )
    follow_s = time.monotonic() - promoted_s
    progress("follows", old, follow_s)
    return DrillReport(
        stopped=old,
        promoted=promoted,
        stop_s=round(stopped_s - asked_s, 2),
        promote_s=round(promoted_s - stopped_s, 2),
        follow_s=round(follow_s, 2),
    )


def _await(is_so: Callable[[], bool], wait_s: float, otherwise: str) -> None:
    until_s = time.monotonic() + wait_s
    while not is_so():
        if time.monotonic() > until_s:
            raise StoreError(otherwise)
        time.sleep(1 / LOOKS_PER_S)
