"""The link to the management platform, as the settings have it."""

from typing import ClassVar

from cea_exchange.institution.links.setting import LinkSetting


class PlatformSetting(LinkSetting, frozen=True, kw_only=True):
    """Where the platform is, and what is left to persons here.

    Attributes
    ----------
    acts_by_hand
        Whether persons may still issue, distribute and set obligations by files.
    """

    institution: ClassVar[str] = "platform"

    acts_by_hand: bool = False
