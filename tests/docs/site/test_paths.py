"""The five paths are walked as their readers would, and say in both languages the same commands."""

import pytest

from support.page_walk import Step, prints, stand_ins_make, steps_of, walk
from support.places import ROOT

PATHS = ROOT / "docs" / "paths"
BY_DAY = ("embed",)
NAMES = sorted(path.stem for path in PATHS.glob("*.md") if "." not in path.stem)
NAMES.remove("README")
# Real daemons, and a year: they take some seconds each.
AT_NIGHT = [pytest.param(each, marks=pytest.mark.nightly) for each in NAMES if each not in BY_DAY]


@pytest.mark.e2e
@pytest.mark.parametrize("name", [*BY_DAY, *AT_NIGHT])
def test_a_path_does_and_prints_what_its_page_says(name, tmp_path):
    steps = steps_of((PATHS / f"{name}.md").read_text(encoding="utf-8"))
    walked = walk(steps, tmp_path / "walk", stand_ins_make(tmp_path / "programs"))
    for step, said in zip(steps, walked.said, strict=True):
        if step.shown is not None:
            assert prints(step.shown, said), f"{step.typed}shows\n{step.shown}and prints\n{said}"


@pytest.mark.parametrize("name", [*NAMES, "README"])
def test_both_languages_have_the_same_commands_and_links(name):
    english, chinese = (
        (PATHS / f"{name}{language}.md").read_text(encoding="utf-8") for language in ("", ".zh")
    )
    assert steps_of(english) == steps_of(chinese)
    assert english.count("](") == chinese.count("](")


def test_there_are_five_paths_and_each_shows_what_it_prints():
    assert NAMES == ["embed", "operate", "simulate", "supervise", "trade"]
    for name in NAMES:
        steps = steps_of((PATHS / f"{name}.md").read_text(encoding="utf-8"))
        assert sum(step.shown is not None for step in steps) >= 2, name
        assert "pip install cea-exchange" in steps[0].typed


def test_the_walker_tells_what_is_printed_from_what_is_not():
    assert prints("a ... c\n...\nz\n", "a b c\nany\nlines\nz\n")
    assert not prints("a\n", "a\nb\n") and not prints("a\nb\n", "a\n")
    assert steps_of("```sh\na\n```\n\n```text\nb\n```\n\n```sh\nc\n```\n") == [
        Step("a\n", "b\n"), Step("c\n", None),
    ]  # fmt: skip
