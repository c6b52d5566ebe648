"""The registry's service over real sockets: a daemon, persons with keys of their own, commands."""

import json
import subprocess
import sys

import pytest

from cea_exchange.cli import main
from cea_exchange.domain.records import Side
from cea_exchange.institution.control.admin_client import InstitutionUnavailable
from cea_exchange.loadtest.local_exchange import ExchangeError, LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin_client import REGISTRY, registry_ask
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.registry.allocation_files import allocation_file
from support.registry.fake_venue import Caller, wait_until

pytestmark = pytest.mark.e2e

OPERATORS = """
[[operators]]
name = "an"
key = "keys/an.public"
[[operators]]
name = "bo"
key = "keys/bo.public"
[[operators]]
name = "rex"
key = "keys/rex.public"
role = "regulator"
"""
PERSONS = ("an", "bo", "rex", "li", "mo", "wu", "pan", "pin", "mee", "mia", "xu", "eve")
WAIT_S = 20


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder of a registry that two operators run and a regulator watches."""
    folder = tmp_path_factory.mktemp("registry")
    for name in ("venue", "registry", *PERSONS):
        CurveKeys.new().save(folder / "keys", name)
    config = folder / "registry.toml"
    config.write_text(OPERATORS)
    serve = (sys.executable, "-m", "cea_exchange.cli.main", "registry", "serve")
    with (folder / "registry.log").open("a") as log:
        process = subprocess.Popen(
            [*serve, "--config", str(config), "--data", str(folder)], stderr=log
        )
    try:
        endpoints = folder / "registry" / "endpoints.json"
        wait_until(lambda: endpoints.exists() or process.poll() is not None, WAIT_S)
        assert endpoints.exists(), (folder / "registry.log").read_text()
        yield folder
    finally:
        process.terminate()
        assert process.wait(WAIT_S) == 0
    assert check_ledger(folder).differences == []


@pytest.fixture
def typed(data, capsys):
    """Types a command of `cea-exchange registry` with somebody's key; status, output, errors."""

    def run(*arguments, key="an"):
        words = [str(word) for word in arguments]
        status = main.run(["registry", *words, "--data", str(data), "--key", key])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def reported(typed):
    """Types a command that must succeed, with --json; its answer."""

    def run(*arguments, key="an"):
        status, out, err = typed(*arguments, "--json", key=key)
        assert (status, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def of_two(reported):
    """Lets an, or another, propose and bo, or another, approve; the act's answer."""

    def run(*arguments, key="an", second="bo"):
        asked = reported(*arguments, key=key)
        return approve(asked["proposal"], asked["request_hash"], second)["answer"]

    def approve(number, request_hash, key):
        return reported("proposal", "approve", number, "--hash", request_hash, key=key)

    return run


@pytest.fixture
def service(data, reported, of_two):
    """A product, an account with two representatives, and its province's person; once."""
    if not reported("account", "list")["accounts"]:
        of_two("product", "declare", "CEA24", "97.49")
        entity = ("--entity", "Huadian Ltd", "--credit-code", "91330100799655058B")
        of_two("account", "open", "P001", *entity, "--province", 33, "--sector", "power")
        entity = ("--entity", "Huaneng Ltd", "--credit-code", "9144030071526726XG")
        of_two("account", "open", "P002", *entity, "--province", 44)
        of_two("cash", "pay-in", "P001", "1000.00")
        for second, name, *role in (
            ("bo", "li", "initiator", "--account", "P001"),
            ("bo", "mo", "approver", "--account", "P001"),
            ("bo", "wu", "approver", "--account", "P002"),
            ("bo", "mee", "authority"),
            ("mee", "mia", "authority"),
            ("mee", "pan", "province", "--province", 33),
            ("mee", "pin", "province", "--province", 33),
        ):
            public = data / "keys" / f"{name}.public"
            of_two("person", "add", name, public, "--role", *role, second=second)
        of_two("allocation", "issue", "CEA24", 1_000, second="mee")
        file = allocation_file("final", {"P001": 1_000}, entities={"P001": 33})
        (data / file.name).write_bytes(file.data)
        shown = reported("allocation", "preview", data / file.name, key="mee")
        of_two("allocation", "distribute", shown["preview_id"], key="mee", second="mia")
    return data


def test_an_entitys_representatives_move_its_holdings(service, typed, reported, of_two):
    """CEA-REG-01, CEA-REG-02."""
    sent = ("transfer", "in", "P001", "--product", "CEA24", "--tonnes", 300)
    assert of_two(*sent, key="li", second="mo")["transfer_seq"] > 0
    back = ("transfer", "out", "P001", "--product", "CEA24", "--tonnes", 5)
    status, out, _err = typed(*back, key="li")
    assert status == 0
    assert "waits for a second person of account P001: registry proposal approve" in out
    (waiting,) = reported("proposal", "list", key="mo")["proposals"]
    approve = ("proposal", "approve", waiting["proposal_id"], "--hash", waiting["request_hash"])
    for key, why in (
        ("li", "NOT_PERMITTED: approve: expected one of"),
        ("wu", "PROPOSAL_UNKNOWN: proposal: expected one that account P002 decides"),
        ("bo", "PROPOSAL_OF_OTHERS: "),
        ("rex", "got regulator rex"),
    ):
        status, _out, err = typed(*approve, key=key)
        assert status == 2
        assert why in err
        assert len(err.splitlines()) == 1
    assert "transfer_seq" in reported(*approve, key="mo")["answer"]
    status, _out, err = typed(*approve, key="mo")
    assert (status, "expected a waiting one, got approved" in err) == (2, True)


def test_a_representative_and_a_province_see_their_own_only(service, typed, reported):
    for key in ("li", "mo", "pan"):
        held = reported("account", "balance", "P001", "--product", "CEA24", key=key)["balances"]
        assert sum(row["amount"] for row in held) == 1_000
        status, _out, err = typed("account", "balance", "P002", key=key)
        assert (status, "expected the business of" in err) == (2, True)
    assert len(reported("account", "list", "--province", 33, key="pan")["accounts"]) == 1
    assert typed("account", "list", key="pan")[0] == 2
    assert typed("entry", "list", key="li")[0] == 2
    assert reported("entry", "list", "--account", "P001", key="li")["entries"]
    assert reported("account", "balance", "province Zhejiang", key="pan")["balances"] == []


def test_a_stranger_gets_no_answer(service, data):
    with pytest.raises(InstitutionUnavailable, match="it refuses the key; is eve a person's key"):
        registry_ask(data, {"op": "status"}, timeout_s=WAIT_S, key="eve")


def test_a_person_who_was_removed_is_refused_at_once_and_for_good(service, data, reported, of_two):
    eve = ("person", "add", "eve", data / "keys" / "eve.public", "--role", "authority")
    of_two(*eve, second="mee")
    endpoints = json.loads((data / "registry" / "endpoints.json").read_text())
    server_key = CurveKeys.load(data / "keys", "registry").public
    eve = Caller(CurveKeys.load(data / "keys", "eve"), server_key, endpoints["admin"])
    try:
        assert eve.ask({"op": "status"})["ok"]
        of_two("person", "remove", data / "keys" / "eve.public", second="mia")
        # The connection stands; what comes over it is refused.
        assert "no more" in eve.ask({"op": "status"})["error"]
    finally:
        eve.close()
    with pytest.raises(InstitutionUnavailable, match="it refuses the key"):
        registry_ask(data, {"op": "status"}, timeout_s=WAIT_S, key="eve")


def test_an_entity_is_renamed_when_its_province_approves(service, typed, reported):
    """CEA-ACC-04."""
    rename = ("account", "rename", "P001", "Clean Power Ltd", "--why", "decision 3")
    asked = reported(*rename, key="li")
    assert asked["approving_body"] == "province 33"
    for key in ("mo", "bo"):
        approve = ("proposal", "approve", asked["proposal"], "--hash", asked["request_hash"])
        assert typed(*approve, key=key)[0] == 2
    reported("proposal", "approve", asked["proposal"], "--hash", asked["request_hash"], key="pan")
    shown = reported("account", "show", "P001", key="rex")
    assert shown["entity"] == "Clean Power Ltd"
    assert shown["changes"][-1]["by"] == "li and pan"
    assert reported("person", "list", "--account", "P001")["persons"][0]["name"] == "li"


def test_accounts_are_suspended_merged_and_closed_by_commands(
    service, data, reported, of_two, typed
):
    entity = ("--entity", "Small Ltd", "--credit-code", "914403001922038216")
    of_two("account", "open", "P003", *entity, "--province", 33)
    reported("account", "suspend", "P003", "--why", "court order 12")
    of_two("account", "at-risk", "P003", "--why", "arrears of 2023", key="pin", second="pan")
    of_two("account", "at-risk", "P003", "--no", "--why", "paid", second="pan")
    of_two("account", "reinstate", "P003", "--why", "lifted")
    of_two("cash", "pay-in", "P003", "7.00")
    xu = data / "keys" / "xu.public"
    of_two("person", "add", "xu", xu, "--role", "approver", "--account", "P003")
    bank = ("account", "bank", "P003", "Bank A", "62-3", "--why", "contract")
    of_two(*bank, second="xu")
    status, _out, err = typed("account", "close", "P003", "--why", "shut down")
    assert (status, "ACCOUNT_NOT_EMPTY: " in err) == (2, True)
    of_two("account", "merge", "P003", "P002", "--why", "merged in law", second="xu")
    assert reported("account", "balance", "P002")["balances"] == [
        {"product": "CNY", "compartment": "registration", "amount": 700}
    ]
    status, out, _err = typed("account", "show", "P003")
    assert (status, "merged in law" in out, "settlement bank set" in out) == (0, True, True)


def test_what_was_held_then_is_printed(service, reported, typed):
    first = reported("entry", "list", "--count", 1)
    assert [entry["kind"] for entry in first["entries"]] == ["pay_in"]
    assert first["next"] == 1
    (held,) = reported("account", "balance", "P001", "--as-of", 1, "--product", "CNY")["balances"]
    assert (held["amount"], held["compartment"]) == (1_000_00, "registration")
    assert reported("account", "balance", "P001", "--as-of-date", "2020-01-01")["balances"] == []
    assert reported("account", "balance", "P001", "--as-of-settlement", 0)["entry_id"] > 1
    status, out, _err = typed("account", "balance", "P001", "--as-of", 1)
    assert (status, out) == (
        0,
        "P001 after entry 1\nproduct  compartment         amount\n"
        "CNY      registration  1000.00 yuan\n",
    )
    for wrong, why in (
        (("--as-of", 1, "--as-of-date", "2020-01-01"), "BAD_REQUEST: as_of: expected one of"),
        (("--as-of-date", "1 May"), "date: expected one such as '2025-07-16'"),
        (("--product", "CEA99"), "PRODUCT_UNKNOWN: "),
    ):
        status, _out, err = typed("account", "balance", "P001", *wrong)
        assert (status, why in err) == (2, True)


def test_the_record_of_acts_tells_who_did_what(service, reported, typed):
    """CEA-REG-03."""
    acts = reported("act", "list", "--count", 1_000, key="rex")["acts"]
    issued = next(act for act in acts if act["op"] == "allocation_issue")
    assert (issued["person"], issued["second"]) == ("an", "mee")
    assert issued["request"]["tonnes"] == 1_000
    last = acts[-1]["act_id"]
    assert [act["act_id"] for act in reported("act", "list", "--since", last)["acts"]] == [last]
    status, out, _err = typed("act", "list", "--since", last + 1)
    assert (status, out) == (0, "no acts\n")


def test_long_lists_come_page_by_page(service, reported, monkeypatch):
    lists = (("account", "list"), ("person", "list"))
    whole = [reported(*words) for words in lists]
    ask = REGISTRY.ask

    def ask_two(data, request, **named):
        return ask(data, {**request, "count": 2}, **named)

    monkeypatch.setattr(REGISTRY, "ask", ask_two)
    assert [reported(*words) for words in lists] == whole
    assert len(whole[1]["persons"]) > 3


def test_keys_of_participants_are_granted_and_revoked(service, data, reported, typed, of_two):
    public = data / "keys" / "venue.public"
    of_two("key", "grant", public, "P002", "--role", "reader", "--operator", 3, second="wu")
    key = public.read_text().strip()
    # One key in 85 begins with a minus, which the command line takes for an option: its file, then.
    reported("key", "revoke", public if key.startswith("-") else key)
    for wrong, why in (
        (("key", "grant", data / "nothing", "P002"), "expected a public key or its file"),
        (("transfer", "in", "P001", "--cash", "5"), "cash: expected yuan with two decimals"),
        (("transfer", "in", "P001", "--cash", "5.00", "--tonnes", 5), "expected --tonnes or"),
        (("product", "declare", "CEA25", "97"), "price: expected yuan with two decimals"),
        (("proposal", "reject", 1), "--why"),
    ):
        status, out, err = typed(*wrong)
        assert (status, out, why in err, len(err.splitlines())) == (2, "", True, 1)


def test_every_command_of_the_services_has_help_with_an_example(capsys):
    """Whoever types --help sees what it does, and what to type."""
    names = ("account open", "person add", "proposal approve", "act list", "account balance")
    for command in (*names, "entry list", "cash pay-in"):
        assert main.run(["registry", *command.split(), "--help"]) == 0
        out = capsys.readouterr().out
        assert f"Example: cea-exchange registry {command} " in " ".join(out.split())


# -- With a venue -------------------------------------------------------------------------------


def test_a_suspension_reaches_the_venue_where_no_operator_lifts_it(tmp_path):
    """CEA-ACC-03."""
    alice = Participant("alice", "surplus", {"CEA24": Side.SELL}, 1_000_00, {"CEA24": 100})
    with LocalExchange(tmp_path) as exchange:
        exchange.prepare([alice], {"CEA24": 9_749}, start="2025-01-02T08:50:00+08:00")
        exchange.start()
        exchange.wait_until(lambda: exchange.operate("status")["accounts"], "the account", WAIT_S)
        reported = {"account": "alice", "why": "court order 12"}
        registry_ask(tmp_path, {"op": "account_suspend", **reported})

        def is_suspended():
            return exchange.operate("position", account="alice")["suspended"]

        exchange.wait_until(is_suspended, "the suspension", WAIT_S)
        with pytest.raises(ExchangeError, match="SUSPENDED_BY_REGISTRY"):
            exchange.operate("restore", account="alice", why="please")
        registry_ask(tmp_path, {"op": "account_restore", **reported})
        exchange.wait_until(lambda: not is_suspended(), "the end of it", WAIT_S)
