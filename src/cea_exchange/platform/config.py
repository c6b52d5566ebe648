"""The platform daemon's settings: a TOML file, read once, strict."""

from typing import ClassVar

from cea_exchange.institution.config import LinkConfig
from cea_exchange.platform.control.admin import PLATFORM_REQUESTS


class PlatformConfig(LinkConfig, frozen=True, kw_only=True):
    """Settings of ``platform serve``; every one may be left out."""

    institution: ClassVar[str] = "platform"
    requests = PLATFORM_REQUESTS
