"""The link to the CCER registry, as the settings have it."""

from typing import Annotated, ClassVar

from msgspec import Meta

from cea_exchange.institution.links.setting import LinkSetting
from cea_exchange.protocol.links.signatures import KEY_FORM


class CcerSetting(LinkSetting, frozen=True, kw_only=True):
    """Where the CCER registry is; with it no proof is taken from a person's hand (CCER-LNK-04).

    Attributes
    ----------
    signing_key
        By which its proofs must be signed, as its status shows it; left out, by the key of the
        first that came.
    """

    institution: ClassVar[str] = "ccer"

    signing_key: Annotated[str, Meta(pattern=KEY_FORM)] | None = None
