"""Finds names that a reader takes for one another: other case, or letters of another script.

Two names look alike where any of their keys is the same. A name has up to three: one with all
letters in one case, and two in which a Latin letter stands for those that look like it: what is
drawn as a capital I may be read as a small l, too. Whoever compares them finds ``An`` beside ``an``
and beside one with a Cyrillic A or of fullwidth letters, and ``li`` beside ``LI`` with a Cyrillic
I.

The letters are those of Unicode's table of confusables (UTS #39, confusables.txt, version 15) that
are drawn as one Latin letter and are of the Latin, Greek, Cyrillic, Armenian or Coptic script, and
the Chinese zero. Names have no letters of yet other scripts (`naming.plain_name_check`).
Compatibility forms (fullwidth, mathematical letters) are folded by NFKC. Digits stand for
themselves: ``P001`` and ``POO1`` are two accounts.
"""

import unicodedata
from functools import lru_cache

_DRAWN_AS = {
    "A": "ΑА",
    "B": "ΒВꞴ",
    "C": "СⲤ",
    "E": "ΕЕ",
    "F": "ϜꞘ",
    "G": "Ԍ",
    "H": "ΗНⲎ",
    "J": "ͿЈꞲ",
    "K": "ΚКⲔ",
    "L": "Ⳑ",
    "M": "ΜϺМⲘ",
    "N": "ΝⲚ",
    "O": "ΟОՕⲞ〇",
    "P": "ΡРⲢ",
    "R": "Ʀ",
    "S": "ЅՏ",
    "T": "ΤТⲦ",
    "U": "Ս",
    "V": "Ѵ",
    "W": "Ԝ",
    "X": "ΧХⲬꞳ",
    "Y": "ΥУҮⲨ",
    "Z": "Ζ",
    "a": "ɑαа",
    "b": "ƄЬ",
    "c": "сᴄⲥ",
    "d": "ԁ",
    "e": "еҽꬲ",
    "f": "քẝꞙꬵ",
    "g": "ƍɡցᶃ",
    "h": "һհ",
    "i": "ıɩɪιіӏꙇ",
    "j": "ϳј",
    # A capital I is drawn as a small l, in Latin too.
    "l": "IƖǀΙІӀⲒ",
    "n": "ոռ",
    "o": "οσоօᴏᴑⲟꬽ",
    "p": "ρрⲣ",
    "q": "ԛգզ",
    "r": "гᴦⲅꭇꭈ",
    "s": "ƽѕꜱ",
    "u": "ʋυսᴜꞟꭎꭒ",
    "v": "νѵᴠ",
    "w": "ɯѡԝաᴡ",
    "x": "х",
    "y": "ɣʏγуүᶌỿꭚ",
    "z": "ᴢ",
}
_UPRIGHT = "ΙІӀӏⲒ"
"""Drawn as a capital I, and so as a small l; read as the one here, as the other there."""
_LATIN = str.maketrans({drawn: latin for latin, all_ in _DRAWN_AS.items() for drawn in all_})
_READINGS = (
    _LATIN | dict.fromkeys(map(ord, _UPRIGHT), "l"),
    _LATIN | dict.fromkeys(map(ord, _UPRIGHT), "I") | {ord("I"): "I"},
)


@lru_cache(maxsize=1 << 14)
def look_alike_keys(name: str) -> frozenset[str]:
    """Return the keys of a name: two names that share one look alike."""
    plain = unicodedata.normalize("NFKC", name)
    drawn = unicodedata.normalize("NFD", plain)
    read = (plain, *(drawn.translate(letters) for letters in _READINGS))
    return frozenset(unicodedata.normalize("NFKC", each.casefold()) for each in read)


def look_alike(one: str, other: str) -> bool:
    """Tell whether a reader takes one name for another; equal names do."""
    return not look_alike_keys(one).isdisjoint(look_alike_keys(other))
