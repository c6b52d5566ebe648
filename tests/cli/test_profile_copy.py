"""A profile is copied, changed and used: by replays, loads and the demo."""

import tomllib

import msgspec
import pytest

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.flows import demo
from cea_exchange.cli.flows.flow_files import profile_given
from cea_exchange.cli.main import run
from cea_exchange.domain.profile import load_profile, profile_names, profile_text
from cea_exchange.loadtest.run import RunError, run_load
from cea_exchange.loadtest.run_file import RunFile, run_settings

WIDE = 'listed_band_bp = {value = 1000, rule = "CEA-LST-02"}'
NARROW = 'listed_band_bp = {value = 100, rule = "CEA-LST-02"}'


@pytest.fixture
def mine(tmp_path, capsys):
    assert run(["profile", "copy", "cea"]) == 0
    text = capsys.readouterr().out
    assert text.count(WIDE) == 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(WIDE, NARROW), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", profile_names())
def test_a_copy_is_the_profile_to_the_last_comment(name, capsys, tmp_path):
    assert run(["profile", "copy", name]) == 0
    path = tmp_path / "copy.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == profile_text(name)
    assert load_profile(path).profile_hash() == load_profile(name).profile_hash()
    assert tomllib.loads(path.read_text(encoding="utf-8"))["name"] == name


def test_a_profile_of_ones_own_is_given_by_where_it_is(mine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Daemons that get it may be started elsewhere.
    assert profile_given("mine.toml") == str(mine) and profile_given("cea") == "cea"
    with pytest.raises(CommandError, match="expected one of .* or a path, got 'mine'"):
        profile_given("mine")
    mine.write_text("name = 1", encoding="utf-8")
    with pytest.raises(CommandError, match="mine.toml"):
        profile_given("mine.toml")


def test_a_loaded_market_has_the_rules_that_were_given(mine, tmp_path):
    settings = RunFile(target="market", profile=str(mine), rate=500, duration=0.5, participants=8)
    refused = {}
    for name in ("cea", str(mine)):
        chosen = msgspec.structs.replace(settings, profile=name)
        (tmp_path / name.replace("/", "_")).mkdir()
        result = run_load(
            tmp_path / name.replace("/", "_"), run_settings(chosen), lambda line: None
        )
        assert result.settings["profile"] == name and result.losses == []
        refused[name] = result.figures.refused.get("PRICE_OUT_OF_BAND", 0)
    assert refused["cea"] < refused[str(mine)]
    with pytest.raises(RunError, match="profile: expected a venue .*, got target book"):
        run_settings(RunFile(target="book", profile=str(mine)))


def test_the_demo_gives_its_venue_the_profile(mine):
    settings = demo._settings(8, 100, 1, 1, 50.0, "2025-01-02", None, str(mine))
    assert settings.profile == str(mine)
