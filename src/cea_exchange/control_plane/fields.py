"""Describes a request's fields to those who type them: words, unit, argument or option.

    price: Annotated[control.Fen, field("Yuan per tonne, such as 97.49.", typed="price")]

On the wire all is as the type says: fen, tonnes, yyyymmdd. A field that must be given is an
argument on the command line, one with a default, and every `why`, an option.
"""

from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

Typed = Literal[
    "date", "month", "period", "yuan", "price", "amount", "key", "file", "by_product", "each",
    "new_id", "alerts", "document", "gain",
]
"""How a person types it, where that is not as it is on the wire: an ISO date, an ISO month, a month
or a year, yuan, yuan per tonne, tonnes or yuan, a key or its file, a file whose content goes along,
several PRODUCT=TONNES, several of which each is a request of its own, an id of which a new one is
made where it is left out, a file of alerts, a file that is kept beside the journal, yuan gained."""


class FieldTerms(msgspec.Struct, frozen=True):
    """What a field is on the command line.

    Attributes
    ----------
    typed
        See `Typed`; None: as it is on the wire.
    is_option
        Whether it is an option though it must be given; False: an argument though it need not be.
    name
        Its name there, where it is another one; of a switch both names, ``--yes/--no``.
    is_hidden
        Whether it is no business of the command line.
    folder
        Of a file that the daemon has already: where in its data folder. Its name goes along, and
        the SHA-256 of what is meant.
    is_all_if_left_out
        Of an amount: whether none means all there is.
    """

    typed: Typed | None = None
    is_option: bool | None = None
    name: str = ""
    is_hidden: bool = False
    folder: str = ""
    is_all_if_left_out: bool = False


def field(
    words: str = "",
    *,
    typed: Typed | None = None,
    is_option: bool | None = None,
    name: str = "",
    is_hidden: bool = False,
    folder: str = "",
    is_all_if_left_out: bool = False,
) -> msgspec.Meta:
    """Return what is noted of a field, for `Annotated`; see `FieldTerms`."""
    terms = FieldTerms(typed, is_option, name, is_hidden, folder, is_all_if_left_out)
    return msgspec.Meta(description=words or None, extra={"terms": terms})


class RequestField(NamedTuple):
    """A field of a request, as it was declared.

    Attributes
    ----------
    name, wire_name
        Of the attribute, and in the message.
    kind
        Its type, without what may be left out and without notes.
    is_needed
        Whether it must be given.
    least, most
        Its range; None: there is no bound.
    """

    name: str
    wire_name: str
    kind: Any
    is_needed: bool
    default: Any
    words: str
    terms: FieldTerms
    least: float | None
    most: float | None


def fields_of(request: type[msgspec.Struct]) -> list[RequestField]:
    """Return the fields of a request in their order."""
    hints = get_type_hints(request, include_extras=True)
    found = []
    for info in msgspec.structs.fields(request):
        kind, notes = _bare(hints[info.name])
        terms, words, least, most = FieldTerms(), "", None, None
        # Nearer to the field counts more than what its type says.
        for note in notes:
            terms = (note.extra or {}).get("terms", terms)
            words = note.description or words
            least = note.ge if note.ge is not None else least
            most = note.le if note.le is not None else most
        found.append(
            RequestField(
                name=info.name,
                wire_name=info.encode_name,
                kind=kind,
                is_needed=info.required,
                default=None if info.required else info.default,
                words=words,
                terms=terms,
                least=least,
                most=most,
            )
        )
    return found


def _bare(hint: Any) -> tuple[Any, list[msgspec.Meta]]:
    """Return a type without None and notes, and its notes, the outermost last."""
    notes: list[msgspec.Meta] = []
    if get_origin(hint) is Annotated:
        inner, *annotations = get_args(hint)
        kind, notes = _bare(inner)
        return kind, notes + [each for each in annotations if isinstance(each, msgspec.Meta)]
    others = [each for each in get_args(hint) if each is not type(None)]
    if type(None) in get_args(hint) and len(others) == 1:
        return _bare(others[0])
    return hint, notes
