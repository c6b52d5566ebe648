"""The ledger's two database nodes, and the person who operates them by contrib/failover.md.

    primary  --WAL, synchronous-->  standby        each in its namespace, on its file system
       |                               |
     gone: off, or its port closed   `cea-exchange registry standby promote`
       +---- rewound, or copied anew --+--> its standby

Who is gone for a moment is waited for: the ledger stands still, and nothing is lost by it.
"""

import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from cea_exchange.loadtest.local_exchange import PROGRAM
from failover.faults import CUTS_OFF, DATABASES, Fault
from failover.network import ANYBODY, Network
from support.institution.postgres_pair import PostgresNode, PostgresPair, ServerPlace

PATIENCE_S = 1.5
"""Who is frozen or cut off for longer is replaced; the operator learns of it then."""
OLD_PRIMARY_S = 1.0
"""So long one that was replaced is back, and takes writes, before it is made a standby."""
OPERATE_S_MAX = 120.0
OPERATOR_LOG = "operator.log"


def can_be_there() -> bool:
    """Whether a server may run as another user than this one, as each must where this is root."""
    # Of each range of users in these namespaces: its first, which it is outside, how many.
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return os.getuid() == 0 and sum(int(count) for _, _, count in ranges) > 1


class OperatorFailed(RuntimeError):
    """What the page tells an operator to do did not go as the page says."""


class Databases:
    """Two servers, of which one follows the other.

    Parameters
    ----------
    data
        The registry's data folder, where the operator works.
    network, hosts
        Where each has a namespace, and its address there.
    places
        By node, where it keeps its files: each on a file system of its own.

    Attributes
    ----------
    promoted
        How often the standby was promoted.
    copied
        How often the primary of before could not be rewound, and was copied anew.
    """

    def __init__(
        self, data: Path, network: Network, hosts: dict[str, str], places: dict[str, Path]
    ) -> None:
        self._data = data
        self._network = network
        self._pair = PostgresPair(
            *(
                ServerPlace(
                    name,
                    data=places[name] / "data",
                    log=data / f"{name}.log",
                    host=hosts[name],
                    launch=network.command,
                )
                for name in DATABASES
            )
        )
        names = ", ".join(f'"{name}"' for name in DATABASES)
        self._pair.commits_wait(f"ANY 1 ({names})")
        self._nodes = dict(zip(DATABASES, self._pair.nodes, strict=True))
        self._is_replaced = False
        self.promoted = self.copied = 0

    @property
    def address(self) -> str:
        """Of the ledger, on whichever is the primary."""
        return self._pair.address

    @property
    def standby_address(self) -> str:
        """Of the ledger, on the standby, for who reads."""
        return self._pair.standby_address

    @property
    def primary(self) -> str:
        """The name of the one that takes writes."""
        return self._pair.primary.name

    def is_well(self) -> bool:
        """Whether both are there, and the standby follows."""
        try:
            return self._pair.is_streaming
        except psycopg.Error:
            return False

    def close(self) -> None:
        """End both for good."""
        self._pair.close()

    # -- What meets them ---------------------------------------------------------------------------

    def is_running(self, name: str) -> bool:
        """Whether a server is there."""
        return self._nodes[name].is_running

    def process_ids(self, name: str) -> list[int]:
        """Return a server's process, and those that it has started."""
        return self._nodes[name].process_ids

    def begin(self, name: str) -> None:
        """Start a server that does not run, as what it is by now."""
        node = self._nodes[name]
        if self._is_replaced and node is self._pair.standby:
            self._make_standby(node)
        if not node.is_running:
            node.begin(self._other(node))

    def kill(self, name: str) -> None:
        """End a server with SIGKILL; it may be frozen."""
        self._nodes[name].kill()

    def freeze(self, name: str) -> None:
        """Stop a server where it stands, until `thaw`."""
        self._nodes[name].freeze()

    def thaw(self, name: str) -> None:
        """Let a frozen server go on, if it was not killed meanwhile."""
        if self.is_running(name):
            self._nodes[name].thaw()

    # -- What the operator does --------------------------------------------------------------------

    def operate(self, name: str, fault: Fault, end: Callable[[], None]) -> None:
        """End a fault and what it has brought about; both are there then, or come by themselves.

        Parameters
        ----------
        end
            Ends the fault alone.
        """
        is_long = fault.lasts_s > PATIENCE_S
        if name == self.primary:
            if is_long and fault.kind == "freeze":
                self.kill(name)
            if not self.is_running(name):
                self._promote()
            elif is_long and fault.kind in CUTS_OFF:
                self._replace_cut_off(name)
        end()
        self.begin(name)

    def roll(self) -> None:
        """Stop the standby and start it, then change places: the page's drill."""
        standby = self._pair.standby
        standby.stop()
        standby.start(self._pair.primary)
        self._pair.streaming_await()
        self._standby("show")
        old = self._pair.primary
        old.stop()
        if not self._promote():
            raise OperatorFailed("in the drill, the standby was not promoted")
        self.begin(old.name)
        self._pair.streaming_await()
        self._standby("show")

    def _replace_cut_off(self, name: str) -> None:
        """Close the port of a primary, which goes on behind it, and promote the other."""
        lines = ((name, ANYBODY), (ANYBODY, name))
        for line in lines:
            self._network.cut(*line)
        self._promote()
        for line in lines:
            self._network.heal(*line)

    def _promote(self) -> bool:
        """Promote the standby where it can take over; else the primary is all that there is."""
        if not self._standby("promote", self._pair.standby.host, may_fail=True):
            return False
        self._pair.places_change()
        self._is_replaced = True
        self.promoted += 1
        return True

    def _make_standby(self, node: PostgresNode) -> None:
        # The next rewind reads from here on; the server's own checkpoint takes minutes.
        self._pair.primary.asked("CHECKPOINT")
        if node.is_running:
            time.sleep(OLD_PRIMARY_S)
        node.kill()
        try:
            node.rewound(self._pair.primary)
        except AssertionError:
            self.copied += 1
            node.copied(self._pair.primary)
        self._is_replaced = False

    def _other(self, node: PostgresNode) -> PostgresNode:
        return self._pair.standby if node is self._pair.primary else self._pair.primary

    def _standby(self, *arguments: str, may_fail: bool = False) -> bool:
        """Give a command of `registry standby`; return whether it was done."""
        done = subprocess.run(
            [*PROGRAM, "registry", "standby", *arguments, "--data", str(self._data)],
            capture_output=True,
            text=True,
            timeout=OPERATE_S_MAX,
            check=False,
        )
        with (self._data / OPERATOR_LOG).open("a") as log:
            at = datetime.now(UTC).isoformat()
            log.write(f"{at} standby {' '.join(arguments)}: {done.returncode}\n")
            log.write(f"{done.stdout}{done.stderr}")
        if done.returncode and not may_fail:
            raise OperatorFailed(f"standby {arguments[0]}: {done.stdout}{done.stderr}")
        return not done.returncode
