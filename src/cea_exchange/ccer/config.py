"""The CCER registry daemon's settings: a TOML file, read once, strict."""

from typing import ClassVar

from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.institution.config import LinkConfig
from cea_exchange.institution.venue_link.setting import VenueSetting


class CcerConfig(LinkConfig, frozen=True, kw_only=True):
    """Settings of ``ccer serve``; every one may be left out.

    Attributes
    ----------
    venue
        The exchange whose trades are delivered here; left out, there is none.
    """

    institution: ClassVar[str] = CCER_SCHEMA.institution
    requests = CCER_REQUESTS

    venue: VenueSetting | None = None
