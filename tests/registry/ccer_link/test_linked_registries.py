"""Both registries as processes, either killed at random: a proof counts once."""

import json
import os
import subprocess
import sys

import pytest

from cea_exchange.ccer.audit import checks as ccer_checks
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.control.admin_client import InstitutionRefused
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.registry.store import RegistryStore
from support.ccer.ccer_process import CcerProcess
from support.ccer.linked_registries import YEAR, LinkedRegistries
from support.patience import patience
from support.registry.audit_queries import audit_findings
from support.registry.compliance_world import proof as proof_by_hand
from support.registry.fake_venue import wait_until
from support.rounds import ROUNDS

pytestmark = [pytest.mark.e2e, pytest.mark.random]


@pytest.fixture
def linked(tmp_path, two_addresses):
    with LinkedRegistries(tmp_path / "data", two_addresses) as linked:
        yield linked


def reconciled(linked):
    """Run the command that compares both books; return its status and what it says."""
    addresses = {"--database": linked.at_ccer, "--registry-database": linked.at_registry}
    given = [word for pair in addresses.items() if pair[1] is not None for word in pair]
    line = (sys.executable, "-m", "cea_exchange.cli.main", "ccer", "reconcile", "--json", *given)
    folder = str(linked.data)
    run = subprocess.run(
        [*line, "--data", folder, "--registry", folder],
        capture_output=True,
        text=True,
        timeout=120 * patience(),
        env=dict(os.environ),
    )
    return run.returncode, json.loads(run.stdout)


@pytest.mark.nightly
@pytest.mark.postgres_at_night
def test_a_proof_counts_once_whoever_is_killed(linked):
    """CCER-LNK-01, CCER-LNK-02, CCER-LNK-04: cancelled, told, confirmed, booked by two, used."""
    rounds, due = 3 * ROUNDS, 0
    for number in range(rounds):
        entity = ("P001", "P002")[number % 2]
        proof = linked.cancelled(10 + number, entity)
        linked.kill_one()
        linked.wait_for(proof, "confirmed")
        linked.booked(proof)
        linked.kill_one()
        due += 10 + number
        assert linked.offset("P001") + linked.offset("P002") == due
    linked.all_said()
    status, shown = reconciled(linked)
    assert (status, shown["agrees"]) == (0, True), shown
    assert shown["offsets"] == {
        **{"proofs": rounds, "cancelled_tonnes": due, "counted_tonnes": due, "differences": []},
    }
    proofs = linked.ccer.staff.done("he", "proof_list")["proofs"]
    assert [row["state"] for row in proofs] == ["used"] * rounds
    linked.stop()
    with CcerStore.open_reader(linked.data, linked.at_ccer) as store, store.view():
        assert store_check(store, ccer_checks()).differences == []
    with RegistryStore.open_reader(linked.data, linked.at_registry) as store, store.view():
        assert audit_findings(store) == {}


@pytest.mark.postgres_at_night
def test_a_reversal_takes_the_offset_back_on_the_other_side(linked):
    """CCER-LNK-03."""
    proof = linked.cancelled(100)
    linked.wait_for(proof, "confirmed")
    linked.booked(proof)
    linked.all_said()
    order = {"proof": proof, "document": "order 1"}
    assert linked.ccer.staff.of_two("gu", "zhou", "proof_reverse", **order) == {"was_used": True}
    linked.kill_one()
    linked.wait_for(proof, "reversed")
    assert linked.offset() == 0
    linked.all_said()
    assert reconciled(linked)[1]["offsets"]["differences"] == []


def test_with_the_link_there_no_operator_books_by_hand(linked):
    """CCER-LNK-04: neither a file nor a proof that was typed."""
    content = b"proof,compliance_year\nN1,2024\n"
    asked = {"file": "proofs.csv", "content": content}
    by_hand = {"proof": _fields(proof_by_hand("N1", "P001", 10, year=YEAR))}
    for op, terms in (("offset_take", asked), ("offset_book", by_hand)):
        with pytest.raises(InstitutionRefused, match="PROOFS_BY_LINK"):
            linked.ask("xu", op, **terms)


def _fields(proof):
    return {name: getattr(proof, name) for name in proof.__struct_fields__}


@pytest.mark.postgres_at_night
def test_one_person_books_nothing(linked):
    """CCER-LNK-04, CEA-REG-02."""
    proof = linked.cancelled(10)
    linked.wait_for(proof, "confirmed")
    proposal = linked.ask("xu", "offset_confirm", proof=proof)["proposal"]
    with pytest.raises(InstitutionRefused, match="SAME_PERSON"):
        linked.ask("xu", "approve", proposal=proposal)
    assert linked.offset() == 0


@pytest.mark.nightly
def test_a_ccer_registry_that_has_lost_what_it_said_stops_the_link_alone(tmp_path):
    """CCER-LNK-01: an older copy in its place is found, and everything else goes on."""
    with LinkedRegistries(tmp_path / "data") as linked:
        proof = linked.cancelled(10)
        linked.wait_for(proof, "confirmed")
        linked.ccer.stop()
        for file in (linked.data / "ccer").iterdir():
            file.unlink()
        linked.ccer = CcerProcess(linked.data).prepare({"2022": 10_000}).start()
        wait_until(lambda: linked.ask("xu", "status")["troubles"].get("ccer"), 30)
        shown = linked.ask("xu", "status")["troubles"]["ccer"]
        assert "the CCER registry's chain is kept here" in shown and "is older than that" in shown
        assert linked.states() == {proof: "confirmed"}
        differences = reconciled(linked)[1]["offsets"]["differences"]
        assert "items: 1 came from the CCER registry, which has 0" in differences
        assert f"proof {proof}: is confirmed, and was never issued" in differences
