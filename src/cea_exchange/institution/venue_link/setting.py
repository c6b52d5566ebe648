"""Settings of the link to the venue: where it is, and where it fetches the feed."""

from pathlib import Path

import msgspec

from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address


class VenueSetting(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """An institution's settings of the venue; every one may be left out.

    Attributes
    ----------
    feed
        Where the venue fetches accounts, products, keys and transfers. Port 0 takes a free one,
        written to the institution's ``endpoints.json``.
    settlement, replay
        The venue's settlement stream and its replay socket. Left out, both are taken from
        `endpoints`, again whenever that file changes.
    endpoints
        File in which the venue says where it listens; ``DIR/venue/endpoints.json`` if left out.
    public_key
        The venue's key, z85 text; ``DIR/keys/venue.public`` if left out.
    """

    feed: Address = "tcp://127.0.0.1:0"
    settlement: Address | None = None
    replay: Address | None = None
    endpoints: str | None = None
    public_key: str | None = None

    def __post_init__(self) -> None:
        if (self.settlement is None) != (self.replay is None):
            raise ValueError("settlement and replay must both be given, or neither")
        if self.public_key is not None:
            key_check(self.public_key, "public_key")

    def key(self, data: Path) -> str:
        """Return the venue's public key."""
        return self.public_key or public_key_load(data / "keys", "venue")

    def endpoints_file(self, data: Path) -> Path:
        """Return the file in which the venue says where it listens."""
        if self.endpoints is not None:
            return Path(self.endpoints)
        return data / "venue" / "endpoints.json"
