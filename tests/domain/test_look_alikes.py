"""Names that a reader takes for one another, and those he does not."""

import unicodedata

import pytest

from cea_exchange.domain.look_alikes import _DRAWN_AS, look_alike, look_alike_keys
from cea_exchange.domain.naming import is_one_line, plain_name_check


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("An", "an"),
        ("An", "AN"),
        ("An", "\N{CYRILLIC CAPITAL LETTER A}n"),
        ("an", "\N{CYRILLIC SMALL LETTER A}n"),
        ("AN", "\N{CYRILLIC CAPITAL LETTER A}\N{GREEK CAPITAL LETTER NU}"),
        ("An", "\uff21\uff4e"),
        ("Igor", "\N{CYRILLIC CAPITAL LETTER BYELORUSSIAN-UKRAINIAN I}gor"),
        # A capital I of any script is a small i's, and is drawn as a small l.
        ("li", "L\N{CYRILLIC CAPITAL LETTER BYELORUSSIAN-UKRAINIAN I}"),
        ("Li", "L\N{GREEK CAPITAL LETTER IOTA}"),
        ("ian", "\N{CYRILLIC LETTER PALOCHKA}AN"),
        ("lian", "\N{CYRILLIC SMALL LETTER PALOCHKA}ian"),
        ("\u041d\u0418\u041a\u041e", "\u043d\u0438\u043a\u043e"),
        ("stra\N{LATIN SMALL LETTER SHARP S}e", "STRASSE"),
        ("\u4e03\u3007\u4e00", "\u4e03O\u4e00"),
        ("\u534e\u7535Alpha", "\u534e\u7535\N{GREEK CAPITAL LETTER ALPHA}lpha"),
    ],
)
def test_what_looks_alike_is_alike_both_ways(one, other):
    """CEA-PER-04."""
    assert look_alike(one, other) and look_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("P001", "POO1"), ("an", "ann"), ("\u534e\u7535", "\u534e\u80fd"), ("a", "b")],
)
def test_what_does_not_is_two(one, other):
    """CEA-PER-04: digits stand for themselves."""
    assert not look_alike(one, other)


def test_each_letter_of_the_table_is_taken_for_its_latin_one_and_stays_so():
    """Every letter is one character, in the form NFKC, and of one Latin letter only."""
    letters = [letter for drawn in _DRAWN_AS.values() for letter in drawn]
    assert len(letters) == len(set(letters)) > 130
    for latin, drawn in _DRAWN_AS.items():
        assert latin.isascii() and latin.isalpha()
        for letter in drawn:
            assert unicodedata.normalize("NFKC", letter) == letter
            assert look_alike(f"x{letter}", f"x{latin}"), unicodedata.name(letter)


def test_keys_are_the_same_however_often_they_are_made():
    for name in ("An", "\N{CYRILLIC CAPITAL LETTER A}n", "\u534e\u7535", ""):
        for key in look_alike_keys(name):
            assert key in look_alike_keys(key)


@pytest.mark.parametrize("character", "\0\t\n\r\x1b\x7f\xad\u200b\u200e\u202e\u2028\u3164\ufe0f")
def test_a_character_that_is_not_seen_is_on_no_line(character):
    """CEA-PER-04."""
    assert not is_one_line(f"a{character}b")
    with pytest.raises(ValueError, match="one line of visible characters"):
        plain_name_check(f"a{character}b")


def test_a_name_in_another_form_is_refused_with_the_form_it_should_have():
    """CEA-PER-04."""
    with pytest.raises(ValueError, match=r"name: expected 'AN' \(NFKC\)"):
        plain_name_check("\uff21\uff2e")
    for sound in ("an", "\u534e\u7535", "O'Neill & Co. (Beijing)", "\u00c9lectricit\u00e9"):
        assert plain_name_check(sound) == sound


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("\N{LISU LETTER A}n", "LISU LETTER A"),
        ("\N{CHEROKEE LETTER GO}n", "CHEROKEE LETTER GO"),
        ("\N{ARMENIAN CAPITAL LETTER SEH}am", "ARMENIAN CAPITAL LETTER SEH"),
        ("P\N{ARABIC-INDIC DIGIT FIVE}", "ARABIC-INDIC DIGIT FIVE"),
        ("O\N{MODIFIER LETTER APOSTROPHE}Neill", "MODIFIER LETTER APOSTROPHE"),
        ("\u2ed3", "CJK RADICAL C-SIMPLIFIED LONG"),
        ("\u31d0", "CJK STROKE H"),
    ],
)
def test_a_letter_of_another_script_is_in_no_name(name, letter):
    """CEA-PER-04."""
    expected = "expected Latin, Chinese, Greek or Cyrillic letters and digits 0 to 9"
    with pytest.raises(ValueError, match=f"{expected}, got '{name}' with {letter}"):
        plain_name_check(name)


@pytest.mark.parametrize(
    "name",
    [
        "\u4e03\u3007\u4e00\u6240",  # a company's name, with the Chinese zero
        "\u4e70\u4e70\u63d0\u00b7\u5410\u5c14\u900a",  # a person's, with a middle dot
        "\u4f50\u3005\u6728",
        "\u53d1\u6539\u30142024\u30151\u53f7",
        "\U00020bb7\u91ce",
        "\u0414\u0430\u043b\u044c 2",
    ],
)
def test_chinese_names_and_their_marks_are_names(name):
    """CEA-PER-04."""
    assert plain_name_check(name) == name
