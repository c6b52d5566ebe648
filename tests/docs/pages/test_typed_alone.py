"""What the pages tell to type where nothing runs, in a folder with what the page speaks of."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from cea_exchange.cli.main import STATUS_INTERRUPTED
from support.page_walk import WALK_S_MAX
from support.pages.blocks import blocks, lines
from support.pages.exchange import SCRIPT
from support.pages.places import ALONE, AT_NIGHT, GOES_ON, plain, why_not_typed
from support.pages.typist import Typist
from support.places import ROOT

pytestmark = pytest.mark.e2e

SSE = """\
BizIndex,SecurityID,TickTime,Type,BuyOrderNO,SellOrderNO,Price,Qty,TickBSFlag
1,600000,9150000,S,0,0,0.000,0,OCALL
2,600000,9300000,A,0,4,7.53,400,S
3,600000,9300100,T,5,4,7.53,400,B
4,600000,9300100,A,5,0,7.54,100,B
"""
DAILY = """\
date,open,high,low,close,listed_volume,listed_amount,block_volume,block_amount,\
auction_volume,auction_amount,total_volume,total_amount,src
2025-07-15,48.0,48.5,48.00,48.25,10,482.5,0,0,0,0,10,482.5,me
2025-07-16,48.25,,,48.25,0,0,100000,4700000.0,0,0,100000,4700000.0,me
"""


def of_page(page: str, language: str) -> str:
    """Return a page's only block in a language."""
    (found,) = [each.text for each in blocks(language) if each.page == page]
    return found


@pytest.fixture
def typist(tmp_path):
    """Somebody in a folder of files that have the names of the pages."""
    folder = tmp_path / "work"
    folder.mkdir()
    files = {
        "orders.csv": of_page("protocol/order_flow.md", "csv"), "600000.csv": SSE,
        "day.jsonl": SCRIPT, "daily.csv": DAILY,
        "band.toml": of_page("protocol/sweep.md", "toml"),
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    # The source tree's own programs are there, where a reader has it too.
    for name in ("examples", "protocol", "tests"):
        (folder / name).symlink_to(ROOT / name)
    words = {"/etc/cea-exchange": str(folder), "/var/lib/cea-exchange-way-in": str(folder)}
    return Typist(folder, words, {"PYTHONPATH": str(ROOT / "tests")})


def type_all(typist: Typist, page: str, *, by_shell: bool = False) -> None:
    typed = [line for line in lines() if line.page == page and why_not_typed(line) is None]
    assert typed
    for line in typed:
        said = typist.typed(line.typed, by_shell=by_shell)
        assert said.status == 0, f"{line.place}: {line.typed}\n{said.status}: {said.text}"


@pytest.mark.parametrize("page", ALONE)
def test_what_a_page_tells_to_type_is_done(page, typist):
    type_all(typist, page)


@pytest.mark.nightly
@pytest.mark.parametrize("page", AT_NIGHT)
def test_what_takes_a_page_longer_is_done(page, typist):
    # What begins processes of its own is one.
    type_all(typist, page, by_shell=True)


GOING_ON = [line for line in lines() if any(re.match(start, line.typed) for start in GOES_ON)]


@pytest.mark.nightly
@pytest.mark.parametrize("line", GOING_ON, ids=lambda line: plain(line.typed))
def test_what_goes_on_until_it_is_stopped_comes_up_and_ends_at_ctrl_c(line, typist):
    (says,) = [words for start, words in GOES_ON.items() if re.match(start, line.typed)]
    command = [sys.executable, "-m", "cea_exchange.cli.main", *plain(line.typed).split()[1:]]
    with subprocess.Popen(
        command, cwd=typist.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        said = ""
        try:
            while not re.search(says, said):
                said += (shown := process.stdout.readline())
                assert shown, f"{line.typed}: ended with {process.wait()}: {said}"
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=WALK_S_MAX)
            assert process.returncode in (0, STATUS_INTERRUPTED), said + rest
        finally:
            # What it has begun, too: it leads a group of its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
