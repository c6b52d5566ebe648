"""Every rule and every word of the glossary is said in Chinese, with the figures that it has."""

import re
import tomllib
from calendar import month_name

import pytest

from cea_exchange.cli.help.explanations import everything, explained, near
from cea_exchange.cli.language import language_set
from cea_exchange.cli.main import run
from cea_exchange.domain.profile import load_profile
from cea_exchange.screens.texts.catalogue import FOLDER, texts

TABLES = tomllib.loads(FOLDER.joinpath("rules", "zh.toml").read_text(encoding="utf-8"))
NUMBER = re.compile(r"(?<![A-Za-z])\d[\d,.]*\d|(?<![A-Za-z])\d")
PROFILES = (
    *("beijing", "ccer", "cea", "chongqing", "fujian", "guangdong", "hubei", "open"),
    *("shanghai", "shenzhen", "tianjin"),
)


@pytest.fixture(autouse=True)
def english_after():
    yield
    language_set([], {})


def of_kind(kind: str) -> dict[str, object]:
    return {each.name: each for _, each in everything() if each.kind == kind}


def figures(text: str) -> set[str]:
    """The numbers of a text, a month's name being one."""
    for number, month in enumerate(month_name[1:], 1):
        text = re.sub(rf"\b{month}\b", f" {number} ", text)
    return {found.replace(",", "").rstrip(".") for found in NUMBER.findall(text)}


def test_every_rule_heading_and_word_has_its_chinese_and_nothing_else_does():
    rules = of_kind("rule")
    assert rules.keys() == TABLES["rules"].keys() and len(rules) > 500
    assert {each.of for each in rules.values()} <= TABLES["headings"].keys()
    assert of_kind("term").keys() == TABLES["terms"].keys()


def test_a_rule_has_the_same_figures_in_both_languages():
    """So a value that changes in the one is not forgotten in the other."""
    differing = {
        name: figures(rule.text) ^ figures(rule.chinese)
        for name, rule in of_kind("rule").items()
        if figures(rule.text) != figures(rule.chinese)
    }
    assert differing == {}


def test_what_is_asked_for_in_chinese_is_found():
    assert "CEA-LST-02" in [each.name for each in explained("涨跌幅")]
    assert "allowance" in [each.name for each in explained("配额")]
    assert "碳排放配额" in near("碳排放配")


def test_rules_words_and_values_are_explained_in_chinese(capsys):
    for name in ("CEA-LST-02", "clearing price", "levels_max", "PICK_NOT_AVAILABLE"):
        assert run(["explain", name, "--lang", "zh"]) == 0
        shown = re.sub(r"`[^`]*`|来源: .*", "", capsys.readouterr().out)
        assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", shown), shown
    assert run(["explain", "无此词", "--lang", "zh"]) == 2
    assert "应为拒绝代码" in capsys.readouterr().err


@pytest.mark.parametrize("profile", PROFILES)
def test_every_value_of_a_profile_has_a_name(profile):
    for setting in load_profile(profile).settings:
        kind = setting.name.partition(" ")[0]
        assert kind == "notice" or f"setting.{kind}" in texts("zh"), setting.name
