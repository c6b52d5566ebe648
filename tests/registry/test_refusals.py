"""Refusals of the registry by their codes that no other test has; see `registry_refusals.md`."""

import msgspec
import pytest

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.refusals.answers import code_of, refused
from cea_exchange.institution.control.admin_client import InstitutionRefused, InstitutionUnavailable
from cea_exchange.ledger.database.interface import DatabaseFull
from cea_exchange.protocol.bank.statements import InstructionStatus, Status
from cea_exchange.registry.participants import products
from cea_exchange.registry.participants.entities import entity_province
from cea_exchange.registry.vintages import product_vintages
from support.refusing import refuses
from support.registry.service_callers import Staff

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def staff(registry):
    registry.product_declare("CEA24", 9_749)
    registry.account_open("P1", entity="Power 1", province=11)
    registry.account_open("P2", entity="Power 2")
    return Staff(registry, second_person=())


@pytest.mark.parametrize(
    ("code", "op", "fields"),
    [
        ("PRODUCT_TAKEN", "product_declare", {"product": "CEA24", "reference_price": 9_749}),
        ("VALUE_NOT_TAKEN", "key_grant", {"key": "short", "account": "P1"}),
        ("KEY_NOT_IN_FORCE", "key_revoke", {"key": 40 * "x"}),
        ("SAME_ACCOUNT", "account_merge", {"account": "P1", "into": "P1", "why": "x"}),
        ("NAME_LOOKS_ALIKE", "product_declare", {"product": "СEA24", "reference_price": 9_749}),
    ],
)
def test_a_request_is_refused_by_its_code(staff, code, op, fields):
    answer = staff.an(op, **fields)
    assert (answer["ok"], answer["code"]) == (False, code), answer
    assert code_of(answer, RegistryRefusal) is RegistryRefusal[code]


def test_a_freeze_there_is_not_is_not_told(registry):
    with refuses("FREEZE_UNKNOWN: .*got 7"):
        registry.enforcement.freeze_shown(7)


def test_products_have_an_end(staff, registry, monkeypatch):
    monkeypatch.setattr(products, "PRODUCT_COUNT_MAX", 1)
    with refuses("PRODUCT_LIMIT"):
        registry.product_declare("CEA25", 9_749)


def test_an_entity_without_a_province_has_nobody_who_decides(staff, registry):
    with refuses("PROVINCE_MISSING"):
        entity_province(registry.store, registry.account("P2"))


def test_two_products_have_no_vintage_in_common(staff, registry):
    registry.product_declare("X", 9_749)
    registry.store.database.execute("UPDATE products SET vintage = 2024 WHERE product = 'X'")
    with refuses("VINTAGE_TAKEN"):
        product_vintages(registry.store, registry.ledger.rules.vintages)


def test_without_room_nothing_is_done_and_it_is_told(staff, monkeypatch):
    def full(*_):
        raise DatabaseFull("disk full")

    monkeypatch.setattr("cea_exchange.registry.control.requests.basics.PayIn.act", full)
    assert staff.an("pay_in", account="P1", cash=5)["code"] == RegistryRefusal.NO_SPACE.name


def test_what_the_bank_says_of_no_instruction_or_batch_is_not_taken(staff, registry):
    status = InstructionStatus(instruction_id="T9", status=Status.ACCEPTED, reason="")
    with refuses("INSTRUCTION_UNKNOWN: .*T9"), registry.transaction():
        registry.bank.status_take(status)
    with refuses("BANK_BATCH_UNKNOWN: .*B9"):
        registry.bank.batch_sent("B9")


def test_an_answer_is_the_clients_exception():
    answer = refused(RegistryRefusal.INSUFFICIENT_CASH, "cash: expected 5, got 4")
    error = InstitutionRefused(answer, RegistryRefusal)
    assert str(error) == "refused INSUFFICIENT_CASH: cash: expected 5, got 4"
    assert error.code is RegistryRefusal.INSUFFICIENT_CASH and error.answer == answer
    assert isinstance(error, InstitutionUnavailable)


def test_an_answer_of_another_version_has_no_code_or_one_that_is_not_known():
    """An answer that was kept before there were codes is given again as it was."""
    for answer in ({"ok": False, "error": "x"}, {"ok": False, "error": "x", "code": "NEW_ONE"}):
        assert InstitutionRefused(answer, RegistryRefusal).code is None
    assert str(InstitutionRefused({"ok": False, "error": "x"}, RegistryRefusal)) == "refused: x"


def test_a_refusal_comes_with_json_too(monkeypatch, capsys):
    from cea_exchange.cli.main import run

    answer = refused(RegistryRefusal.FREEZE_UNKNOWN, "freeze_id: expected one, got 7")

    def ask(*_args, **_more):
        raise InstitutionRefused(answer, RegistryRefusal)

    monkeypatch.setattr("cea_exchange.registry.control.admin_client.REGISTRY.ask", ask)
    assert run(("registry", "freeze", "list", "--json", "--data", "nowhere")) == 2
    printed = capsys.readouterr()
    assert msgspec.json.decode(printed.out) == answer
    assert printed.err == "cea-exchange: refused FREEZE_UNKNOWN: freeze_id: expected one, got 7\n"
    assert run(("registry", "freeze", "list", "--data", "nowhere")) == 2
    assert capsys.readouterr().out == ""
