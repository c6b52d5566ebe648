"""The platform daemon's settings: a TOML file, read once, strict."""

from pathlib import Path
from typing import ClassVar

from cea_exchange.institution.config import InstitutionConfig
from cea_exchange.platform.control.admin import PLATFORM_REQUESTS
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address


class PlatformConfig(InstitutionConfig, frozen=True, kw_only=True):
    """Settings of ``platform serve``; every one may be left out.

    Attributes
    ----------
    link
        Where the registry asks what there is for it. Port 0 takes a free one, written to
        ``DIR/platform/endpoints.json``.
    registry_public_key
        The registry's key, z85 text; ``DIR/keys/registry.public`` if left out.
    """

    institution: ClassVar[str] = "platform"
    requests = PLATFORM_REQUESTS

    link: Address = "tcp://127.0.0.1:0"
    registry_public_key: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.registry_public_key is not None:
            key_check(self.registry_public_key, "registry_public_key")

    def registry_key(self, data: Path) -> str:
        """Return the registry's public key."""
        return self.registry_public_key or public_key_load(data / "keys", "registry")
