"""Runs a daemon: its sockets and who may connect, its loop, its heartbeat for systemd, its end.

    host = DaemonHost(keys, log)
    host.socket("replay", zmq.ROUTER, address, allowed)     every socket has CURVE and an allow-list
    host.endpoints_write(path, pid=...)                     where others find it, once all is ready
    host.run(turn)                                          until `stop`; `monitor` in each turn
    host.close()

It knows nothing of what the daemon does: that takes messages and the time, and gives answers.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import zmq

from cea_exchange.control_plane.door import HIGH_WATER_MARK, Door
from cea_exchange.control_plane.fronts.fronts import DoorLimits, FrontDoor, Fronts
from cea_exchange.protocol.pulse import Pulse
from cea_exchange.protocol.security import (
    AllowList,
    CurveKeys,
    SecurityError,
    StrangerTest,
    server_socket,
)

CLOSE_LINGER_MS = 200
"""So long what was said last may take to leave."""


class DaemonHost:
    """The outside of one daemon.

    Parameters
    ----------
    keys
        The daemon's.
    log
        Its logger.

    Attributes
    ----------
    endpoints : dict
        Where it listens, by name.
    poller : zmq.Poller
        Wakes up when something has come to a ROUTER or from a front.
    is_stopping : bool
        Whether `run` returns after the turn it is in.
    """

    def __init__(self, keys: CurveKeys, log: Any) -> None:
        self.keys = keys
        self._log = log
        self.context = zmq.Context()
        self.allow_list = AllowList(self.context)
        self.stranger_test = StrangerTest(keys.public)
        self.pulse = Pulse()
        self.poller = zmq.Poller()
        self.endpoints: dict[str, str] = {}
        self.fronts: Fronts | None = None
        self.is_stopping = False
        self._doors: list[Door] = []

    # -- sockets ----------------------------------------------------------------------------------

    def socket(
        self,
        name: str,
        kind: int,
        address: str,
        allowed: Callable[[str], bool],
        *,
        is_for_all: bool = False,
        domain: str = "",
        **limits: int,
    ) -> zmq.Socket:
        """Bind a CURVE server for some keys, and prove that strangers are refused.

        Parameters
        ----------
        is_for_all
            Whether strangers may come: nothing is proved then.
        domain
            Of the allow-list; the name if left out.
        limits
            See `server_socket`.

        Raises
        ------
        SecurityError
            The address can't be had, or a stranger was let in.
        """
        domain = domain or name
        self.allow_list.allow(domain, allowed)
        opened, self.endpoints[name] = server_socket(
            self.allow_list,
            self.context,
            kind,
            domain=domain,
            keys=self.keys,
            address=address,
            **limits,
        )
        if kind == zmq.ROUTER:
            # Without it an answer to who does not read would be lost in silence.
            opened.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self.poller.register(opened, zmq.POLLIN)
        if not is_for_all:
            self.stranger_test.add(self.endpoints[name], kind)
        return opened

    def door(
        self,
        name: str,
        address: str,
        allowed: Callable[[str], bool],
        message_bytes_max: int,
        *,
        domain: str = "",
    ) -> Door:
        """Open a ROUTER whose connections are bounded in bytes; see `Door`."""
        opened = self.socket(
            *(name, zmq.ROUTER, address, allowed),
            domain=domain,
            high_water_mark=HIGH_WATER_MARK,
            message_bytes_max=message_bytes_max,
        )
        self._doors.append(Door(opened, name, message_bytes_max, tell=self._log.warning))
        return self._doors[-1]

    def fronts_open(
        self,
        doors: Mapping[str, tuple[str, DoorLimits]],
        *,
        count: int,
        memory_mib_max: int,
    ) -> Fronts:
        """Let others come to processes of their own; see `Fronts`."""
        self.fronts = Fronts(
            self.keys,
            dict(doors),
            count=count,
            memory_mib_max=memory_mib_max,
            stranger=self.stranger_test.key,
            poller=self.poller,
        )
        return self.fronts

    def fronts_prove(self) -> None:
        """Note where the fronts' doors are, and prove of each that strangers are refused."""
        for name, door in self._front_doors().items():
            self.endpoints[name] = door.endpoint
            self.stranger_test.add(door.endpoint, zmq.ROUTER)

    def _front_doors(self) -> dict[str, FrontDoor]:
        assert self.fronts is not None
        self.fronts.flush()
        return self.fronts.doors

    def endpoints_write(self, path: Path, **more: Any) -> None:
        """Say where it listens, whole or not at all, once everything is ready."""
        self.endpoints_draft(path, **more).replace(path)

    def endpoints_draft(self, path: Path, **more: Any) -> Path:
        """Write where it listens beside the path; what is there counts once it is moved there.

        A daemon logs that it is ready in between: on a full disk it is not, and whoever waits for
        the endpoints finds the line in the log.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".json.new")
        text = json.dumps({**self.endpoints, **more}, indent=1)
        try:
            draft.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            # A write that fails on a full disk names no file.
            raise OSError(error.errno, error.strerror, str(draft)) from error
        return draft

    # -- the loop ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let `run` return after the turn it is in. Safe in a signal handler."""
        self.is_stopping = True

    def run(self, turn: Callable[[], None]) -> None:
        """Take turns until `stop`; whatever one raises ends the daemon."""
        while not self.is_stopping:
            turn()

    def monitor(self, now_s: float) -> None:
        """Look whether strangers are still refused, and tell of keys that were.

        Raises
        ------
        SecurityError
            The handler of the allow-list died, or a stranger was admitted; better to end.
        """
        if not self.allow_list.is_running:
            raise SecurityError("allow-list: its handler has stopped")
        trouble = self.stranger_test.turn(now_s)
        if trouble is not None:
            self._log.warning("stranger_test", error=str(trouble))
        refused = self.allow_list.refused_news(now_s)
        if refused is not None:
            self._log.warning("key_refused", **refused)

    def close(self) -> None:
        """Close the sockets; what was said last still goes out."""
        self.pulse.close()
        self.stranger_test.close()
        for door in self._doors:
            door.close()
        self.allow_list.close()
        self.context.destroy(linger=CLOSE_LINGER_MS)
        if self.fronts is not None:
            self.fronts.close()
