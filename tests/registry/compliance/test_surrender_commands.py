"""`cea-exchange registry obligation, surrender, offset, carryover` against a running registry.

Nothing here depends on the day: it is after every deadline the test speaks of.
"""

import json
import subprocess
import sys
import time

import pytest

from cea_exchange.cli.main import run
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.registry.compliance_world import BEIJING, World, obligation_file, proof, proof_file

pytestmark = pytest.mark.e2e

WAIT_S = 60
START = "2026-01-05T12:00:00+08:00"


@pytest.fixture
def data(tmp_path):
    """A folder in which a registry runs that lets one person do all of the operators' acts."""
    for name in ("venue", "registry", "admin", "beijing", "authority"):
        CurveKeys.new().save(tmp_path / "keys", name)
    alone = ("second_person = []", "fronts = 0")
    settings = (*alone, "[clock]", "kind = 'manual'", f"start = '{START}'")
    (tmp_path / "registry.toml").write_text("\n".join(settings))
    with World(tmp_path) as world:
        world.products("CEA23", "CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA23=500, CEA24=2_000)
        file = obligation_file(world.registry, 2024, ("P1", 1_000))
    (tmp_path / file.name).write_bytes(file.data)
    proofs = proof_file(proof("N1", "P1", 40))
    (tmp_path / proofs.name).write_bytes(proofs.data)
    arguments = ("--config", str(tmp_path / "registry.toml"), "--data", str(tmp_path))
    program = (sys.executable, "-m", "cea_exchange.cli.main", "registry", "serve", *arguments)
    with (tmp_path / "registry.log").open("w") as log:
        process = subprocess.Popen(program, stderr=log)
    try:
        end = time.monotonic() + WAIT_S
        while not (tmp_path / "registry" / "endpoints.json").exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.02)
        yield tmp_path
    finally:
        process.terminate()
        assert 0 == process.wait(WAIT_S)


@pytest.fixture
def command(data, capsys):
    """Runs `cea-exchange registry ...` and returns its status and what it printed."""

    def command(*words, key="admin"):
        capsys.readouterr()
        status = run(["registry", *words, "--data", str(data), "--key", key])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return command


def test_an_obligation_from_its_file_to_its_certificate(data, command):
    for name, role, where in (
        ("Bei", "province", ("--province", "11")),
        ("Mee", "authority", ()),
    ):
        file = str(data / "keys" / {"Bei": "beijing", "Mee": "authority"}[name]) + ".public"
        assert 0 == command("person", "add", name, file, "--role", role, *where)[0]
    obligations = str(data / "obligations.csv")
    taken = command("obligation", "take", obligations, "--province", "11", key="beijing")
    assert (0, "file_id 1\n") == taken
    status, said = command("obligation", "take", obligations, "--province", "11", key="beijing")
    assert status and "obligations.csv:2: account: expected no obligation of 2024 yet" in said
    assert "to surrender       1000 t\n" in command("obligation", "notice", "P1", "2024")[1]
    assert "40 t" not in command("obligation", "notice", "P1", "2024")[1]
    assert (0, "certificates []\n") == command("offset", "take", str(data / "proofs.csv"))
    status, said = command("surrender", "apply", "P1", "2024", "CEA24")
    assert (2, True) == (status, "expected PRODUCT=TONNES, each product once, got 'CEA24'" in said)
    applied = command("surrender", "apply", "P1", "2024", "CEA24=900", "CEA23=60")
    assert (0, "surrender_id 1\n") == applied
    listed = command("surrender", "list")[1]
    assert "CEA23 60, CEA24 900" in listed.splitlines()[1]
    accept = ("surrender", "accept", "1", "--province", "11")
    assert "NOT_PERMITTED: surrender_accept: expected one of province" in command(*accept)[1]
    assert (0, "done\n") == command(*accept, key="beijing")
    retired = command("surrender", "retire", "1", key="authority")
    assert (0, "certificate 2024-000001\n") == retired
    assert "obligation      1000 t\n" in command("surrender", "certificate", "P1", "2024")[1]
    public = command("obligation", "list", "2024")[1].splitlines()
    assert "P1 P1 11 1000 t 960 t 40 t late" == " ".join(public[1].split())
    revoked = command("offset", "revoke", "N1", "--why", "no such cancellation")
    assert (0, "done\n") == revoked
    short = command("shortfall", "list", "2024")[1].splitlines()[1]
    assert short.startswith("P1") and short.endswith("no trades before the deadline")
    as_json = json.loads(command("shortfall", "list", "2024", "--json")[1])
    assert (1_000, 40) == (as_json["shortfalls"][0]["shortfall"], as_json["shortfalls"][0]["due"])
    assert (0, "notices 1\n") == command("carryover", "notify")
    notice = command("carryover", "notice", "P1")[1]
    assert "refusal year 2024: expected surrendered in full" in notice
    assert "refused CARRYOVER_BARRED: P1: " in command("carryover", "apply", "P1", "CEA24=5")[1]
    assert [] == check_ledger(data).differences


def test_an_order_to_correct_and_a_borrowing_by_command(data, command):
    """CEA-PEN-05, CEA-BOR-01."""
    file = str(data / "keys" / "beijing.public")
    assert 0 == command("person", "add", "Bei", file, "--role", "province", "--province", "11")[0]
    obligations, own = str(data / "obligations.csv"), ("--province", "11")
    assert 0 == command("obligation", "take", obligations, *own, key="beijing")[0]
    assert "nobody was ordered" in command("correction", "list", "2024")[1]
    order = ("correction", "order", "P1", "2024", "HB-1", "2099-12-31", *own)
    assert (0, "order_id 1\n") == command(*order, key="beijing")
    row = command("correction", "list", "2024")[1].splitlines()[1].split()
    until = ["2099-12-31", "1000", "t", "1000", "t", "-"]
    assert ["P1", "11", "HB-1", *until] == [*row[:3], *row[4:]]
    refused = command("correction", "refuse", "P1", "2024", "HB-2", *own, key="beijing")
    assert refused[0] and "TOO_EARLY: refusal: expected after the order's term" in refused[1]
    deduct = command("obligation", "deduct", "P1", "2024", *own, key="beijing")
    assert deduct[0] and "TOO_EARLY: deduction: expected after 20991231, the term" in deduct[1]
    borrow = ("obligation", "borrow", "P1", "2024", "5", "HB-3", *own, "--why", "no cash")
    said = command(*borrow, key="beijing")
    assert said[0] and "YEAR_OUT_OF_RANGE: year: expected 2021 to 2022" in said[1]
