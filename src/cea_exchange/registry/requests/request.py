"""What every request has in common."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry


class Request(
    msgspec.Struct, tag_field="op", frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Base of every request. Amounts are tonnes, or fen of cash."""

    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        """Carry it out; return the answer's fields.

        Raises
        ------
        ActError
            It is refused; nothing was changed.
        """
        raise NotImplementedError
