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


# -- Pure-Python packages --------------------------------------------------------------------------


@pytest.fixture
def python_mutants(monkeypatch):
    monkeypatch.syspath_prepend(MUTATION)
    return import_module("python_mutants")


TEXT = '''"""A module."""

LIMIT = 3


def taken(rows, limit: int = 2):
    """Return what a limit lets through."""
    found = 0
    for row in rows:
        if row.tonnes < limit and not row.is_left:
            found += row.tonnes
        log.info("taken", count=1)
    store.execute("SELECT a FROM b WHERE c = ? AND d < ?")
    return found
'''


def changes(python_mutants, text):
    source = python_mutants.Source("src/cea_exchange/platform/some.py", text)
    return source, [(each.operator, each.old, each.new) for each in source.mutants()]


@pytest.mark.parametrize(
    ("operator", "old", "new"),
    [
        ("comparison", "row.tonnes < limit", "row.tonnes <= limit"),
        ("logic", "limit and not", "limit or not"),
        ("logic", "not row.is_left", "row.is_left"),
        ("operand", "not row.is_left", "True"),
        ("condition", "if row.tonnes < limit and not row.is_left", "if False"),
        ("arithmetic", "found += row.tonnes", "found -= row.tonnes"),
        ("dropped", "found += row.tonnes", "pass"),
        ("constant", "LIMIT = 3", "LIMIT = 4"),
        ("constant", "limit: int = 2", "limit: int = 1"),
        ("returned", "return found", "return None"),
        ("sql", "c = ?", "(c = ? OR 1 = 1)"),
        ("sql", "d < ?", "d <= ?"),
    ],
)
def test_a_module_has_mutants_of_every_kind(python_mutants, operator, old, new):
    _, made = changes(python_mutants, TEXT)
    expected = [each for each in made if each[0] == operator and old in each[1]]
    line = expected[0][1]
    wanted = " ".join(line.replace(old, new).split())
    assert wanted in [" ".join(each[2].split()) for each in expected]


def test_a_statement_that_only_writes_to_the_log_has_no_mutant_and_is_counted(python_mutants):
    source, made = changes(python_mutants, TEXT)
    assert not any("log.info" in old for _, old, _ in made)
    assert source.log_calls == 1


def test_every_mutant_of_a_package_is_a_program_of_as_many_lines(python_mutants):
    sources = python_mutants.sources_read(ROOT, "ccer")
    for source in sources:
        for mutant in [*source.mutants()][::20]:
            compile(mutant.text, mutant.name, "exec")
            assert mutant.text.count("\n") == source.text.count("\n")


def test_the_same_seed_draws_the_same_mutants_and_another_seed_others(python_mutants):
    def keys(seed):
        return [each.key for each in python_mutants.sample_draw(ROOT, "ccer", 30, seed).mutants]

    assert keys(1) == keys(1)
    assert len({*keys(1)} & {*keys(2)}) < 10


def test_a_change_of_lines_alone_is_the_same_code(python_mutants):
    assert python_mutants.is_same_code("a = 1\n", "\n\na = (1)\n")
    assert not python_mutants.is_same_code("a = 1\n", "a = True\n")


def test_every_explained_mutant_of_a_package_can_be_generated(python_mutants):
    text = (MUTATION / "equivalent_python.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text).get("mutant", [])
    for entry in entries:
        path = f"{CORE}/{entry['file']}"
        source = python_mutants.Source(path, (ROOT / path).read_text(encoding="utf-8"))
        key = (path, entry["function"], entry["old"], entry["new"], entry.get("nth", 1))
        assert key in {mutant.key for mutant in source.mutants()}, entry


def test_a_mutant_is_tried_by_the_tests_that_run_its_statement(python_mutants):
    covering = import_module("covering").Covering(
        {"some.py": {2: {"tests/a.py::test_one"}, 3: {"tests/b.py"}, 4: {"tests/a.py::test_two"}}},
        {"tests/a.py::test_one": 3, "tests/a.py::test_two": 1, "tests/b.py::test_three": 1},
        [],
    )

    def tests(*lines):
        mutant = python_mutants.PythonMutant("", "some.py", "", "dropped", "", "", "", lines=lines)
        return covering.tests_of(mutant)

    assert tests(2, 2) == {"tests/a.py::test_one"}
    assert tests(2, 3) == {"tests/a.py::test_one", "tests/b.py::test_three"}
    assert tests(9, 9) == set()
    assert tests(0, 0) == {*covering.seconds}  # run at import, for all tests of the module
    assert covering.in_order(covering.seconds, 4)[0] == "tests/b.py::test_three"
