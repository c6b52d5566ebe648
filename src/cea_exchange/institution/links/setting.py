"""A link to an institution, as the settings have it."""

from pathlib import Path
from typing import ClassVar

from msgspec import Struct

from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address


class LinkSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an institution is; each of them may be left out.

    Attributes
    ----------
    institution
        Its name: that of its folder in the data folder, and of its key.
    link
        Its door for the registry; left out, it is taken from `endpoints`, again whenever that file
        changes.
    endpoints
        File in which it says where it listens; its own in the data folder if left out.
    public_key
        Its key, z85 text; that in ``DIR/keys`` if left out.
    """

    institution: ClassVar[str]

    link: Address | None = None
    endpoints: str | None = None
    public_key: str | None = None

    def __post_init__(self) -> None:
        if self.public_key is not None:
            key_check(self.public_key, f"{self.institution}.public_key")

    def key(self, data: Path) -> str:
        """Return the institution's public key."""
        return self.public_key or public_key_load(data / "keys", self.institution)

    def endpoints_file(self, data: Path) -> Path:
        """Return the file in which it says where it listens."""
        if self.endpoints is not None:
            return Path(self.endpoints)
        return data / self.institution / "endpoints.json"
