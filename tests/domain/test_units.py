"""Money as text and as integers; which names are sound."""

import pytest

from cea_exchange.domain import naming, units


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0.01", 1),
        ("97.49", 9749),
        ("097.49", 9749),
        ("100000.00", units.PRICE_FEN_MAX),
        ("92233720368547758.07", units.INT64_MAX),
    ],
)
def test_money_text_is_exact(text, fen):
    """CEA-ORD-01: yuan in steps of a fen."""
    assert units.price_parse(text) == fen
    assert units.cash_parse(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "", "97", "97.", "97.4", "97.490", ".49", "-97.49", "+97.49", " 97.49", "97.49 ", "97.49\n",
        "9_7.49", "9,700.49", "1e2", "9.7e1", "nan", "inf", "0.00", "97,49", "９７.49", "٣.00",
        "92233720368547758.08", "1" * 5000 + ".00",
    ],
)  # fmt: skip
def test_other_money_text_is_refused(text):
    with pytest.raises(ValueError, match=": expected .*, got "):
        units.price_parse(text)
    with pytest.raises(ValueError, match=": expected .*, got "):
        units.cash_parse(text)


@pytest.mark.parametrize("value", [97.49, 97, None, b"97.49", True, ["97.49"]])
def test_money_that_is_no_text_is_a_type_error(value):
    with pytest.raises(TypeError, match="expected str"):
        units.price_parse(value)


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (1, "0.01"), (9749, "97.49"), (-5, "-0.05"), (-100, "-1.00")]
)
def test_fen_is_written_with_two_decimals(fen, text):
    assert units.cash_format(fen) == text
    assert units.price_format(fen) == text


@pytest.mark.parametrize("value", [97.0, "97", None, True])
def test_only_integers_are_written(value):
    with pytest.raises(TypeError, match="expected int"):
        units.price_format(value)


def test_limits_leave_room_for_sums():
    """CEA-ORD-04: two totals, and an amount on top, still fit 64 bits."""
    assert units.PRICE_FEN_MAX == 100_000 * 100
    assert units.TOTAL_LIMIT - 1 + units.AMOUNT_FEN_LIMIT - 1 < units.INT64_MAX
    assert 2 * (units.TOTAL_LIMIT - 1) < units.INT64_MAX


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "\x00", "x" * 65, "配" * 22, "\ud800"])
def test_unsound_names_are_refused(name):
    with pytest.raises(ValueError, match="name: expected"):
        naming.name_check(name)


def test_sound_names_pass():
    for name in ("alice", "CEA19-20", "碳排放配额25", "x" * 64):
        assert naming.name_check(name) == name
    with pytest.raises(TypeError, match="expected str"):
        naming.name_check(7)


def test_tonnes_are_whole_and_not_negative():
    """CEA-PRD-01, CEA-ORD-04."""
    assert units.tonnes_check(0, "x") == 0
    assert units.tonnes_check(units.TOTAL_LIMIT - 1, "x") == units.TOTAL_LIMIT - 1
    for wrong in (-1, units.TOTAL_LIMIT):
        with pytest.raises(ValueError, match=rf"emissions: expected within .* t, got {wrong}"):
            units.tonnes_check(wrong, "emissions")
    for wrong, kind in ((True, "bool"), ("1", "str"), (1.0, "float")):
        with pytest.raises(TypeError, match=rf"emissions: expected int \(tonnes\), got {kind}"):
            units.tonnes_check(wrong, "emissions")
