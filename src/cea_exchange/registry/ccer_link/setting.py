"""The link to the CCER registry, as the settings have it."""

from typing import ClassVar

from cea_exchange.institution.links.setting import LinkSetting


class CcerSetting(LinkSetting, frozen=True, kw_only=True):
    """Where the CCER registry is; with it no proof is taken from a person's hand (CCER-LNK-04)."""

    institution: ClassVar[str] = "ccer"
