"""The CCER registry daemon's settings: a TOML file, read once, strict."""

from pathlib import Path
from typing import ClassVar

from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.institution.config import InstitutionConfig
from cea_exchange.protocol.security import key_check, public_key_load
from cea_exchange.protocol.settings import Address, settings_read


class CcerConfig(InstitutionConfig, frozen=True, kw_only=True):
    """Settings of ``ccer serve``, beside those of every institution; every one may be left out.

    Attributes
    ----------
    link
        Where the allowance registry asks for proofs and claims them. Port 0 takes a free one,
        written to ``DIR/ccer/endpoints.json``.
    registry_public_key
        The allowance registry's key, z85 text; ``DIR/keys/registry.public`` if left out.
    """

    institution: ClassVar[str] = CCER_SCHEMA.institution
    requests = CCER_REQUESTS

    link: Address = "tcp://127.0.0.1:0"
    registry_public_key: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.registry_public_key is not None:
            key_check(self.registry_public_key, "registry_public_key")

    def registry_key(self, data: Path) -> str:
        """Return the allowance registry's public key."""
        return self.registry_public_key or public_key_load(data / "keys", "registry")


def config_load(path: Path | str) -> CcerConfig:
    """Read the daemon's config file; ConfigError names the place of what is no setting."""
    return settings_read(path, CcerConfig)
