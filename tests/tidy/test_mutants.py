"""What the mutation campaign is told of the sources is true of them as they are today."""

import tomllib
from importlib import import_module

import pytest

from mutation.mutants import CORE, planted_read
from support.places import ROOT

MUTATION = ROOT / "tests" / "mutation"


def test_every_planted_mutant_is_found_in_its_source_once():
    assert len(planted_read(ROOT, MUTATION / "planted.toml")) > 100


def test_every_compiled_module_is_one_that_mutants_are_made_of(monkeypatch):
    monkeypatch.syspath_prepend(MUTATION)
    modules = import_module("workshop").modules_read(ROOT)
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / CORE).rglob("*.pyx")}
    assert {module.source for module in modules} == sources


def test_every_explained_mutant_is_a_change_of_its_source():
    entries = tomllib.loads((MUTATION / "equivalent.toml").read_text(encoding="utf-8"))["mutant"]
    assert entries
    for entry in entries:
        text = (ROOT / CORE / entry["file"]).read_text(encoding="utf-8")
        assert entry["old"] in text, f"{entry['file']}: {entry['old']!r} is not there any more"
        assert entry["function"] in text, f"{entry['file']}: no {entry['function']}"


def test_a_planted_mutant_that_is_not_there_is_told(tmp_path):
    planted = tmp_path / "planted.toml"
    planted.write_text('[lost]\nfile = "core/trading.pyx"\nold = "gone"\nnew = ""\nwhy = ""\n')
    with pytest.raises(ValueError, match="lost: `old`: expected in src/cea_exchange/core/trading"):
        planted_read(ROOT, planted)
