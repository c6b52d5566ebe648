"""The link to the management platform, as the settings have it."""

from pathlib import Path

from msgspec import Struct

from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address


class PlatformSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the platform is, and what is left to persons here.

    Attributes
    ----------
    link
        The platform's door for the registry; left out, it is taken from `endpoints`, again whenever
        that file changes.
    endpoints
        File in which the platform says where it listens; ``DIR/platform/endpoints.json`` if left
        out.
    public_key
        The platform's key, z85 text; ``DIR/keys/platform.public`` if left out.
    acts_by_hand
        Whether persons may still issue, distribute and set obligations by files.
    """

    link: Address | None = None
    endpoints: str | None = None
    public_key: str | None = None
    acts_by_hand: bool = False

    def __post_init__(self) -> None:
        if self.public_key is not None:
            key_check(self.public_key, "platform.public_key")

    def key(self, data: Path) -> str:
        """Return the platform's public key."""
        return self.public_key or public_key_load(data / "keys", "platform")

    def endpoints_file(self, data: Path) -> Path:
        """Return the file in which the platform says where it listens."""
        if self.endpoints is not None:
            return Path(self.endpoints)
        return data / "platform" / "endpoints.json"
