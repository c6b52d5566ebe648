"""Any system can be loaded: a user's own class, an embedded book, whoever takes FIX orders."""

import importlib.util
import json
import socket
import subprocess
import sys

import pytest

from cea_exchange.loadtest.targets.finding import target_class, target_make
from cea_exchange.loadtest.targets.target import TargetError
from support.patience import patience
from support.places import ROOT

pytestmark = pytest.mark.e2e

LOAD = [sys.executable, "-m", "cea_exchange.cli.main", "load"]
FIX_SERVERS = ROOT / "tests" / "support" / "loadtest"


def run(*arguments, cwd=None):
    return subprocess.run(
        [*LOAD, *arguments], capture_output=True, text=True, timeout=120 * patience(),
        check=False, cwd=cwd,
    )


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return str(each.getsockname()[1])


def content_of(result):
    assert result.returncode == 0, result.stdout[-500:] + result.stderr
    content = json.loads(result.stdout)
    assert content["losses"] == []
    assert content["figures"]["answered"] == content["figures"]["commands"]
    return content


@pytest.mark.nightly
def test_the_example_of_a_class_of_ones_own_is_loaded():
    port = free_port()
    result = run("--target", "load_toy:Toy", "--set", f"port={port}", "--port", port,
                 "--serve", f"{sys.executable} load_toy.py {port}", "--workload", "cancel_heavy",
                 "--rate", "500", "--duration", "1", "--refused", "0.05", "--participants", "6",
                 "--json", cwd=ROOT / "examples")  # fmt: skip
    figures = content_of(result)["figures"]
    assert figures["sent_by_kind"]["cancel"] > 100
    assert figures["refused_by_kind"]["refused"] == figures["sent_by_kind"]["refused"] > 5
    assert figures["refused"]["REFUSED"] > 5


def test_the_examples_class_has_forty_lines_at_most():
    text = (ROOT / "examples" / "load_toy.py").read_text()
    of_class = text[text.index("class Toy") : text.index("async def serve")]
    assert len([line for line in of_class.splitlines() if line.strip()]) <= 40


@pytest.mark.nightly
def test_a_server_that_is_killed_fails_the_run():
    port = free_port()
    result = run("--target", "load_toy:Toy", "--set", f"port={port}", "--port", port,
                 "--serve", f"{sys.executable} load_toy.py {port}", "--workload", "quotes",
                 "--rate", "200", "--duration", "2", "--participants", "6",
                 "--fault", "kill:server@1", cwd=ROOT / "examples")  # fmt: skip
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("cea-exchange: ")
    assert any(why in last for why in ("the server is gone", "Connection reset", "Broken pipe"))


def test_an_embedded_book_is_loaded_and_a_gate_fails_it(tmp_path):
    arguments = ["--target", "book", "--workload", "quotes", "--rate", "300", "--duration", "0.5",
                 "--arrivals", "poisson", "--json"]  # fmt: skip
    content = content_of(run(*arguments))
    assert content["audit"]["checked"]["orders"] > 0
    failed = run(*arguments, "--fail-if", "answered<100000", "--fail-if", "p99>1s")
    assert failed.returncode == 1
    # Where the machine was busy its figures are void, which fails a gate too.
    assert "answered<100000" in failed.stderr or "void" in failed.stderr


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere", "expected one of venue, fix, market, book, or module:Class"),
        ("no_module:Class", "expected no_module:Class to be there"),
        ("json:loads", "to be a class below Target"),
        ("json:Nothing", "expected json:Nothing to be there"),
    ],
)
def test_a_target_that_is_none_is_one_clear_line(name, expected):
    with pytest.raises(TargetError, match="^target: ") as error:
        target_class(name)
    assert expected in str(error.value)


def test_options_that_a_target_does_not_take_are_told():
    with pytest.raises(TargetError, match="unexpected keyword argument 'colour'"):
        target_make("book", {"colour": "red"})
    with pytest.raises(TargetError, match="missing 1 required positional argument: 'port'"):
        target_make("fix", {})
    with pytest.raises(TargetError, match="expected whole numbers"):
        target_make("fix", {"port": "x"})


# -- FIX -------------------------------------------------------------------------------------------


def fix(server, port, folder, *arguments):
    command = f"{sys.executable} {FIX_SERVERS / server} {port} 6 {folder}"
    return run("--target", "fix", "--set", f"port={port}", "--port", port, "--serve", command,
               "--workload", "quotes", "--participants", "6", "--refused", "0.05", "--json",
               *arguments)  # fmt: skip


QUICKFIX = pytest.mark.skipif(
    importlib.util.find_spec("quickfix") is None,
    reason="needs QuickFIX: pip install cea-exchange[fix]",
)


@QUICKFIX
def test_a_fix_acceptor_written_by_somebody_else_is_loaded(tmp_path):
    result = fix("quickfix_acceptor.py", free_port(), tmp_path, "--rate", "300", "--duration", "2")
    figures = content_of(result)["figures"]
    for kind in ("passive", "cancel", "amend", "aggressive", "ioc"):
        assert figures["by_kind"][kind]["count"] > 0, kind
    assert figures["trades"] > 5 and figures["trades_one_sided"] == 0
    assert sum(figures["refused"].values()) >= figures["sent_by_kind"]["refused"] > 5


@QUICKFIX
@pytest.mark.nightly
def test_a_fix_acceptor_that_stops_for_a_while_loses_nothing(tmp_path):
    result = fix("quickfix_acceptor.py", free_port(), tmp_path, "--rate", "200", "--duration", "6",
                 "--fault", "pause:server+2@2")  # fmt: skip
    assert content_of(result)["figures"]["latency"]["max"] > 1.5e9
