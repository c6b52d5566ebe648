"""Profiles: the rules as data, refused where they are not what they should be."""

from datetime import date
from importlib import resources

import msgspec
import pytest

from cea_exchange.domain.profile import (
    MarketRules,
    Notice,
    Profile,
    ProfileError,
    load_profile,
    profile_names,
    profile_parse,
)
from cea_exchange.domain.profile_fields import Field, fields_of
from cea_exchange.domain.records import Phase
from support.places import ROOT

CEA_TEXT = (
    resources.files("cea_exchange.domain").joinpath("profiles/cea.toml").read_text(encoding="utf-8")
)


def test_the_packaged_profiles_load_under_their_names():
    assert {"ccer", "cea", "open"} <= set(profile_names())
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == profile.rules.name == name
        assert profile.settings


def test_cea_holds_the_markets_numbers():
    """CEA-LST-01, CEA-LST-02, CEA-LST-03, CEA-LST-05, CEA-LST-06, CEA-LST-07."""
    rules = load_profile("cea").rules
    assert rules.block_tonnes_min == 100_000
    assert rules.listed_band_bp == 1000
    assert rules.band_rounding == "half_up"
    assert rules.levels_max == 5
    assert rules.pick_allowed is True
    assert rules.self_trade == "reject"
    assert rules.holdings_checked is True


def test_cea_sets_no_number_that_was_never_published():
    """CEA-FEE-01, CEA-FND-06: no fee rate and no holding limit is known."""
    rules = load_profile("cea").rules
    assert (rules.fee_bp, rules.fee_min_fen, rules.holding_limit_tonnes) == (0, 0, 0)


def test_a_cea_market_has_room_for_a_million_resting_orders():
    """CEA-ORD-05: what a venue must hold; the room takes memory only where it is touched."""
    assert load_profile("cea").rules.order_count_max >= 1_000_000


def test_cea_sessions_are_the_announced_hours():
    """CEA-DAY-02, CEA-DAY-03."""
    profile = load_profile("cea")
    assert profile.day_opens_at == "09:00"
    assert profile.sessions == (
        ("09:30", Phase.LISTED),
        ("11:30", Phase.BREAK),
        ("13:00", Phase.LISTED_AND_BLOCK),
        ("15:00", Phase.CLOSED),
    )


def test_composite_weights_depend_on_the_date():
    """CEA-PRC-04: equal until 2025, CEA25 alone from 2026 on."""
    profile = load_profile("cea")
    assert profile.composite_weights(["CEA24", "CEA25"], date(2025, 12, 31)) == [1, 1]
    assert profile.composite_weights(["CEA24", "CEA25"], date(2026, 1, 1)) == [0, 1]
    assert profile.composite_weights(["CEA23", "CEA24"], date(2026, 1, 1)) == [1, 1]


def test_open_limits_nothing():
    """OPEN-MKT-01."""
    rules = load_profile("open").rules
    assert rules.listed_band_bp == 0
    assert rules.block_tonnes_min == 0
    assert rules.levels_max == 0
    assert rules.self_trade == "allow"
    assert rules.holdings_checked is False


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("levels_max", "level_max", "unknown field `level_max`"),
        ('title = "', 'titel = "', "unknown field `titel`"),
        ('rule = "CEA-LST-02"', 'rules = "CEA-LST-02"', r"at `\$.listed_band_bp`"),
        ('rule = "CEA-LST-02"', 'rule = "7.2"', r"at `\$.listed_band_bp.rule`"),
        ("value = 1000", "value = 1000.0", r"Expected `int`, got `float` - at `\$.listed_band_bp"),
        ("value = 1000", 'value = "1000"', r"Expected `int`, got `str` - at `\$.listed_band_bp"),
        ("value = 1000", "value = 10001", r"<= 10000 - at `\$.listed_band_bp.value`"),
        ("max = {value = 5,", "max = {value = -5,", r">= 0 - at `\$.levels_max.value`"),
        ("value = 2_097_152", "value = 0", r">= 1 - at `\$.order_count_max.value`"),
        ("value = true", "value = 1", r"Expected `bool`, got `int` - at `\$.pick_allowed"),
        ('"half_up"', '"half_down"', r"'half_down' - at `\$.band_rounding.value`"),
        ('"reject"', '"warn"', r"'warn' - at `\$.self_trade.value`"),
        ('"09:00"', '"9:00"', r"at `\$.day_opens_at.value`"),
        ('"09:00"', '"10:00"', r"expected times that ascend .* at `\$.session\[0\]`"),
        ('"13:00"', '"11:30"', r"expected times that ascend .* at `\$.session\[2\]`"),
        ('"closed"', '"break"', r"'closed', got 'break' - at `\$.session\[3\]`"),
        ('"break"', '"lunch"', r"'lunch' - at `\$.session"),
        ("2026-01-01", "2021-07-16", r"expected ascending dates, got 2021-07-16"),
        ("CEA25 = 1", "CEA25 = 0", "expected a positive weight"),
        ("[[composite]]", "[[composite]", "expected TOML"),
    ],
)
def test_a_wrong_profile_is_refused_with_the_place(old, new, message):
    assert old in CEA_TEXT
    with pytest.raises(ProfileError, match=message) as caught:
        profile_parse(CEA_TEXT.replace(old, new, 1), "site/cea.toml")
    assert str(caught.value).startswith("site/cea.toml: ")


def test_a_profile_loads_from_a_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(CEA_TEXT.replace("value = 1000", "value = 500"), encoding="utf-8")
    assert load_profile(path).rules.listed_band_bp == 500
    assert load_profile(str(path)) == load_profile(path)


def test_a_profile_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ProfileError, match="expected one of beijing, ccer, cea, .*got 'seeee'"):
        load_profile("seeee")
    with pytest.raises(ProfileError, match="expected a profile, No such file"):
        load_profile(tmp_path / "none.toml")


def test_the_hash_follows_the_values_not_the_text():
    cea = load_profile("cea")
    commented = profile_parse("# a remark\n" + CEA_TEXT, "x")
    changed = profile_parse(CEA_TEXT.replace("value = 1000", "value = 999"), "x")
    later = profile_parse(CEA_TEXT.replace('"15:00"', '"15:01"'), "x")
    assert len(cea.profile_hash()) == 32
    assert commented.profile_hash() == cea.profile_hash()
    assert len({p.profile_hash() for p in (cea, changed, later, load_profile("open"))}) == 4


PAGE = ROOT / "protocol" / "profiles.md"


def declared() -> list[tuple[Field, object]]:
    """Return the declared fields of a profile, each with what it is if left out."""
    found = []
    for shape in (MarketRules, Profile):
        defaults = {field.name: field.default for field in msgspec.structs.fields(shape)}
        found += [(field, defaults[field.name]) for field in fields_of(shape)]
    return found


def test_the_page_tells_each_field_as_it_is_declared():
    rows = []
    for (name, _, says), default in declared():
        left_out = f" {str(default).lower()} " if says.added else " "
        unit = f" {unit} " if (unit := Field(name, _, says).unit) else " "
        rows.append(f"| `{name}` |{unit}| {says.text} | {says.rule} |{left_out}|")
    assert len(rows) > 35
    page = PAGE.read_text(encoding="utf-8").splitlines()
    first = page.index(rows[0])
    assert page[first : first + len(rows)] == rows


def test_the_page_names_what_a_notice_may_change():
    page = PAGE.read_text(encoding="utf-8")
    named = page[page.index("changes what it names:") : page.index("`reference_prices` (yuan)")]
    for field, _ in declared():
        assert (f"`{field.name}`" in named) == (field.says.noticed > 0)
        assert (field.name in Notice.__struct_fields__) == (field.says.noticed > 0)


def test_the_national_profile_names_the_rules_that_its_fields_are_declared_with():
    rules = {setting.name: setting.rule for setting in load_profile("cea").settings}
    shown = [field for field, _ in declared() if field.name in rules]
    assert len(shown) > 30
    assert {field.name: field.says.rule for field in shown} == {
        field.name: rules[field.name] for field in shown
    }


def test_places_of_fields_are_each_given_once():
    """The hashes of profiles depend on the order that these places give."""
    for place in ("added", "noticed"):
        given = [getattr(field.says, place) for field, _ in declared()]
        assert sorted(filter(None, given)) == list(range(1, max(given) + 1))


def test_hashes_of_profiles_stay():
    """Journals name their profiles by these."""
    noticed = CEA_TEXT + """
[[notice]]
from = 2026-03-02
why = "narrower"
rule = "CEA-NTC-01"
listed_band_bp = 500
block_allowed = false
list = {CEA26 = "81.50"}
"""
    hashes = [load_profile(name).profile_hash() for name in ("cea", "ccer", "open")]
    hashes.append(profile_parse(noticed, "noticed").profile_hash())
    assert hashes == [
        "313efc6875ee08b75a9914d85db254db",
        "ca567f871f59a25c2b56e99b7025bb8c",
        "cdcf917923d4be16b33fdc12bade3dd0",
        "cdb52e48678584d223b42a16109a5e8d",
    ]
