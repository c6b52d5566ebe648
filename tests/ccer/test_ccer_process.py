"""The CCER registry as a process: killed, talked nonsense to, without its database, copied."""

import os
import random
import subprocess
import sys
import time
from contextlib import suppress

import msgspec
import pytest

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.control.admin_client import InstitutionUnavailable
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.protocol.links.ccer import Claim, LinkAnswer, LinkQuestion
from cea_exchange.protocol.security import CurveKeys
from support.ccer.ccer_process import CcerProcess
from support.patience import patience
from support.registry.fake_venue import pack, wait_until
from support.rounds import ROUNDS

pytestmark = pytest.mark.e2e

KILLS = 4 * ROUNDS
JUNK = (b"", b"\xc1", b"{}", b"\x91" * 10_000, pack({"op": "stop"})[:-1], pack({"op": 7}))
WRONG = (
    {"op": "batch_issue", "project": "WIND-1"},
    {"op": "transfer_make", "account": "A", "to": "B", "tonnes": 2**63},
    {"op": "proof_reverse", "proof": -1, "document": "x"},
    {"op": "lot_pedigree", "project": "WIND-1", "batch_number": 0, "serial": 1},
    {"op": "nothing"},
    [1, 2, 3],
)
HOLDING = {"account": "SEAWIND", "instrument": "WIND-1-2022"}


@pytest.fixture
def new(tmp_path, database_address):
    """A process that knows nobody but its operators yet."""
    yield from served(CcerProcess(tmp_path / "data", database_address), database_address)


@pytest.fixture
def ccer(tmp_path, database_address):
    """A process with everybody's accounts and persons, and a batch that is issued."""
    process = CcerProcess(tmp_path / "data", database_address).prepare({"2022": 10_000})
    yield from served(process, database_address)


def served(process, database):
    """Serve until the test is over; its database must agree with itself then."""
    with process:
        yield process
        process.stop()
    assert differences(process.data, database) == []


def differences(data, database):
    with CcerStore.open_reader(data, database) as store, store.view():
        return store_check(store, checks(), content_differences(store)).differences


@pytest.mark.nightly
@pytest.mark.postgres_at_night
def test_a_projects_life_outlives_kills_at_each_of_its_steps(new):
    """CCER-PRJ-01, CCER-BAT-01, CCER-CAN-03, CCER-LOT-04: what was answered is there."""
    ccer, staff = new, new.staff
    staff.accounts()
    ccer.persons_added()
    staff.project_validated()
    ccer.killed()
    staff.of_two("li", "wang", "project_apply", project="WIND-1", document="ab" * 32)
    proposal = staff.done("gu", "project_register", project="WIND-1")["proposal"]
    ccer.killed()
    staff.done("ma", "approve", proposal=proposal)
    ccer.killed()
    assert staff.batch_issued({"2022": 10_000}) == {"serials": [[1, 10_000]]}
    ccer.killed()
    sale = {**HOLDING, "to": "A", "tonnes": 4_000, "document": "sale 7"}
    assert staff.of_two("li", "wang", "transfer_make", **sale) == {"serials": ["1:1-4000"]}
    ccer.killed()
    ended = staff.cancelled(1_500, "A")
    assert ended == {"certificate": "CC-2024-000001", "proofs": ["CC-2024-000001-1"]}
    ccer.killed()
    content = staff.done("he", "certificate_show", certificate="CC-2024-000001")["content"]
    assert (content["serials"], content["beneficiary"]) == ([[1, 1, 1_500]], "P001")
    moves = staff.done("he", "lot_pedigree", project="WIND-1", batch_number=1, serial=1_500)
    assert [move["kind"] for move in moves["moves"]] == [
        *("issue", "set_aside", "enforced", "set_aside", "cancelled")
    ]
    over = {**HOLDING, "account": "A", "to": "B", "document": "sale 8", "serials": "1:1400-1600"}
    assert staff.refused("an", "transfer_make", **over) == "SERIALS_NOT_HELD"


@pytest.mark.random
@pytest.mark.postgres_at_night
def test_an_act_is_done_once_or_not_at_all_whenever_it_is_killed(ccer):
    """CCER-LOT-04: asked again under its id it is done once."""
    rng, staff = random.Random(20260704), ccer.staff
    for number in range(KILLS):
        sale = {**HOLDING, "to": "A", "tonnes": 10, "document": f"sale {number}"}
        proposal = staff.done("li", "transfer_make", **sale)["proposal"]
        approving = {"op": "approve", "proposal": proposal, "request_id": f"sale-{number}"}
        caller = ccer.caller("wang")
        caller.socket.send(pack(approving))
        time.sleep(rng.random() * 0.03)
        ccer.killed()
        caller.close()
        again = staff.done("wang", **approving)
        assert again["answer"] == {"serials": [f"1:{10 * number + 1}-{10 * number + 10}"]}
    lots = staff.done("gu", "holding_list", account="A")["lots"]
    assert sum(lot["serial_last"] - lot["serial_first"] + 1 for lot in lots) == 10 * KILLS


def test_whatever_comes_to_its_doors_is_answered_or_dropped_and_it_goes_on(ccer):
    for door, name in (("admin", "li"), ("admin", "gu"), ("link", "registry")):
        caller = ccer.caller(name, door)
        for payload in (*JUNK, *map(pack, WRONG)):
            answer = caller.ask_bytes(payload, 2_000)
            assert answer is None or answer["code"], answer
        caller.close()
    status = ccer.ask("gu", "status")
    assert (status["state"], status["projects"], status["claim_seq"]) == ("ok", 1, 0)


def test_who_has_no_right_to_a_door_gets_no_word(tmp_path):
    """CEA-REG-01."""
    CurveKeys.new().save(tmp_path / "keys", "venue")
    refused = [("admin", CurveKeys.new()), ("admin", "registry")]
    refused += [(door, keys) for door in ("link", "feed") for keys in (CurveKeys.new(), "gu")]
    refused += [("link", "venue"), ("feed", "registry")]
    with CcerProcess(tmp_path, has_venue=True) as ccer:
        for door, keys in refused:
            keys = CurveKeys.load(tmp_path / "keys", keys) if isinstance(keys, str) else keys
            caller = ccer.caller("gu", door, keys)
            assert caller.ask({"op": "status"}, 500) is None
            assert caller.ask(LinkQuestion(first_proof_seq=1), 500) is None
            caller.close()
        assert ccer.ask("gu", "status")["state"] == "ok"


@pytest.mark.postgres_at_night
def test_the_allowance_registry_asks_over_the_link_and_gets_the_first_answer(ccer):
    """CCER-LNK-01, CCER-LNK-02: over a socket, whatever is killed between."""
    staff = ccer.staff
    (proof,) = staff.cancelled(10)["proofs"]

    def asked(**terms):
        caller = ccer.caller("registry", "link")
        question = LinkQuestion(**{"question": 7, "first_proof_seq": 1, **terms})
        answer = msgspec.convert(caller.ask(question), LinkAnswer)
        caller.close()
        return answer

    result = asked()
    assert (result.question, result.last_proof_seq, len(result.items)) == (7, 1, 1)
    terms = {"proof": proof, "account": "P001", "compliance_year": 2024}
    reserving = Claim(claim_seq=1, step="reserve", **terms)
    (first,) = asked(claims=(reserving,)).answers
    assert first.state == "reserved"
    ccer.killed()
    using = Claim(claim_seq=2, step="use", **terms)
    answers = asked(first_proof_seq=2, claims=(reserving, using)).answers
    assert answers[0] == first and answers[1].state == "used"
    gap = msgspec.structs.replace(using, claim_seq=9)
    refused = asked(claims=(gap,))
    assert (refused.code, refused.answers) == ("CLAIM_OUT_OF_ORDER", ())
    assert staff.done("he", "proof_list")["proofs"][0]["state"] == "used"


def command(data, *words):
    environment = {**os.environ, "CEA_EXCHANGE_DATA": str(data)}
    line = (sys.executable, "-m", "cea_exchange.cli.main", "ccer", *words)
    return subprocess.run(
        line, env=environment, capture_output=True, text=True, timeout=120 * patience()
    )


@pytest.mark.postgres_at_night
def test_it_is_copied_while_it_works_and_the_copy_is_a_registry(tmp_path, database_address, ccer):
    """Copies are one SQLite file, and restored only if they agree with themselves."""
    out = tmp_path / "copy"
    made = command(ccer.data, "backup", "--out", str(out))
    assert made.returncode == 0, made.stderr
    other = tmp_path / "other"
    restored = command(other, "restore", str(out))
    assert restored.returncode == 0 and "reconciled at link" in restored.stdout, restored.stderr
    for checking in ("reconcile", "verify", "audit"):
        found = command(other, checking)
        assert found.returncode == 0, found.stdout + found.stderr
    listed = command(ccer.data, "project", "list", "--key", "gu")
    assert listed.returncode == 0 and "WIND-1" in listed.stdout, listed.stderr
    shown = command(ccer.data, "status", "--key", "gu")
    assert "10,000 t, cancelled 0" in shown.stdout, shown.stderr


# -- a database that goes away --------------------------------------------------------------------


@pytest.fixture
def own_database(postgres_process):
    """A database of a server that the test may kill."""
    return postgres_process.database("ccer")


@pytest.mark.nightly
def test_its_database_killed_and_started_it_goes_on_where_it_was(
    tmp_path, own_database, postgres_process
):
    with CcerProcess(tmp_path / "data", own_database).prepare({"2022": 100}) as ccer:
        postgres_process.crash()
        try:
            with suppress(InstitutionUnavailable):
                hasty = ccer.caller("li")
                hasty.ask({"op": "project_deregister", "project": "WIND-1", "why": "x"}, 1_000)
                hasty.close()
            wait_until(lambda: "database_waited_for" in ccer.log(), 20)
        finally:
            postgres_process.start()
        wait_until(lambda: "database_back" in ccer.log(), 30)
        ccer.staff.cancelled(10)
        ccer.stop()
    assert differences(ccer.data, own_database) == []
