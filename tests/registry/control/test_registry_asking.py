"""What the registry's commands see to before they ask, and how they print what came."""

from hashlib import sha256
from pathlib import Path

import pytest

from cea_exchange.cli.acts.parameters import file_content
from cea_exchange.cli.main import run
from cea_exchange.cli.output import table
from cea_exchange.institution.control.admin_client import InstitutionUnavailable
from cea_exchange.institution.control.request import REQUEST_BYTES_MAX
from cea_exchange.user_files.opening import UserFileError


@pytest.mark.parametrize(
    "command",
    [
        ("allocation", "preview"),
        ("obligation", "take"),
        ("obligation", "correct", "--why", "anew"),
        ("offset", "take"),
    ],
)
def test_a_file_that_the_registry_would_drop_unread_is_not_sent(tmp_path, capsys, command):
    file = tmp_path / "all.csv"
    file.write_bytes(bytes(REQUEST_BYTES_MAX))
    asked = ("registry", *command, str(file), "--data", str(tmp_path))
    assert 2 == run(asked)
    said = "all.csv: expected a file of at most 4193280 bytes, got 4194304"
    assert said in capsys.readouterr().err


def test_a_device_without_an_end_is_no_file():
    with pytest.raises(UserFileError, match="/dev/zero: expected a file, got a device"):
        file_content(Path("/dev/zero"))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserFileError, match=r"none\.csv: expected a file, No such file"):
        file_content(tmp_path / "none.csv")


def test_columns_stand_below_each_other_in_chinese_too():
    """A Chinese character takes two columns of a terminal."""
    text = table(("entity", "t"), [("北京热力", 5), ("Hubei", 10)])
    assert ["entity     t", "北京热力   5", "Hubei     10"] == text.splitlines()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("account", "list", "--state", "lost"), "'open', 'suspended', 'merged', 'closed'"),
        (("disposition", "list", "--state", "lost"), "'applied', 'done', 'refused'"),
        (("surrender", "list", "--state", "lost"), "'accepted', 'retired', 'rejected'"),
        (("transfer", "list", "--state", "lost"), "'pending', 'completed', 'rejected'"),
        (
            ("disposition", "transfer", "P1", "P2", "CEA", "5", "--document=d", "--kind=gift"),
            "'inheritance', 'succession', 'enforcement'",
        ),
    ],
)
def test_a_word_that_is_none_of_a_list_is_told_which_there_are(capsys, command, expected):
    assert 2 == run(("registry", *command, "--data", "nowhere"))
    assert expected in capsys.readouterr().err


def test_findings_of_a_file_are_told_apart_on_one_line(capsys, monkeypatch):
    def refused(*_: object, **__: object) -> None:
        raise InstitutionUnavailable("a.csv:2: came -1\na.csv:3: came 'x'")

    monkeypatch.setattr("cea_exchange.registry.control.admin_client.REGISTRY.ask", refused)
    assert 2 == run(("registry", "freeze", "list", "--data", "nowhere"))
    assert "cea-exchange: a.csv:2: came -1; a.csv:3: came 'x'\n" == capsys.readouterr().err


def test_lists_are_asked_for_page_by_page(capsys, monkeypatch):
    def answered(_data: object, request: dict, **_: object) -> dict:
        first = request["first"]
        return {"ok": True, "freezes": [{"id": first}], "next": first + 1 if first < 3 else None}

    monkeypatch.setattr("cea_exchange.registry.control.admin_client.REGISTRY.ask", answered)
    assert 0 == run(("registry", "freeze", "list", "--json", "--data", "nowhere"))
    assert '{"freezes":[{"id":1},{"id":2},{"id":3}]}\n' == capsys.readouterr().out


@pytest.mark.parametrize("op", ["statement", "report"])
def test_a_bank_file_is_asked_for_by_its_bytes(tmp_path, capsys, monkeypatch, op):
    """What a second person approves is what was seen, not whatever has that name by then."""
    asked = []

    def refuse(_data, request, **_other):
        asked.append(request)
        raise InstitutionUnavailable("away")

    monkeypatch.setattr("cea_exchange.registry.control.admin_client.REGISTRY.ask", refuse)
    folder = tmp_path / "registry" / "bank" / "in"
    folder.mkdir(parents=True)
    command = ("registry", "bank", f"read-{op}", "s.xml", "--data", str(tmp_path))
    assert 2 == run(command)
    assert "s.xml: expected a file, No such file or directory" in capsys.readouterr().err
    (folder / "s.xml").write_bytes(b"<x/>")
    assert 2 == run(command)
    hashed = sha256(b"<x/>").hexdigest()
    assert asked == [{"op": f"bank_{op}", "file": "s.xml", "sha256": hashed}]
