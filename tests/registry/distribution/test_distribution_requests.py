"""Distribution as operators and auditors meet it: requests, commands, and SQL by hand."""

import json
import re
import subprocess
import sys

import msgspec
import pytest

from cea_exchange.cli.main import run
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin import SECOND, request_decode
from cea_exchange.registry.control.requests.distribution import WARNINGS_MAX
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.patience import patience
from support.places import ROOT
from support.registry.allocation_files import (
    ENTITIES,
    allocation_file,
    distributed,
    entities_open,
    registered,
    registry_open,
    tables,
)
from support.registry.fake_venue import wait_until
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import Staff, by_two
from support.registry.settlement_records import LOG_ID, Venue

PAGE = ROOT / "protocol" / "distribution.md"


@pytest.fixture
def registry(tmp_path):
    with registry_open(tmp_path, None) as opened:
        entities_open(opened, ENTITIES)
        yield opened


def ask(registry, op, **fields):
    """Do what a request asks, whoever may ask it; return what is answered."""
    try:
        request = request_decode(msgspec.msgpack.encode({"op": op, **fields}))
        answer = {"ok": True, **request.act(registry)}
    except ActError as error:
        answer = {"ok": False, "error": str(error)}
    return msgspec.msgpack.decode(msgspec.msgpack.encode(answer))


def test_what_moves_or_decides_something_needs_a_second_person():
    # CEA-DIS-05
    acts = ("issue", "reverse", "distribute", "deduct", "recall", "release")
    assert {f"allocation_{act}" for act in acts} == {
        op for op in SECOND if op.startswith("allocation_")
    }


def test_requests_preview_show_and_distribute(registry):
    assert ask(registry, "allocation_issue", product="CEA24", tonnes=5)["ok"]
    tonnes = {"P0001": 700, "P0002": 500, "P0003": 300}
    source = allocation_file("pre", tonnes, at_risk=["P0003"])
    terms = {"file": source.name, "content": source.data}
    assert {"ok": True, "preview_id": 1} == ask(registry, "allocation_preview", **terms)
    shown = ask(registry, "allocation_show", preview_id=1, first=1, count=1)
    assert (0, 2024, "CEA24", "pre", 3, source.sha256) == tuple(
        shown[field]
        for field in ("distributed_on", "compliance_year", "product", "stage", "entities", "sha256")
    )
    assert [(11, 1_200), (31, 300), (0, 1_500)] == [
        (totals["province"], totals["tonnes"]) for totals in shown["totals"]
    ]
    assert [("P0002", 500)] == [(line["account"], line["given"]) for line in shown["lines"]]
    done = ask(registry, "allocation_distribute", preview_id=1)
    assert {"ok": True, "distribution": 1, "given": 1_200, "kept": 300, "recalled": 0} == done
    assert 20260302 == ask(registry, "allocation_show", preview_id=1)["distributed_on"]
    assert {
        "ok": False,
        "error": "2024-pre.csv: expected a file that was not distributed, got that of"
        " distribution 1",
    } == ask(registry, "allocation_preview", **terms)


def test_at_the_desk_two_persons_of_the_authority_distribute(registry):
    # CEA-DIS-05
    staff = Staff(registry)
    gu, he = (staff.person(name, "authority") for name in ("gu", "he"))
    source = allocation_file("pre", {"P0001": 700})
    assert gu("allocation_preview", file=source.name, content=source.data)["ok"]
    proposal = gu("allocation_distribute", preview_id=1)
    assert "authority" == proposal["approving_body"]
    assert 0 == registered(registry, "P0001")
    assert "another person" in gu.error("approve", proposal=1)
    answer = he("approve", proposal=1, request_hash=proposal["request_hash"])["answer"]
    assert (1, 700) == (answer["distribution"], answer["given"])
    assert 700 == registered(registry, "P0001")


def test_a_province_decides_for_its_own_entities(registry):
    staff = Staff(registry)
    beijing, _second = (staff.person(name, "province", province=11) for name in ("wu", "xu"))
    terms = {"document": "HB-1", "cause": "other", "tonnes": 5, "decided_on": 2026_03_01}
    assert beijing("allocation_deduct", account="P0001", **terms)["ok"]
    assert "expected the business of province 11" in beijing.error(
        "allocation_deduct", account="P0003", **terms
    )
    assert "NOT_PERMITTED: " in beijing.error("allocation_distribute", preview_id=1)


def test_a_deduction_that_was_a_mistake_is_withdrawn_as_far_as_it_is_still_to_adjust(registry):
    """CEA-DIS-12: a zero too many; what was taken off stays so, and so does each line of it."""
    staff = Staff(registry)
    (wu, xu), others = (
        [staff.person(name, "province", province=code) for name in names]
        for code, names in ((11, ("wu", "xu")), (31, ("yan", "zhu")))
    )
    terms = {"document": "HB-1", "cause": "other", "tonnes": 9_000, "decided_on": 2026_03_01}
    by_two(wu, xu, "allocation_deduct", account="P0001", **terms)
    distributed(registry, "pre", {"P0001": 500})
    less = {"account": "P0001", "deduction_id": 1, "tonnes": 8_100, "why": "a zero too many"}
    assert "expected the business of" in others[0].error("deduction_withdraw", **less)
    assert "at most the 8500 still to adjust, got 8501" in wu.error(
        "deduction_withdraw", **less | {"tonnes": 8_501}
    )
    for wrong in ({"deduction_id": 2}, {"account": "P0002"}):
        error = wu.error("deduction_withdraw", **less | wrong)
        assert error.startswith("DEDUCTION_UNKNOWN: "), error
    # Whoever decided it: what the authority or the platform cut is not a province's to give back.
    mee = staff.person("mee", "authority")
    proposed = wu("deduction_withdraw", **less)
    xu.error("approve", proposal=proposed["proposal"])
    done = mee("approve", proposal=proposed["proposal"])
    assert done["answer"] == {"remaining": 400}
    distributed(registry, "final", {"P0001": 2_000})
    assert registered(registry, "P0001") == 2_000 - 900
    assert registry.distribution.still_to_adjust("P0001") == []
    assert list(findings(registry.store, "deductions_taken")) == []
    changed(registry.store, "UPDATE deductions_withdrawn SET tonnes = 8_600")
    (found,) = findings(registry.store, "deductions_taken")
    assert "deduction 1" in found and "got 900" in found


def test_requests_deduct_recall_and_release(registry):
    deduction = {"document": "HB-1", "cause": "other", "tonnes": 900, "decided_on": 2026_03_01}
    answer = ask(registry, "allocation_deduct", account="P0001", **deduction)
    assert {"ok": True, "deduction_id": 1} == answer
    distributed(registry, "pre", {"P0001": 1_000, "P0002": 50}, at_risk=["P0002"])
    venue = Venue()
    venue.deposited(0, registry.transfer_in("P0001", "CEA24", 100), tonnes=100)
    distributed(registry, "final", {"P0001": 950})
    Settlement(registry.store).apply(LOG_ID, venue.records)
    answer = ask(registry, "allocation_recall", account="P0001", compliance_year=2024)
    assert {"ok": True, "recalled": 0, "remaining": 50, "called": 50} == answer
    registry.issue("P0001", "CEA24", 20)
    answer = ask(registry, "allocation_remaining", account="P0001")
    assert ([("distribution 2", "recall", 30)], {}, {"CEA24": 50}) == (
        [(e["document"], e["cause"], e["remaining"]) for e in answer["still_to_adjust"]],
        *(answer["kept"], answer["called"]),
    )
    assert {"CEA24": 50} == ask(registry, "allocation_remaining", account="P0002")["kept"]
    answer = ask(registry, "allocation_release", account="P0002")
    assert {"ok": True, "released": {"CEA24": 50}} == answer


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"file": "a\0.csv", "content": b""}, "regex"),
        ({"file": "a.csv", "content": b"", "encoding": "latin-1"}, "encoding"),
        ({"file": "a.pdf", "content": b""}, "expected a name that ends in .csv"),
        ({"file": "a.csv", "content": b"\0\xff"}, "a.csv"),
        ({"file": "a.xlsx", "content": b"PK"}, "a.xlsx"),
        ({"file": "a.parquet", "content": b"PAR1"}, "a.parquet"),
    ],
)
def test_what_is_no_allocation_file_is_refused(registry, request_, message):
    before = tables(registry)
    answer = ask(registry, "allocation_preview", **request_)
    assert not answer["ok"] and message in answer["error"]
    assert before == tables(registry)


def test_without_the_package_that_reads_a_format_the_file_is_refused(registry, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = ask(registry, "allocation_preview", file="a.parquet", content=b"PAR1")
    assert not answer["ok"] and "pyarrow" in answer["error"]


def test_an_answer_has_no_more_warnings_than_fit(registry):
    entities = {f"Q{number:04}": 11 for number in range(WARNINGS_MAX + 50)}
    entities_open(registry, entities, products=())
    distributed(registry, "pre", dict.fromkeys(entities, 1), entities=entities)
    source = allocation_file("final", dict.fromkeys(entities, 3), entities=entities)
    ask(registry, "allocation_preview", file=source.name, content=source.data)
    shown = ask(registry, "allocation_show", preview_id=2)
    assert (WARNINGS_MAX + 1, "and 50 more") == (len(shown["warnings"]), shown["warnings"][-1])


def test_an_auditor_finds_every_tonne_by_the_sql_of_the_page(tmp_path, database_address):
    # CEA-DIS-07
    (sql,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with registry_open(tmp_path, database_address) as registry:
        entities_open(registry, ENTITIES)
        distributed(registry, "pre", {"P0001": 700, "P0003": 300}, at_risk=["P0003"])
        distributed(registry, "final", {"P0001": 600})
    with RegistryStore.open_reader(tmp_path) as store:
        rows = [tuple(row) for row in store.execute(sql).fetchall()]
    issued = 10_000_000
    assert [("CEA24", issued, 600, 300, issued - 1_000, 0, 0, 100, 0, 0)] == rows


@pytest.fixture
def daemon(tmp_path):
    """A registry's process on `tmp_path`."""
    for name in ("venue", "registry", "admin"):
        CurveKeys.new().save(tmp_path / "keys", name)
    (tmp_path / "registry.toml").write_text("fronts = 0\n[clock]\nkind = 'manual'\n")
    with registry_open(tmp_path, None) as registry:
        entities_open(registry, ENTITIES)
        registry.persons.add("gu", 40 * "g", "authority")
    command = (sys.executable, "-m", "cea_exchange.cli.main", "registry", "serve")
    settings = ("--config", str(tmp_path / "registry.toml"), "--data", str(tmp_path))
    with (tmp_path / "registry.log").open("a") as log:
        process = subprocess.Popen([*command, *settings], stderr=log)
    wait_until((tmp_path / "registry" / "endpoints.json").exists, 30)
    yield
    process.terminate()
    assert 0 == process.wait(20 * patience())


@pytest.mark.e2e
def test_operators_preview_and_propose_by_commands(daemon, tmp_path, capsys):
    def allocate(*arguments):
        status = run(["registry", "allocation", *map(str, arguments), "--data", str(tmp_path)])
        reported = capsys.readouterr()
        return status, reported.out, reported.err

    large = tmp_path / "large.csv"
    # More than a message of other sockets may have.
    large.write_text("compliance_year\n" + "2024\n" * 300_000)
    status, _out, err = allocate("preview", large)
    assert 2 == status and "large.csv: expected at most 50000 rows, got more" in err
    large.write_text("2024\n" * 900_000)
    status, _out, err = allocate("preview", large)
    assert 2 == status and "large.csv: expected a file of at most 4193280 bytes, got 4500000" in err
    file, lines = tmp_path / "pre.csv", tmp_path / "lines.csv"
    file.write_bytes(allocation_file("pre", {"P0001": 700, "P0003": 300}).data)
    units = tmp_path / "units.csv"
    units.write_text(
        "compliance_year,province,account,unit,emissions_before\n2024,11,P0001,1,1001\n"
        ",11,TOTAL,,1001\n,,TOTAL,,1001\n"
    )
    status, out, _err = allocate("preview", file, "--out", lines, "--units", units)
    assert "units_file units.csv, units_sha256 " in out
    assert "\n1 of 2 entities computed from their units\n" in out
    assert "warning: line 3: P0003 has no units, its 300 are not computed\n" in out
    assert 0 == status and out.startswith("preview 1: 2024 CEA24 pre, file pre.csv, sha256 ")
    assert re.search(r"\nBeijing +1 +0 +700 +0 +700( +0){6}\n", out)
    assert lines.read_text().splitlines()[-1].startswith("2024,CEA24,pre,,TOTAL,,1000,0,0,1000,")
    _status, out, _err = allocate("show", 1, "--json")
    assert ["P0001", "P0003"] == [line["account"] for line in json.loads(out)["lines"]]
    _status, out, _err = allocate("distribute", 1)
    assert "proposal 1 waits for a second person of authority" in out
    _status, out, _err = allocate("remaining", "P0001")
    still = "nothing is still to adjust\nits province holds for it: nothing\n"
    assert still + "called from the venue: nothing\n" == out
