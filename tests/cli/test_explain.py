"""`explain`: every code, rule, word and key of settings is found, with source and remedy."""

import json
import re
import tomllib

import pytest

from cea_exchange.cli.help import explanations
from cea_exchange.cli.help.explanations import everything, explained, near
from cea_exchange.cli.main import run
from cea_exchange.domain.profile import load_profile
from cea_exchange.screens.texts.catalogue import refusal_texts
from support.places import ROOT

PROTOCOL = ROOT / "protocol"


def test_every_refusal_of_the_schema_is_explained_as_its_page_says():
    schema = tomllib.loads((PROTOCOL / "schema" / "refusals.toml").read_text(encoding="utf-8"))
    codes = [
        (name, number)
        for daemon in schema.values()
        for group in daemon["group"]
        for name, (number, *_) in ((n, v) for n, v in group.items() if n != "title")
    ]
    assert len(codes) > 250
    for name, number in codes:
        found = [each for each in explained(name) if each.of.endswith(f", number {number}")]
        assert found, name
        for each in found:
            page = (ROOT / each.source).read_text(encoding="utf-8")
            assert f"| `{name}` |" in page and each.text and each.kind == "refusal"


def test_every_reason_of_the_market_has_its_remedy_and_its_rules():
    for name, words in refusal_texts("en").items():
        enum, _, code = name.partition(".")
        if enum == "Reason":
            (found,) = [each for each in explained(code) if each.of.startswith("market,")]
            assert found.text == words.meaning
            assert found.remedy == ("" if words.remedy == "-" else words.remedy)
            assert set(found.rules) == set(re.findall(r"[A-Z]+-[A-Z]{3}-\d\d", found.text))


def test_every_rule_and_word_of_the_pages_is_found():
    rules = re.findall(
        r"^\| ([A-Z]+-[A-Z]{3}-\d\d) \|", (PROTOCOL / "rules.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(rules) > 400
    for rule in rules:
        assert {each.kind for each in explained(rule)} == {"rule"}, rule
    (rule,) = explained("cea-ord-01")
    assert "steps of 0.01 yuan" in rule.text and rule.source.startswith("TR Art 9")
    for word, name in (("t", "tonne (t)"), ("fen", "yuan, fen"), ("挂单", "resting order")):
        assert name in [each.name for each in explained(word)]
    (resting,) = explained("resting order")
    assert "listed order" in resting.remedy


PROCESSES = ["venue", "registry", "platform", "ccer", "bank", "relay", "way_in", "log_node"]


@pytest.mark.parametrize("daemon", PROCESSES)
def test_every_setting_of_a_daemon_is_described(daemon):
    keys = [each for _, each in everything() if each.kind == "setting"]
    own = {each.name: each for each in keys if each.name.startswith(f"{daemon}.")}
    assert len(own) >= 5
    # Every settings file that is shipped is of such a process, and each of its keys is known.
    shipped = {path.stem for path in (ROOT / "contrib").glob("*.toml")}
    assert shipped <= set(PROCESSES)
    if daemon in shipped:
        file = tomllib.loads((ROOT / "contrib" / f"{daemon}.toml").read_text(encoding="utf-8"))
        assert {f"{daemon}.{key}" for key in file} <= own.keys()
    for each in own.values():
        assert each.text and each.text != "See its class." and each.chinese, each.name
    assert not [name for name in own if name.count(".") > 3]


def test_a_setting_is_found_by_its_whole_name_or_any_part_of_it():
    for name in ("venue.lag.warn", "lag.warn", "warn"):
        assert "venue.lag.warn" in [each.name for each in explained(name)]
    (key,) = explained("throttle_per_second_of_nothing") or [None]
    assert key is None


def test_values_of_the_market_name_their_rule():
    for setting in load_profile("cea").settings:
        found = [each for each in explained(setting.name) if each.kind == "market value"]
        assert found and set(found[0].rules) <= set(re.findall(r"[A-Z-]+\d\d", setting.rule))


def test_what_is_not_known_ends_with_what_is_near_it(capsys):
    assert near("CASH_INSUFICIENT")[0] == "CASH_INSUFFICIENT"
    assert run(["explain", "CASH_INSUFICIENT"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "near it: CASH_INSUFFICIENT" in error
    assert run(["explain", "qqqqqqqq"]) == 2
    assert "nothing is near it" in capsys.readouterr().err


def test_people_and_programs_are_told_the_same(capsys):
    assert run(["explain", "cash_insufficient"]) == 0
    shown = capsys.readouterr().out
    assert run(["explain", "CASH_INSUFFICIENT", "--json"]) == 0
    (content,) = json.loads(capsys.readouterr().out)
    for name in ("name", "text", "chinese", "remedy", "source"):
        assert content[name] in shown
    assert list(content["rules"]) == ["CEA-FND-03"] and "CEA-FND-03: " in shown
    assert run(["explain", "resting", "order"]) == 0


def test_pages_of_a_wheel_come_before_those_of_the_sources(tmp_path, monkeypatch):
    (tmp_path / "glossary.md").write_text("a wheel's", encoding="utf-8")
    monkeypatch.setattr(explanations.resources, "files", lambda package: tmp_path)
    assert explanations.page("glossary.md") == "a wheel's"
    assert explanations.page("rules.md").startswith("# Rules")
