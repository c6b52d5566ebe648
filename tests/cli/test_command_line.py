"""How the command line shows itself: whole sentences, panels, examples to copy; and how soon."""

import resource
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from cea_exchange.cli.command_line import OTHERS, CommandLine
from cea_exchange.cli.main import COMMAND_MODULES, SUMMARIES, app_build
from support.command_tree import below, command_tree

VERSION_CPU_S_MAX = 0.2


def every_command():
    return [each for name in COMMAND_MODULES for each in below(command_tree(name), name)]


def first_sentence(command):
    return " ".join((command.help or "").split("\n\n")[0].split())


def shown(*words):
    return CliRunner().invoke(app_build(words), [*words, "--help"]).output


@pytest.mark.parametrize("name", COMMAND_MODULES)
def test_the_list_of_commands_says_what_each_says_of_itself(name):
    assert SUMMARIES[name] == first_sentence(command_tree(name))


@pytest.mark.parametrize("path", ["", "venue", "registry", "registry bank", "registry account"])
def test_no_help_is_cut(path):
    text = " ".join(shown(*path.split()).split())
    commands = typer.main.get_command(app_build(path.split()))
    for word in path.split():
        commands = commands.commands[word]
    for name, command in commands.commands.items():
        assert command.hidden or f"{name} {first_sentence(command)}" in text
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize("path", ["", "venue", "registry"])
def test_every_command_of_a_long_list_is_in_a_panel(path):
    text = shown(*path.split())
    assert f"\n{OTHERS}:" not in text
    panels = [line for line in text.splitlines() if line.endswith(":") and line != "Options:"]
    assert len(panels) >= 3


def test_an_example_is_one_line():
    text = shown("registry", "freeze", "place")
    (line,) = [line for line in text.splitlines() if "Example:" in line]
    assert line.endswith("--until 2027-06-30")


def test_a_command_of_no_panel_is_listed_last():
    app = CommandLine({"First": ("b",)})
    for name in ("a", "b"):
        app.command(name)(lambda: None)
    text = CliRunner().invoke(app, ["--help"]).output
    places = [text.index(part) for part in ("First:", "\n  b", f"{OTHERS}:", "\n  a")]
    assert places == sorted(places)


def test_every_command_has_a_first_sentence():
    assert not [path for path, command in every_command() if not first_sentence(command)]


def test_the_version_is_said_before_anything_is_loaded():
    """The least of some runs: what others do to the machine is not counted."""
    used_s = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(
            [sys.executable, "-m", "cea_exchange.cli.main", "--version"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert said.startswith("cea-exchange ")
    assert min(used_s) < VERSION_CPU_S_MAX, used_s


def test_who_only_asks_a_daemon_loads_no_server_no_arrays_and_no_database():
    """Every question of a person, and of a script, would wait for them."""
    daemons = ("venue", "registry", "platform", "ccer", "bank")
    code = (
        "import sys; from cea_exchange.cli.main import app_build\n"
        f"for name in {daemons}: app_build([name, 'status'])\n"
        "import cea_exchange.institution.control.admin_client, cea_exchange.registry.bank.client\n"
        "import cea_exchange.venue.operations.admin_client\n"
        "print(sorted({'apsw', 'asyncio', 'numpy', 'psycopg'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_only_the_commands_of_the_noun_that_is_asked_for_are_built():
    group = typer.main.get_command(app_build(["registry", "account", "list"])).commands["registry"]
    assert "list" in group.commands["account"].commands
    assert {*group.commands} == {*command_tree("registry").commands}
    others = [each for name, each in group.commands.items() if name != "account"]
    assert not any(getattr(each, "commands", None) for each in others)
