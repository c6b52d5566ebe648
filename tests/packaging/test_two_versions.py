"""The upgrade of `contrib/upgrades.md`, typed as it stands there, from one version to the next.

Both are made of this tree, the later one with another number: what is tried is the way from one
installation to another beside it, and back to work. What a version reads of another's files is what
its own tests of snapshots, journals and schemas hold.
"""

import os
import re
import shlex
import subprocess
import sys

import pytest

from cea_exchange.client import Client
from cea_exchange.domain.records import EventKind, Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from support.places import ROOT

pytestmark = pytest.mark.nightly

PAGE = (ROOT / "contrib" / "upgrades.md").read_text(encoding="utf-8")
# The commands of the steps 2 to 4: read, copy, drill.
STEPS = PAGE.partition("## Another version")[2].partition("5. Stop both")[0]
TYPED = re.compile(r"^    ((?:/opt/cea-exchange-NEW/bin/)?cea-exchange .*)$", re.MULTILINE)
OLD, NEW = "0.1.0", "0.1.1"
KEPT = ("trading_date", "confirmed_date", "settlement_seq", "state_hash", "holdings_hash")


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """A program of each version, with the modules that are compiled here."""
    root = tmp_path_factory.mktemp("versions")
    programs = {}
    for number in (OLD, NEW):
        site = root / number
        site.mkdir()
        (site / "cea_exchange").symlink_to(ROOT / "src" / "cea_exchange")
        metadata = site / f"cea_exchange-{number}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: cea-exchange\nVersion: {number}\n"
        )
        program = site / "bin" / "cea-exchange"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} -m cea_exchange.cli.main "$@"\n'
        )
        program.chmod(0o755)
        programs[number] = program
    return programs


def daemons(program):
    return {name: [str(program), name] for name in ("venue", "registry")}


def ran(command, environment):
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


def trade(exchange, price):
    """Let both trade; return what the buyer was told."""
    endpoint, server_key = exchange.endpoint("venue", "gateway"), exchange.keys("venue").public
    with (
        Client.connect(endpoint, exchange.keys("bob"), server_key) as seller,
        Client.connect(endpoint, exchange.keys("alice"), server_key) as buyer,
    ):
        offered = seller.answer(seller.enter("CEA24", Side.SELL, price=price, tonnes=10))
        assert offered.kind == EventKind.ORDER_ACCEPTED, offered
        buyer.answer(buyer.enter("CEA24", Side.BUY, price=price, tonnes=10))
        return [report.kind for report in buyer.reports(timeout_s=2.0)]


def closed(exchange, at, date):
    exchange.operate("clock", at=at)
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] == date, "the day's confirmation", 30
    )


def test_each_version_says_its_own_number(versions):
    for number, program in versions.items():
        assert ran([program, "--version"], {}).stdout == f"cea-exchange {number}\n"


def test_the_page_leads_from_one_version_to_the_next(versions, tmp_path):
    data, backups = tmp_path / "exchange", tmp_path / "backup"
    data.mkdir()
    backups.mkdir()
    buyer = Participant("alice", "short", {"CEA24": Side.BUY}, 10_000_000, {})
    seller = Participant("bob", "surplus", {"CEA24": Side.SELL}, 100, {"CEA24": 500})
    typed = TYPED.findall(STEPS)
    assert len(typed) == 7, typed
    with LocalExchange(data, programs=daemons(versions[OLD])) as exchange:
        exchange.prepare([buyer, seller], {"CEA24": 9_749}, start="2025-07-16T08:30:00+08:00")
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-07-16T09:30:00+08:00")
        assert EventKind.TRADE in trade(exchange, "97.50")
        closed(exchange, "2025-07-16T15:30:00+08:00", 20250716)
        before = exchange.operate("status")
        for line in typed:
            program, *words = shlex.split(line)
            places = {"/etc/cea-exchange": str(data), "/backup": str(backups)}
            for page, here in places.items():
                words = [word.replace(page, here) for word in words]
            number = NEW if "NEW" in program else OLD
            where = {"CEA_EXCHANGE_DATA": str(data), "CEA_EXCHANGE_KEY": "admin"}
            done = ran([versions[number], *words], where)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert before["state_hash"] in done.stdout, done.stdout
        assert [exchange.stop(name) for name in ("registry", "venue")] == [0, 0]
    with LocalExchange(data, programs=daemons(versions[NEW])) as exchange:
        exchange.start()
        after = exchange.operate("status")
        assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
        # Until the registry has answered it takes cancels only.
        exchange.wait_until(
            lambda: not exchange.operate("status")["cancels_only"], "the registry's answer", 30
        )
        exchange.operate("clock", at="2025-07-17T09:30:00+08:00")
        assert EventKind.TRADE in trade(exchange, "97.60")
        closed(exchange, "2025-07-17T15:30:00+08:00", 20250717)
