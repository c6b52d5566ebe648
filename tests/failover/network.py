"""A network of one's own: a namespace for each node, and a router between them that can cut.

All of it is in namespaces of this process (network, mounts, processes), so nothing is left on the
machine when it ends, however it ends. A cut is a rule of the router: what comes from one address
and is for another is dropped without a word, as on a broken line, in one direction or in both.
"""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PRIVATE = "CEA_FAILOVER_PRIVATE"
"""Set in the process that is in namespaces of its own."""
ANYBODY = ""
PREFERENCE_FIRST = 1_000
"""Of the first rule that cuts: before those of the system that find a way."""


def can_be_private() -> bool:
    """Whether this user may have namespaces of his own."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    tried = subprocess.run(
        [*_unshare(), "ip", "link", "add", "name", "tried", "type", "veth"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def enter(arguments: Sequence[str]) -> None:
    """Run this module's program anew in namespaces of its own; does not return."""
    os.environ[PRIVATE] = "1"
    # The first process takes in those whose parents were killed, and a shell sees them off.
    command = [*_unshare(), "sh", "-c", '"$@"; exit $?', "sh", sys.executable, *arguments]
    os.execvp(command[0], command)


def _unshare() -> list[str]:
    own = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    return ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), *own]


class Network:
    """The router, and the nodes' namespaces; in the process that `enter` began."""

    def __init__(self) -> None:
        self._hosts: dict[str, str] = {}
        self._cuts: Counter[str] = Counter()
        self._preferences: dict[str, int] = {}
        Path("/run/netns").mkdir(exist_ok=True)
        _run("mount -t tmpfs tmpfs /run/netns")
        _run("ip link set lo up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def add(self, name: str) -> str:
        """Make a node's namespace; return its address."""
        number = len(self._hosts) + 1
        host, router = f"10.99.{number}.2", f"10.99.{number}.1"
        _run(f"ip netns add {name}")
        _run(f"ip link add name to-{name} type veth peer name eth0 netns {name}")
        _run(f"ip addr add {router}/30 dev to-{name}")
        _run(f"ip link set to-{name} up")
        for each in (
            "link set lo up",
            f"addr add {host}/30 dev eth0",
            "link set eth0 up",
            f"route add default via {router}",
        ):
            _run(f"ip -n {name} {each}")
        self._hosts[name] = host
        return host

    def router(self, name: str) -> str:
        """Return the router's address towards a node: that of whoever is not cut off."""
        return self._hosts[name].rpartition(".")[0] + ".1"

    def command(self, name: str, command: list[str]) -> list[str]:
        """Return the command that runs another in a node's namespace, as the same process."""
        return ["ip", "netns", "exec", name, *command]

    def cut(self, source: str, target: str) -> None:
        """Let nothing pass from one node to another; `ANYBODY` is every node."""
        rule = self._rule(source, target)
        self._cuts[rule] += 1
        if self._cuts[rule] == 1:
            _run(f"ip rule add pref {self._preference(rule)} {rule}")

    def heal(self, source: str, target: str) -> None:
        """Let it pass again, unless it was cut twice."""
        rule = self._rule(source, target)
        self._cuts[rule] -= 1
        if not self._cuts[rule]:
            # By its number: by its words, a rule for all targets may be that for one of them.
            _run(f"ip rule del pref {self._preference(rule)}")

    def _preference(self, rule: str) -> int:
        return self._preferences.setdefault(rule, PREFERENCE_FIRST + len(self._preferences))

    def _rule(self, source: str, target: str) -> str:
        of = f"from {self._hosts[source]} " if source != ANYBODY else ""
        to = f"to {self._hosts[target]} " if target != ANYBODY else ""
        return f"{of}{to}blackhole"


def _run(line: str) -> None:
    done = subprocess.run(line.split(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{line}: expected it to be done, got {done.stderr.strip()}")
