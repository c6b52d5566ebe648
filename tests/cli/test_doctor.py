"""`doctor`: each look finds what is right, and what is wrong with what to do about it."""

import json
import socket
from importlib import metadata

import pytest

from cea_exchange.cli.help import doctor
from cea_exchange.cli.main import run

FIELDS = {"name", "state", "found", "remedy"}


def looked(capsys, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
    status = run(["doctor", "--json", *options])
    return status, {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def test_on_this_machine_nothing_is_wrong(capsys, tmp_path):
    status, found = looked(capsys, "--data", str(tmp_path / "new"))
    assert status == 0
    needed = {"python", "package", "compiler", "disk", "space", "ports", "clock", "calendar"}
    assert needed <= set(found) and all(set(each) <= FIELDS for each in found.values())
    for name in ("python", "package", "space", "ports"):
        assert found[name]["state"] == "ok" and "remedy" not in found[name]
    assert metadata.version("cea-exchange") in found["package"]["found"]
    # Measured in the folder that is there, and nothing is left in it.
    assert str(tmp_path) in found["disk"]["found"] and list(tmp_path.iterdir()) == []
    for each in found.values():
        assert (each["state"] == "ok") == ("remedy" not in each)


def test_people_see_a_table_of_the_same(capsys, tmp_path):
    assert run(["doctor", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["what", "state", "found", "what", "to", "do"]
    assert [line for line in lines if line.startswith("python") and " ok " in line]


def test_a_port_that_is_taken_is_wrong(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, found = looked(capsys, "--port", str(port))
    assert status == 1
    each = found[f"port {port}"]
    assert each["state"] == "wrong" and "in use" in each["found"] and each["remedy"]
    assert found["ports"]["state"] == "ok"
    status, found = looked(capsys, "--port", "70000")
    assert status == 1 and found["port 70000"]["state"] == "wrong"


def test_a_disk_that_can_not_be_written_to_is_wrong(capsys, monkeypatch):
    def refuse(folder: object) -> list[float]:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor, "_sync_us", refuse)
    assert run(["doctor"]) == 1
    error = capsys.readouterr()
    assert "Read-only file system" in error.out and error.err == "cea-exchange: wrong: disk\n"


@pytest.mark.parametrize(
    ("micros", "state", "words"),
    [(2.0, "note", "nothing is written so fast"), (300.0, "ok", ""), (9e4, "note", "each batch")],
)
def test_a_disk_too_fast_to_be_true_or_too_slow_is_noted(
    capsys, monkeypatch, micros, state, words
):
    monkeypatch.setattr(doctor, "_sync_us", lambda folder: [micros] * 5)
    status, found = looked(capsys)
    assert status == 0 and found["disk"]["state"] == state
    assert words in found["disk"].get("remedy", "")


def test_a_compiled_module_that_does_not_load_is_wrong(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "COMPILED", ("cea_exchange._not_there",))
    status, found = looked(capsys)
    assert status == 1 and "_not_there" in found["package"]["found"]


@pytest.mark.parametrize(
    ("kept", "state"), [(True, "ok"), (False, "note"), (None, "note")]
)
def test_a_clock_that_nothing_keeps_is_noted(capsys, monkeypatch, kept, state):
    monkeypatch.setattr(doctor, "_clock_is_kept", lambda: kept)
    assert looked(capsys)[1]["clock"]["state"] == state


def test_every_extra_of_users_is_looked_for_with_all_it_brings(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "_installed", lambda name: "" if name == "pyarrow" else "1.0")
    _, found = looked(capsys)
    extras = {name.removeprefix("extra ") for name in found if name.startswith("extra ")}
    known = set(metadata.metadata("cea-exchange").get_all("Provides-Extra") or ())
    assert extras == known - doctor.FOR_DEVELOPERS and {"plots", "arrow", "screens"} <= extras
    assert found["extra arrow"]["found"] == "pyarrow missing"
    assert "cea-exchange[arrow]" in found["extra arrow"]["remedy"]
    assert "starlette 1.0" in found["extra screens"]["found"]
