"""What a deployment installs is locked: releases within the ranges, each with its hashes."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.places import ROOT

LOCKS = ROOT / "contrib" / "lock"
TOOLS = ROOT / "build" / "security-tools"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
RUN_TIME = ("arrow", "evidence", "plots", "postgres", "ray", "screens", "sweep", "xlsx")
"""Extras that a user's installation may have; the others are for who works on the project."""
LOCKED_EXTRAS = ("arrow", "cluster", "evidence", "postgres", "screens", "xlsx")
ENTRY = re.compile(r"^(\S+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def locked(name):
    """Return the releases of a lock file, after having read every line of it."""
    text = (LOCKS / name).read_text(encoding="utf-8")
    rest = re.sub(r"^ *#.*\n", "", ENTRY.sub("", text), flags=re.MULTILINE)
    assert rest == "", f"{name}: neither a release with its hashes nor a comment"
    entries = ENTRY.findall(text)
    assert len({entry[0] for entry in entries}) == len(entries)
    return {canonicalize_name(entry[0]): entry[1] for entry in entries}


def asked_for(name):
    if name == "tools.txt":
        lines = (LOCKS / "tools.in").read_text(encoding="utf-8").splitlines()
        return [Requirement(line) for line in lines if not line.startswith("#")]
    asked = [*PROJECT["dependencies"]]
    if name == "extras.txt":
        asked += [one for extra in LOCKED_EXTRAS for one in EXTRAS[extra]]
    return [Requirement(one) for one in asked]


@pytest.mark.parametrize("name", ["daemons.txt", "extras.txt", "tools.txt"])
def test_a_lock_file_has_hashes_and_keeps_to_the_ranges(name):
    releases = locked(name)
    asked = asked_for(name)
    assert asked
    for requirement in asked:
        release = releases[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(release), f"{requirement} has {release}: `make lock`"


def test_a_lock_file_names_no_place_to_get_things_from():
    for path in LOCKS.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text and "index-url" not in text and "find-links" not in text


def test_extras_add_to_the_daemons_and_change_nothing():
    daemons, extras = locked("daemons.txt"), locked("extras.txt")
    assert daemons.items() < extras.items()


def test_every_dependency_of_a_users_has_an_upper_bound():
    asked = [*PROJECT["dependencies"], *(one for extra in RUN_TIME for one in EXTRAS[extra])]
    unbounded = [
        one
        for one in asked
        if not any(each.operator == "<" for each in Requirement(one).specifier)
    ]
    assert asked and unbounded == []


@pytest.mark.skipif(
    not (TOOLS / ".installed").exists(), reason="the tools are not installed: `make sbom` does it"
)
def test_the_sbom_has_every_locked_release_with_its_hashes():
    subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, check=True, timeout=120)
    for name in ("daemons", "extras"):
        path = ROOT / "build" / "sbom" / f"{name}.cdx.json"
        shown = json.loads(path.read_text(encoding="utf-8"))
        assert shown["bomFormat"] == "CycloneDX"
        root = shown["metadata"]["component"]
        assert (root["name"], root["version"]) == (PROJECT["name"], PROJECT["version"])
        parts = shown["components"]
        assert {one["name"]: one["version"] for one in parts} == locked(f"{name}.txt")
        assert all(one["externalReferences"][0]["hashes"] for one in parts)


# -- The audit: what pip-audit says is told, and what it leaves out too ----------------------------


def module_loaded():
    spec = importlib.util.spec_from_file_location("lock_audit", LOCKS / "audit.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CLEAN = {"name": "a", "version": "1", "vulns": []}
KNOWN = {"id": "PYSEC-2000-1", "fix_versions": ["1.1"]}


@pytest.mark.parametrize(
    ("answer", "ends", "status", "shown"),
    [
        ([CLEAN], 0, 0, "1 looked up, 0 advisories"),
        ([CLEAN | {"vulns": [KNOWN]}], 1, 1, "a 1: PYSEC-2000-1, mended in 1.1"),
        ([{"name": "a", "skip_reason": "not found"}], 0, 2, "NOT AUDITED: not found"),
        (None, 1, 2, "NOT AUDITED: the advisory service can't be reached: no route"),
        ([], 0, 2, "0 looked up"),
    ],
    ids=["clean", "known", "skipped", "unreachable", "empty"],
)
def test_an_audit_that_could_not_ask_does_not_say_that_all_is_well(
    tmp_path, capsys, answer, ends, status, shown
):
    program = tmp_path / "audit_program.py"
    said = "" if answer is None else json.dumps({"dependencies": answer})
    program.write_text(
        f"import sys\nprint({said!r})\nprint('no route', file=sys.stderr)\nsys.exit({ends})\n"
    )
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1\n")
    assert module_loaded().main([str(lock)], [sys.executable, str(program)]) == status
    assert shown in capsys.readouterr().out
