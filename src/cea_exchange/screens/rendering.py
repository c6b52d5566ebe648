"""Templates: pages and fragments of them, in a language; whatever comes from outside is escaped."""

import hashlib
from functools import cache, partial
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cea_exchange.domain.records import Reason
from cea_exchange.screens.reading import Reading, direction
from cea_exchange.screens.texts.catalogue import refusal_text, text

STATIC = resources.files("cea_exchange.screens").joinpath("static")
HASH_CHARACTERS = 12


def static_address(name: str) -> str:
    """Return where a file of the page is found; another content has another address."""
    return f"/static/{name}?v={_static_hash(name)}"


@cache
def _static_hash(name: str) -> str:
    content = STATIC.joinpath(*name.split("/")).read_bytes()
    return hashlib.sha256(content).hexdigest()[:HASH_CHARACTERS]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cea_exchange.screens", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {"static": static_address, "direction": direction}
    return environment


ENVIRONMENT = _environment()


def render(template: str, reading: Reading, **context: Any) -> str:
    """Return a template's text.

    In it stand `t(key, field=...)` for a text of the catalogue, `because(name)` for what a reason
    of the market means, and `r` for what writes numbers and dates: `r.price(fen)`.
    """
    language = reading.language
    return ENVIRONMENT.get_template(template).render(
        t=partial(text, language),
        because=partial(_because, language),
        r=reading,
        lang=language,
        **context,
    )


def _because(language: str, name: str) -> str:
    meant = refusal_text(language, Reason[name])
    return name if meant is None else meant.meaning
