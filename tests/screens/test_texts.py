"""The catalogue of texts is complete in both languages, and pages use what is in it."""

import re
from string import Formatter

import pytest

from cea_exchange.domain.compliance.plausibility import DETECTORS
from cea_exchange.domain.compliance.plausibility.limits import limits
from cea_exchange.domain.records import Reason
from cea_exchange.domain.refusals import (
    BankRefusal,
    CcerRefusal,
    InstitutionRefusal,
    PlatformRefusal,
    RegistryRefusal,
    VenueRefusal,
)
from cea_exchange.screens.texts.catalogue import LANGUAGES, refusal_text, refusal_texts, texts
from support.places import ROOT

SCREENS = ROOT / "src" / "cea_exchange" / "screens"
NAMED = re.compile(
    r"""(?:\bt|\.texts?)\(\s*["']([a-z_]+(?:\.[a-z_]+)+)["'](?!\s*~)"""
    r"""|refuse\([^()]*?,\s*["']([a-z_.]+)["']\)"""
)
"""A text that is asked for by its whole key."""
ANY = re.compile(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""")
"""What may be such a key."""
FAMILY = re.compile(r"""["']([a-z_]+\.[a-z_.]*)["']\s*~|f["']([a-z_]+\.[a-z_.]*)\{""")
"""How the keys begin of which one is chosen while a page is shown."""
SPOKEN = (
    *(Reason, VenueRefusal, InstitutionRefusal, RegistryRefusal, PlatformRefusal),
    *(CcerRefusal, BankRefusal),
)
"""Enums whose every member has words in both languages."""


def sources() -> list[str]:
    paths = [*SCREENS.rglob("*.html"), *SCREENS.rglob("*.py")]
    return [path.read_text(encoding="utf-8") for path in paths]


def test_both_languages_have_the_same_texts():
    assert texts("zh").keys() == texts("en").keys()


def test_the_fields_of_a_text_are_the_same_in_both_languages():
    def fields(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    differing = [key for key in texts("zh") if fields(texts("zh")[key]) != fields(texts("en")[key])]
    assert differing == []


def test_chinese_is_chinese_and_english_is_not():
    han = re.compile(r"[\u4e00-\u9fff]")
    assert [key for key, text in texts("en").items() if han.search(text)] == []
    plain = {key for key, text in texts("zh").items() if not han.search(text)}
    assert plain == set()


def matches(pattern: re.Pattern[str]) -> set[str]:
    return {a or b for text in sources() for a, b in map(both, pattern.finditer(text))}


def both(found: re.Match[str]) -> tuple[str, str]:
    groups = [group or "" for group in found.groups()]
    return groups[0], groups[-1]


def test_whatever_text_a_page_names_is_there():
    named = {key for key in matches(NAMED) if not key.endswith("_")}
    assert len(named) > 50
    assert named - texts("en").keys() == set()


def test_every_text_is_used():
    named, families = matches(ANY), tuple(matches(FAMILY))
    unused = {key for key in texts("en") if key not in named and not key.startswith(families)}
    assert unused == set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("codes", SPOKEN, ids=lambda codes: codes.__name__)
def test_every_refusal_has_its_sentence_and_remedy(language, codes):
    missing = [
        code.name
        for code in codes
        if code.name != "NONE" and not all(refusal_text(language, code) or ("",))
    ]
    assert missing == []


def test_no_words_are_of_a_refusal_that_is_none():
    # And whatever the schema has words of has them in both.
    assert refusal_texts("zh").keys() == refusal_texts("en").keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_doubt_about_a_figure_has_its_name(language):
    sources = {f"against_{each.source}" for each in limits().source}
    names = (DETECTORS.keys() - {"second_sources"}) | sources
    assert {name for name in names if f"detector.{name}" not in texts(language)} == set()
