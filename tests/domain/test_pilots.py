"""The regional pilots as profiles: each says of which day it is, and how sure each value."""

import json
import re

import msgspec
import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.profile import MarketRules, ProfileError, load_profile, profile_parse
from support.places import ROOT

PILOTS = ("beijing", "tianjin", "shanghai", "chongqing", "guangdong", "hubei", "shenzhen", "fujian")


@pytest.mark.parametrize("name", PILOTS)
def test_a_pilot_says_how_sure_each_value_is(name: str) -> None:
    """PLT-MKT-01, PLT-MKT-02, PLT-MKT-03, PLT-MKT-04: what no text says is marked."""
    profile = load_profile(name)
    assert profile.as_of is not None
    values = [
        setting
        for setting in profile.settings
        if not setting.name.startswith(("session", "notice", "composite"))
    ]
    assert {setting.confidence for setting in values} <= {"S", "S2", "R", "D"}
    assert all(s.unconfirmed == (s.confidence in ("R", "D")) for s in values)
    own = {setting.rule for setting in values if setting.rule.startswith("PLT-")}
    assert own or name == "fujian"


def test_the_pilots_differ_where_section_38_says_so() -> None:
    """PLT-MKT-05, PLT-MKT-06, PLT-MKT-07, PLT-MKT-08, PLT-FND-01."""
    rules = {name: load_profile(name).rules for name in PILOTS}
    bands = {name: each.listed_band_bp for name, each in rules.items()}
    assert bands == dict.fromkeys(PILOTS, 1000) | {"beijing": 2000, "chongqing": 2000}
    with_blocks = {name for name, each in rules.items() if each.close_with_blocks}
    assert with_blocks == {"beijing", "tianjin", "chongqing", "fujian"}
    assert {name for name, each in rules.items() if each.block_terms_fixed} == {"hubei", "shenzhen"}
    assert (rules["shanghai"].block_free_tonnes, rules["guangdong"].close_tonnes_over) == (
        *(500_000, 100),
    )
    hubei = rules["hubei"]
    assert [hubei.on(day).close_trades_last for day in (20231017, 20231018)] == [10, 0]
    beijing = rules["beijing"]
    assert [beijing.on(day).holding_limit_tonnes for day in (20250430, 20250501)] == [1_000_000, 0]


def test_what_one_pilot_alone_has_stands_on_the_page() -> None:
    """PLT-BLK-02, PLT-PRC-01, PLT-PRC-03, PLT-PRC-04: all else is of two or more."""
    text = (ROOT / "protocol" / "profiles.md").read_text(encoding="utf-8")
    table = text.split("| value | pilot | of the others |\n|---|---|---|\n")[1].split("\n\n")[0]
    shown = {
        (name, pilot.split(",")[0].strip())
        for names, pilot, _ in (row.strip("|").split("|") for row in table.splitlines())
        for name in re.findall(r"`(\w+)`", names)
    }
    rules = {name: load_profile(name).rules for name in PILOTS}
    defaults = {
        field.name: field.default
        for field in msgspec.structs.fields(MarketRules)
        if field.default is not msgspec.NODEFAULT
    }
    users = {
        field: [name for name, each in rules.items() if getattr(each, field) != default]
        for field, default in defaults.items()
    }
    assert users["holding_limit_joint"] == ["beijing", "fujian"]
    assert {(field, *found) for field, found in users.items() if len(found) == 1} == shown


def test_the_command_line_lists_and_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in listed} == {*PILOTS, "cea", "ccer", "open"}
    assert {each["name"]: each.get("as_of") for each in listed}["hubei"] == "2024-03-01"
    assert run(["profile", "show", "guangdong"]) == 0
    shown = capsys.readouterr().out
    assert "as of 2020-06-11" in shown
    (line,) = [line for line in shown.splitlines() if "close_tonnes_over" in line]
    assert line.split() == ["close_tonnes_over", "100", "PLT-PRC-03", "S"]
    (line,) = [line for line in shown.splitlines() if "listed_band_bp" in line]
    assert line.split() == ["listed_band_bp", "1000", "PLT-MKT-05", "R", "unconfirmed"]


def test_another_mark_is_refused() -> None:
    folder = ROOT / "src" / "cea_exchange" / "domain" / "profiles"
    text = (folder / "fujian.toml").read_text(encoding="utf-8")
    with pytest.raises(ProfileError, match="confidence"):
        profile_parse(text.replace('confidence = "S2"', 'confidence = "sure"'), "fujian")
