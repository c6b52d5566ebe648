"""A CCER registry that is started from an older copy of its folder numbers no proof anew."""

import shutil

import pytest

from cea_exchange.ccer.store import CcerStore
from cea_exchange.cli.main import main
from cea_exchange.institution.control.admin_client import InstitutionRefused
from cea_exchange.registry.store import RegistryStore
from support.ccer.linked_registries import LinkedRegistries
from support.registry.fake_venue import wait_until

pytestmark = pytest.mark.crash


def proofs(linked):
    with CcerStore.open_reader(linked.data) as store:
        return store.column("SELECT proof FROM proof_stream ORDER BY proof_seq")


def code(linked, who, op, **terms):
    try:
        linked.ccer.ask(who, op, **terms)
    except InstitutionRefused as error:
        return error.answer["code"]
    return ""


def test_a_ccer_registry_from_an_older_copy_cancels_nothing(tmp_path, capsys):
    """CEA-REG-09: a proof of another's CCERs would get the number of one that was taken."""
    with LinkedRegistries(tmp_path / "data") as linked:
        data = linked.data
        linked.wait_for(linked.cancelled(10), "confirmed")
        linked.all_said()
        shutil.copytree(data / "ccer", data / "older")
        linked.wait_for(linked.cancelled(20), "confirmed")
        linked.all_said()
        linked.ccer.kill()
        shutil.rmtree(data / "ccer")
        (data / "older").rename(data / "ccer")
        linked.ccer.start()
        wait_until(lambda: linked.ccer.ask("gu", "status")["state"].startswith("stopped: "), 30)
        terms = {"account": "SEAWIND", "instrument": "WIND-1-2022", "tonnes": 30}
        use = {"purpose": "national_ets", "beneficiary": "P002", "compliance_year": 2024}
        assert code(linked, "li", "cancellation_apply", **terms, **use) == "LEDGER_STOPPED"
        assert len(proofs(linked)) == 1
        with RegistryStore.open_reader(data) as store:
            assert store.one("SELECT count(*) FROM ccer_items") == 2
        for command in ("reconcile", "verify"):
            with pytest.raises(SystemExit) as end:
                main(["ccer", command, "--data", str(data)])
            assert end.value.code == 1
        shown = " ".join(capsys.readouterr().out.split())
        assert "the registry has items up to 2, this database only up to 1" in shown
