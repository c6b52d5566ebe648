"""The registry's socket towards an institution, and where the institution says it leads."""

from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
import zmq

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.registry.institution_link.setting import LinkSetting

ENDPOINTS_BYTES_MAX = 64 * 1024

log = structlog.get_logger()


class InstitutionLine:
    """The socket towards an institution, which may come, go and move.

    Parameters
    ----------
    setting
        Which institution, and where it may be.
    server_key
        Its public key.
    data
        The registry's data folder.
    """

    def __init__(
        self,
        context: zmq.Context,
        keys: CurveKeys,
        setting: LinkSetting,
        server_key: str,
        data: Path,
    ) -> None:
        self._context = context
        self._keys = keys
        self._setting = setting
        self._server_key = server_key
        self._file = setting.endpoints_file(data)
        self._endpoint: str | None = None
        self._nowhere: str | None = None
        self.dealer: zmq.Socket | None = None

    def look(self) -> bool | None:
        """Connect to where the institution is, which may have changed with its restart.

        Returns whether there is a connection, where that has changed; None: nothing has. What is no
        address is tried once.
        """
        where = self._setting.link or link_endpoint_read(self._file)
        if where is None or where in (self._endpoint, self._nowhere):
            return None
        self.close()
        try:
            self._endpoint = where
            self.renew()
        except (zmq.ZMQError, ValueError) as error:
            self.close()
            self._nowhere = where
            fields = {"institution": self._setting.institution, "link": where}
            log.warning("link_unreachable", **fields, error=str(error))
            return False
        self._nowhere = None
        log.info("link_connected", institution=self._setting.institution, link=where)
        return True

    def renew(self) -> None:
        """A fresh socket: no question that was not sent, no answer that came too late."""
        if self._endpoint is None:
            return
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = client_socket(
            self._context, zmq.DEALER, keys=self._keys, server_key=self._server_key
        )
        self.dealer.connect(self._endpoint)

    def ask(self, question: bytes) -> None:
        """Send a question; where that can't be, the wait for its answer leads to a fresh socket."""
        if self.dealer is not None:
            with suppress(zmq.Again):
                self.dealer.send(question, zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket."""
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = self._endpoint = None


class _LinkEndpoints(msgspec.Struct, frozen=True):
    """What an institution writes of where it listens; the rest is for others."""

    link: str


def link_endpoint_read(path: Path) -> str | None:
    """Return an institution's door for the registry, None while it has not said it."""
    try:
        with path.open("rb") as file:
            content = file.read(ENDPOINTS_BYTES_MAX)
        return msgspec.json.decode(content, type=_LinkEndpoints).link
    except FileNotFoundError:
        return None
    except (OSError, *DECODE_ERRORS) as error:
        log.warning("link_endpoints_unreadable", path=str(path), error=repr(error))
        return None
