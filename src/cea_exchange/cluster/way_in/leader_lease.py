"""Where the leader is, by the record that it keeps in the cluster's lease."""

import threading
from collections.abc import Sequence
from pathlib import Path

import structlog

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable, UserRefused
from cea_exchange.cluster.lease import leader_read
from cea_exchange.cluster.way_in.whereabouts import Place, place_of
from cea_exchange.protocol.settings import ConfigError

LOOK_S = 0.1
"""So often it is asked for: a part of the pause that participants see."""
AGAIN_S = 1.0
FIRST_WORD_S_MAX = 3.0
"""So long a start waits for what the log's nodes say to the user."""

log = structlog.get_logger("cluster")


class LeaderLease:
    """Follows the lease, with no more right than to read it, in a thread of its own.

    Whatever the log's nodes say or leave unsaid, it tries again: whoever asks goes on with the
    place that was known last.

    Parameters
    ----------
    config
        The cluster, and who asks: a user that may read.
    data
        The folder that relative names of files are in.
    names
        Which of the leader's endpoints are of interest.

    Raises
    ------
    ConfigError
        A file of the settings is none, or the log's nodes say at once that they don't know the user
        by this secret: nothing starts. What silent nodes say later is told in the log.
    """

    def __init__(self, config: ClusterConfig, data: Path, names: Sequence[str]) -> None:
        self._config, self._data, self._names = config, data, names
        self._places: list[Place] = []
        self._why = ""
        config.files_read(data)
        self._is_closing, self._is_tried = threading.Event(), threading.Event()
        self._refused = ""
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)
        self._thread.start()
        self._is_tried.wait(FIRST_WORD_S_MAX)
        if self._refused:
            self.close()
            raise ConfigError(self._refused)

    def places(self) -> list[Place]:
        """Return where the leader is; nothing while that is not known."""
        return self._places

    def close(self) -> None:
        """Look no more."""
        self._is_closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            try:
                with LogConnection(self._config, self._data) as connection:
                    self._is_tried.set()
                    self._follow(connection)
            except UserRefused as error:
                if not self._is_tried.is_set():
                    self._refused = str(error)
                self._trouble(str(error))
            except (ClusterRefused, LogUnreachable) as error:
                self._trouble(str(error))
            except Exception as error:
                # What nobody foresaw must not leave its owner without a leader for good.
                self._trouble(repr(error))
            self._is_tried.set()
            self._is_closing.wait(AGAIN_S)

    def _follow(self, connection: LogConnection) -> None:
        while not self._is_closing.wait(LOOK_S):
            try:
                record = leader_read(connection)
            except LogUnreachable as error:
                # The connection comes back by itself, to whichever node answers.
                self._trouble(str(error))
                continue
            self._trouble("")
            if record is not None and record.endpoints:
                self._take(record.endpoints, record.epoch)

    def _take(self, endpoints: dict[str, object], epoch: int) -> None:
        if self._places and epoch < self._places[0].epoch:
            # A bucket's node that is behind, or who does not know yet that he leads no more.
            return
        try:
            places = [place_of(endpoints, self._names, epoch)]
            if places != self._places:
                self._places = places
                log.info("leader_known", epoch=epoch, address=places[0].addresses[0])
        except KeyError as error:
            # A leader without such a socket.
            self._trouble(f"epoch {epoch}: the leader's endpoints: {error}")

    def _trouble(self, why: str) -> None:
        if why and why != self._why:
            log.warning("leader_unknown", why=why)
        self._why = why
