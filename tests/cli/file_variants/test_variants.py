"""Every command that reads a user's file, with every variant of a file: one error line, no more."""

import random
from pathlib import Path

import pytest

from cea_exchange.cli.one_line import LINE_CHARACTERS_MAX
from cli.file_variants.expected import KNOWN_FAULTS, LEGITIMATE
from cli.file_variants.forms import DATA, FILE, FORMS, OUT, Form
from cli.file_variants.measuring import Run, measured
from cli.file_variants.variants import VARIANTS, Made
from support.patience import patience

pytestmark = pytest.mark.e2e

MEMORY_MIB_MAX = 200
SECONDS_MAX = 5
PLACE_CHARACTERS = 20
SEED = 42
SAMPLE_SIZE = 12
PAIRS = [(form, variant) for form in FORMS for variant in VARIANTS]
REFUSED = [pair for pair in PAIRS if pair not in LEGITIMATE and pair not in KNOWN_FAULTS]
SAMPLE = random.Random(SEED).sample(REFUSED, SAMPLE_SIZE)


def run_of(folder: Path, form: Form, path: Made) -> Run:
    """Run a form's command line with a file."""
    (folder / "data").mkdir()
    places = {FILE: path, OUT: str(folder / "out"), DATA: str(folder / "data")}
    return measured(folder, [places.get(word, word) for word in form.arguments])


def faults_of(run: Run, place: str) -> list[str]:
    """Return what is wrong with a run that had to refuse its file; its line names a place."""
    line, end, rest = run.errors.partition("\n")
    checks = {
        f"exit status {run.status}": run.status == 2,
        "traceback": "Traceback" not in run.errors,
        "no line": bool(line and end),
        "several lines": not rest,
        "long line": len(line) <= LINE_CHARACTERS_MAX,
        "unprintable line": line.isprintable(),
        "file not named": place in line,
        "much memory": run.memory_mib <= MEMORY_MIB_MAX,
        "slow": run.seconds <= SECONDS_MAX * patience(),
    }
    return [fault for fault, is_right in checks.items() if not is_right]


def pair_check(folder: Path, form: str, variant: str) -> None:
    """Run one pair and assert its result: accepted, refused, or exactly its known faults."""
    path = VARIANTS[variant](folder, FORMS[form])
    if path is None:
        pytest.skip("root may read every file")
    run = run_of(folder, FORMS[form], path)
    if (form, variant) in LEGITIMATE:
        assert run.status in (0, 1) and "Traceback" not in run.errors, run
    else:
        faults, _ = KNOWN_FAULTS.get((form, variant), ([], ""))
        # A long path loses its middle in the line, so only its beginning is compared.
        assert faults_of(run, str(folder)[:PLACE_CHARACTERS]) == faults, run


@pytest.mark.nightly
@pytest.mark.parametrize(("form", "variant"), PAIRS)
def test_every_pair_is_refused_in_one_line_or_is_legitimate(tmp_path, form, variant):
    pair_check(tmp_path, form, variant)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "variant"), SAMPLE)
def test_a_sample_of_pairs_is_refused_in_one_line(tmp_path, form, variant):
    pair_check(tmp_path, form, variant)


@pytest.mark.nightly
@pytest.mark.parametrize("form", FORMS)
def test_the_valid_file_of_each_command_is_accepted(tmp_path, form):
    path = tmp_path / f"valid.{FORMS[form].kind}"
    path.write_text(FORMS[form].text, encoding="utf-8")
    run = run_of(tmp_path, FORMS[form], str(path))
    # `check` of a daemon says with status 1 that its data folder has no keys.
    assert run.status == (1 if form in ("venue check", "registry check") else 0), run


def test_the_matrix_has_19_commands_and_at_least_40_variants():
    assert len(FORMS) == 19 and len(VARIANTS) >= 40


@pytest.mark.parametrize("form", FORMS)
def test_each_valid_file_has_what_its_variants_change(form):
    each = FORMS[form]
    assert each.number in each.text and each.needed in each.text
    assert each.needed or each.kind == "csv"


def test_each_declared_pair_exists_and_has_its_reason():
    assert {*LEGITIMATE, *KNOWN_FAULTS} <= {*PAIRS}
    assert not {*LEGITIMATE} & {*KNOWN_FAULTS}
    assert all(LEGITIMATE.values()) and all(faults and why for faults, why in KNOWN_FAULTS.values())


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (Run(0, "a: expected b\n", 20, 0.1), "exit status 0"),
        (Run(-9, "a: expected b\n", 20, 0.1), "exit status -9"),
        (Run(2, "", 20, 0.1), "no line"),
        (Run(2, "one\ntwo\n", 20, 0.1), "several lines"),
        (Run(2, "x" * 301 + "\n", 20, 0.1), "long line"),
        (Run(2, "a\x1b[2J\n", 20, 0.1), "unprintable line"),
        (Run(2, "a: expected b\n", 201, 0.1), "much memory"),
        (Run(2, "a: expected b\n", 20, 1e6), "slow"),
    ],
)
def test_each_fault_is_noticed(run, fault):
    assert faults_of(run, run.errors[:1]) == [fault]


def test_a_line_that_does_not_name_the_file_is_noticed():
    assert faults_of(Run(2, "expected b\n", 20, 0.1), "/tmp/") == ["file not named"]
