"""The socket towards an institution, and where the institution says it leads."""

from pathlib import Path

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.server_line import EndpointsFile, ServerLine
from cea_exchange.institution.links.setting import LinkSetting
from cea_exchange.protocol.security import CurveKeys

log = structlog.get_logger()


class _LinkEndpoints(msgspec.Struct, frozen=True):
    """What an institution writes of where it listens; the rest is for others."""

    link: str


class InstitutionLine(ServerLine):
    """The socket towards an institution, whose place is as its setting says, in a data folder."""

    def __init__(
        self,
        context: zmq.Context,
        keys: CurveKeys,
        setting: LinkSetting,
        server_key: str,
        data: Path,
    ) -> None:
        super().__init__(context, keys, server_key)
        self._setting = setting
        self._file = EndpointsFile(setting.endpoints_file(data), _LinkEndpoints)
        self._nowhere: str | None = None

    def look(self) -> bool | None:
        """Connect to where the institution is, which may have changed with its restart.

        Returns whether there is a connection, where that has changed; None: nothing has. What is no
        address is tried once.
        """
        where = self._setting.link or self._address_read()
        if where is None or where in (self.address, self._nowhere):
            return None
        fields = {"institution": self._setting.institution, "link": where}
        try:
            self.connect(where)
        except (zmq.ZMQError, ValueError) as error:
            self.close()
            self._nowhere = where
            log.warning("link_unreachable", **fields, error=str(error))
            return False
        self._nowhere = None
        log.info("link_connected", **fields)
        return True

    def _address_read(self) -> str | None:
        found = self._file.read()
        return None if found is None else found.link
