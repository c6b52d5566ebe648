"""The heads of both chains, which go with every question and answer of a link.

Each side keeps the heads that the other says, and says the last one that it keeps. So each learns
whether its own chain still has what the other was told: who rewrites one database can't rewrite
what the other institution keeps.
"""

from typing import Annotated

from msgspec import Meta, Struct


class Anchor(Struct, frozen=True, forbid_unknown_fields=True):
    """A link of an institution's chain, with its head.

    Attributes
    ----------
    head
        SHA-256, 64 hexadecimal digits; see protocol/ledger.md.
    """

    link_id: Annotated[int, Meta(ge=1, le=2**62)]
    head: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Anchors(Struct, frozen=True, forbid_unknown_fields=True):
    """What one side says of both chains.

    Attributes
    ----------
    own
        Of its own chain, to be kept; None: nothing happened since the one that is kept.
    kept
        The last one of the other's chain that it keeps; None before the first.
    """

    own: Anchor | None = None
    kept: Anchor | None = None


NO_ANCHORS = Anchors()
