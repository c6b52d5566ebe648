"""The smallest institution has all that every one has: daemon, commands, copies, proofs."""

import json
import os
import subprocess
import sys

import pytest

from cea_exchange.protocol.security import CurveKeys
from support.institution import archive_command
from support.institution.archive import ArchiveStore
from support.places import ROOT
from support.registry.fake_venue import wait_until
from support.registry.ledger_by_hand import guards_off

WAIT_S = 60
SETTINGS = """
operators = [
    {name = "an", key = "keys/an.public"},
    {name = "bo", key = "keys/bo.public"},
]
"""


@pytest.fixture
def folder(tmp_path, database_address):
    """A folder for an archive of two operators; where its database is to be."""
    for name in ("archive", "an", "bo"):
        CurveKeys.new().save(tmp_path / "keys", name)
    database = "" if database_address is None else f'database = "{database_address}"\n'
    (tmp_path / "archive.toml").write_text(database + SETTINGS)
    return tmp_path


@pytest.fixture
def typed(folder, capsys):
    """Types a command of the archive; its status, output and errors."""

    def run(*words):
        status = archive_command.run([*map(str, words), "--data", str(folder)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def answered(typed):
    """Types a command that must succeed, with --json; its answer."""

    def run(*words):
        status, out, err = typed(*words, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def daemon(folder):
    """A running archive."""
    command = (sys.executable, "-m", "support.institution.archive_command", "serve")
    config = ("--config", str(folder / "archive.toml"), "--data", str(folder))
    path = os.pathsep.join((str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")))
    with (folder / "archive.log").open("a") as log:
        process = subprocess.Popen(
            [*command, *config], stderr=log, env={**os.environ, "PYTHONPATH": path}
        )
    try:
        endpoints = folder / "archive" / "endpoints.json"
        wait_until(lambda: endpoints.exists() or process.poll() is not None, WAIT_S)
        assert endpoints.exists(), (folder / "archive.log").read_text()
        yield process
    finally:
        process.terminate()
        assert process.wait(WAIT_S) == 0


@pytest.mark.e2e
@pytest.mark.postgres_at_night
def test_its_daemon_takes_two_persons_where_two_are_needed(daemon, typed, answered):
    """CEA-REG-02, CEA-REG-03."""
    assert answered("document", "keep", "a map", "--key", "an")["document"] == 1
    destroy = ("document", "destroy", 1, "--why", "mould")
    status, out, _err = typed(*destroy, "--key", "an")
    assert status == 0 and "of archive: archive proposal approve 1 --hash " in out
    digits = out.split()[-1]
    status, _out, err = typed("proposal", "approve", 1, "--hash", digits, "--key", "an")
    assert status == 2 and "refused SAME_PERSON" in err
    (waiting,) = answered("proposal", "list", "--key", "bo")["proposals"]
    assert (waiting["op"], waiting["request_hash"]) == ("document_destroy", digits)
    status, out, _err = typed("proposal", "approve", 1, "--hash", digits, "--key", "bo")
    assert (status, out) == (0, "proposal 1 approved, document_destroy is done: document 1\n")
    status, out, _err = typed("document", "list", "--key", "bo")
    assert out.split() == ["number", "title", "state", "1", "a", "map", "destroyed"]
    acts = answered("act", "list", "--key", "bo")["acts"]
    assert [(act["op"], act["person"], act["second"]) for act in acts] == [
        ("document_keep", "an", ""),
        ("document_destroy", "an", "bo"),
    ]
    status, out, _err = typed("status", "--key", "bo")
    assert status == 0 and "archive" in out and "second person" in out
    assert typed("stop", "--key", "an")[0] == 0
    assert daemon.wait(WAIT_S) == 0


def test_it_is_checked_before_it_starts(folder, typed):
    status, out, _err = typed("check", "--config", folder / "archive.toml")
    assert status == 0 and "an (operator), bo (operator)" in out
    (folder / "keys" / "archive.secret").unlink()
    status, out, _err = typed("check", "--config", folder / "archive.toml")
    assert status == 1 and "own key    WRONG" in out


def test_a_copy_is_restored_and_what_was_changed_is_found(
    folder, typed, answered, capsys, tmp_path_factory, database_address
):
    """CEA-REG-05."""
    with ArchiveStore.open(folder, database_address) as store, store.transaction():
        store.insert("documents (document_id, title, content, state)", [(1, "a map", b"", "kept")])
    copy, other = folder / "copy", tmp_path_factory.mktemp("restored")
    assert answered("backup", "--out", copy) == {"file": str(copy), "last_link": 2}
    assert archive_command.run(["restore", str(copy), "--data", str(other)]) == 0
    assert archive_command.run(["verify", "--data", str(other)]) == 0
    restored, verified = capsys.readouterr().out.splitlines()
    assert restored.startswith("reconciled at link 2, head ")
    assert verified == f"verified 2 links, {restored.split(', ')[1]}"
    status, out, _err = typed("audit")
    assert status == 0 and out.splitlines()[-1] == "All is well: none of 3 queries gave a row."
    assert [line.split()[0] for line in out.splitlines()[:-1]] == [
        "acts_of_two", "references_held", "rows_as_logged"
    ]  # fmt: skip
    with ArchiveStore.open(folder, database_address) as store:
        guards_off(store)
        store.execute("UPDATE documents SET title = 'a treaty' WHERE document_id = 1")
    for command in ("verify", "reconcile", "audit"):
        status, out, _err = typed(command)
        assert status == 1 and "a treaty" in out
    assert typed("backup", "--out", folder / "second")[0] == 0
    assert archive_command.run(["restore", str(folder / "second"), "--data", str(other / "2")]) == 2
    assert "archive differs at" in capsys.readouterr().err
    assert not (other / "2" / "archive" / "archive.sqlite").exists()
