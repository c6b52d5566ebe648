"""Completion: installed by one command, and a shell is told what may come next."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cea_exchange.cli.main import COMMAND_MODULES, run

COMMAND = Path(sys.executable).with_name("cea-exchange")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.e2e
def test_bash_completes_commands_nouns_and_options_once_it_is_installed(home, capsys):
    assert run(["completion", "install", "bash"]) == 0
    assert str(home) in capsys.readouterr().out
    files = {path: path.read_text() for path in home.rglob("*") if path.is_file()}
    assert {path.name for path in files} == {".bashrc", "cea-exchange.sh"}

    def completed(*words: str) -> list[str]:
        typed = " ".join(f"'{word}'" for word in ("cea-exchange", *words))
        script = (
            f"source {home}/.bashrc; COMP_WORDS=({typed}); COMP_CWORD={len(words)};"
            f' _cea_exchange_completion {COMMAND}; printf "%s\\n" "${{COMPREPLY[@]}}"'
        )
        finished = subprocess.run(
            ["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60
        )
        assert finished.stderr == ""
        return finished.stdout.split()

    assert completed("ex") == ["explain"]
    assert completed("replay") == [name for name in COMMAND_MODULES if name.startswith("replay")]
    assert completed("profile", "c") == ["check", "copy"]
    assert completed("demo", "--pro") == ["--profile"]
    assert completed("venue", "account", "state") == ["statement"]


def test_to_install_it_again_changes_nothing_more(home):
    assert run(["completion", "install", "bash"]) == 0
    before = (home / ".bashrc").read_text().splitlines()
    assert run(["completion", "install", "bash"]) == 0
    after = (home / ".bashrc").read_text().splitlines()
    assert [line for line in after if line] == [line for line in before if line]


def test_the_shell_is_the_one_of_the_environment_or_named(home, monkeypatch, capsys):
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert run(["completion", "show"]) == 0
    assert capsys.readouterr().out.startswith("#compdef cea-exchange")
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert run(["completion", "install"]) == 2
    assert "expected one of bash, zsh, fish, got 'tcsh'" in capsys.readouterr().err
    assert list(home.iterdir()) == []


@pytest.mark.skipif(shutil.which("fish") is not None, reason="a real fish would tell more")
def test_fish_is_told_what_may_come(monkeypatch, capsys):
    monkeypatch.setenv("_CEA_EXCHANGE_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "cea-exchange profile ch")
    with pytest.raises(SystemExit):
        run([])
    assert capsys.readouterr().out.startswith("check\t")
