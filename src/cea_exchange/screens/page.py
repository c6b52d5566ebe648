"""What a page is: an address, a text, who may see it, and what shows it.

Each folder of pages has a tuple `PAGES`; `application` makes routes and the menu of them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from cea_exchange.screens.access import Rights

Handler = Callable[[Any], Awaitable[Response]]
"""Answers a `Visit`, which knows of pages itself."""
BODY_BYTES_MAX = 64 * 1024


def anybody(_rights: Rights) -> bool:
    """Admit whoever may see the screens at all."""
    return True


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page, or one fragment of a page.

    Attributes
    ----------
    path
        Its address; `{name}` stands for a part that `Visit.path` gives.
    name
        Its title is the text `page.NAME`, which the menu shows too.
    section
        Its heading in the menu is the text `section.SECTION`.
    show
        Answers a GET.
    acts
        What answers a POST, by what follows the page's address: ``{"": f, "/cancel": g}``.
    allowed
        Whether somebody with these rights sees it; for others it is not there at all.
    in_menu
        Whether the menu has it.
    body_bytes_max
        The largest form that it takes.
    """

    path: str
    name: str
    section: str
    show: Handler
    acts: Mapping[str, Handler] = field(default_factory=dict)
    allowed: Callable[[Rights], bool] = anybody
    in_menu: bool = True
    body_bytes_max: int = BODY_BYTES_MAX


Pages = Sequence[Page]
