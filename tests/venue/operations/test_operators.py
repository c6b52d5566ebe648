"""Operators at a running venue: who may do what, in whose name, and what takes two."""

import json

import msgspec
import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.records import EventKind, Reason
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.operations.act_log import acts_read
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from cea_exchange.venue.operations.look_log import looks_read
from support.venue.venue_world import DATE, PRODUCT, enter, world_open

pytestmark = pytest.mark.e2e

NO_PROCESS = 2**22 + 1
"""Beyond the numbers that Linux gives."""
OPERATORS = tuple(
    OperatorSetting(name=name, key=f"keys/{file}.public", role=role)
    for name, file, role in (
        ("an", "an", "operator"),
        ("an", "an2", "operator"),
        ("bo", "bo", "operator"),
        ("reg", "reg", "regulator"),
    )
)


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path, operators=OPERATORS, admin_keys=()) as world:
        for name in ("an", "an2", "bo", "reg"):
            CurveKeys.new().save(tmp_path / "keys", name)
        world.as_operator = lambda key, **request: admin_ask(tmp_path, request, key=key)
        world.admin_key = "an"
        yield world


def refused(world, key, complaint, **request):
    with pytest.raises(AdminError, match=complaint):
        world.as_operator(key, **request)


def test_a_regulator_looks_and_changes_nothing(world):
    """CEA-OPR-01."""
    world.listed()
    bob = world.logged_on("bob")
    bob.command(enter(1, "buy", 9700, 3))
    bob.reports(2)
    assert world.as_operator("reg", op="status")["orders_live"] == 1
    held = world.as_operator("reg", op="position", account="bob")
    assert (held["cash_locked"], len(held["orders"])) == (3 * 9700, 1)
    assert held["holdings"][PRODUCT]["tonnes"] == 10**6
    product = world.as_operator("reg", op="statistics")["products"][PRODUCT]
    assert (product["reference_price"], product["volume"]) == (9749, 0)
    (session,) = world.as_operator("reg", op="sessions")["sessions"]
    assert session["account"] == "bob"
    before = world.as_operator("reg", op="status")["command_seq"]
    for request in (
        {"op": "halt"},
        {"op": "kill", "market": True, "why": "x"},
        {"op": "clock", "at": "2024-12-31T15:00:00+08:00"},
        {"op": "override", "why": "x"},
        {"op": "approve", "number": 1},
        {"op": "disconnect", "who": "bob"},
        {"op": "stop"},
    ):
        refused(world, "reg", "NOT_PERMITTED: .*, got the regulator's reg", **request)
    assert world.as_operator("reg", op="status")["command_seq"] == before
    assert not world.as_operator("reg", op="status")["halted"]


def test_what_a_regulator_looked_at_is_kept_and_the_status_is_not(world, capsys):
    """CEA-OPR-04."""
    world.listed()
    world.as_operator("reg", op="status")
    world.as_operator("reg", op="position", account="bob")
    world.as_operator("bo", op="statistics")
    refused(world, "reg", "NOT_PERMITTED", op="halt")
    seen = [(look.by, look.role, look.what, look.fields) for look in looks_read(world.data)]
    assert seen == [
        ("reg", "regulator", "position", {"account": "bob"}),
        ("bo", "operator", "statistics", {}),
    ]
    with (world.data / "looks.jsonl").open("ab") as file:
        file.write(b'{"at":"2024-12-31T09:3')  # cut by a crash
    assert run(["venue", "look", "list", "--data", str(world.data)]) == 0
    assert (
        "2024-12-31T09:30:00+08:00  reg (regulator)  position account=bob\n"
        "2024-12-31T09:30:00+08:00  bo (operator)  statistics\n"
    ) in capsys.readouterr().out
    world.stop()
    world.start()
    world.as_operator("bo", op="sessions")
    assert [look.what for look in looks_read(world.data)] == ["position", "statistics", "sessions"]


def test_who_may_not_read_the_data_folder_acts_with_a_copy_of_the_endpoints(world, tmp_path):
    world.listed()
    home, key = tmp_path / "home", tmp_path / "keys" / "an"
    (home / "venue").mkdir(parents=True)
    endpoints = json.loads((tmp_path / "venue" / "endpoints.json").read_text())
    # At another machine the process is not to be found, or is another program's.
    copy = json.dumps({**endpoints, "pid": NO_PROCESS})
    (home / "venue" / "endpoints.json").write_text(copy)
    assert admin_ask(home, {"op": "halt"}, key=key)["halted"]
    with pytest.raises(AdminError, match="it refuses the key; is .*stranger an operator's key"):
        admin_ask(home, {"op": "status"}, key=tmp_path / "keys" / "stranger", timeout_s=30)
    (home / "venue.lock").touch()
    with pytest.raises(AdminError, match="no venue to ask"):
        admin_ask(home, {"op": "status"}, key=key)


def test_who_when_and_why_are_in_the_journal(world):
    """CEA-OPR-01."""
    world.listed()
    world.as_operator("an", op="halt", product=PRODUCT, why="news awaited")
    world.as_operator("bo", op="resume", product=PRODUCT)
    world.as_operator("an2", op="suspend", account="bob", why="court order 12")
    halt, resume, suspend = acts_read(world.data)  # while the venue runs
    assert halt.sentence() == (
        f'2024-12-31T09:30:00+08:00  an  halt product={PRODUCT}: "news awaited"'
    )
    assert (resume.by, resume.what, resume.why) == ("bo", "resume", "")
    assert (suspend.by, suspend.fields, suspend.why) == ("an", {"account": "bob"}, "court order 12")
    world.stop()
    assert list(acts_read(world.data)) == [halt, resume, suspend]


def test_a_phase_is_told_by_its_name(world):
    world.listed()
    world.as_operator("an", op="phase", phase="break", why="early lunch")
    (act,) = acts_read(world.data)
    assert act.sentence().endswith('  an  phase_set phase=break: "early lunch"')


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "suspend", "account": "bob"},
        {"op": "kill", "account": "bob"},
        {"op": "reference_price", "product": PRODUCT, "price": 9000},
        {"op": "bust", "trade_id": 1},
        {"op": "override"},
    ],
)
def test_what_hurts_needs_a_reason(world, request_):
    """CEA-OPR-01."""
    world.start()
    world.ready()
    refused(world, "an", "`why`", **request_)
    refused(world, "an", "why", **request_, why=" ")
    refused(world, "an", "why", **request_, why=201 * "x")
    assert list(acts_read(world.data)) == []


@pytest.mark.parametrize("ending", ["\n2024-12-31  bo  resume", "\x1b[2K", "\u202e", "\u2028x"])
def test_nobody_forges_a_line_of_the_log(world, ending):
    """What others read must be one line of one person's."""
    world.listed()
    expected = "why: expected one line of visible characters"
    refused(world, "an", expected, op="halt", why="news" + ending)
    why = "why: expected one line of visible characters"
    refused(world, "an", why, op="halt", why="news" + ending)
    assert world.as_operator("an", op="halt", why="有\u3000消息")["halted"]
    (act,) = acts_read(world.data)
    assert act.sentence().endswith('"有\u3000消息"')
    forged = msgspec.structs.replace(act, why="news" + ending).sentence()
    assert forged.isascii() and len(forged.splitlines()) == 1


def test_acts_name_what_there_is(world):
    world.listed()
    for complaint, request in (
        ("PRODUCT_UNKNOWN: .*a product, got CEA99", {"op": "halt", "product": "CEA99"}),
        ("ACCOUNT_UNKNOWN: .*an account, got eve", {"op": "suspend", "account": "eve", "why": "x"}),
        ("ACCOUNT_UNKNOWN: .*an account, got eve", {"op": "position", "account": "eve"}),
        ("BAD_REQUEST: .*an account, or the market, got neither", {"op": "kill", "why": "x"}),
        ("BAD_REQUEST: .*got both", {"op": "kill", "account": "bob", "market": True, "why": "x"}),
        (
            "LISTED_PHASE_BEGUN: .*before the day's first listed phase, got listed",
            {"op": "reference_price", "product": PRODUCT, "price": 9000, "why": "x"},
        ),
    ):
        refused(world, "an", complaint, **request)
    assert list(acts_read(world.data)) == []


def test_acts_happen_once_however_often_they_are_asked(world):
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700))
    alice.reports(2)
    first = world.admin(op="kill", account="alice", why="runaway")
    reports = alice.reports(2)
    canceled = reports[reports["kind"] == EventKind.ORDER_CANCELED]
    assert canceled["reason"].tolist() == [Reason.KILLED]
    again = world.admin(op="kill", account="alice", why="runaway")
    assert (again["orders_live"], again["event_seq"]) == (0, first["event_seq"])
    halted = world.admin(op="halt")
    assert world.admin(op="halt")["event_seq"] == halted["event_seq"]
    opened = world.admin(op="open_day", date="2024-12-31")
    assert opened["event_seq"] == halted["event_seq"]
    closed = world.admin(op="close_day")
    assert world.admin(op="close_day")["event_seq"] == closed["event_seq"]


def traded(world, count=3):
    """Alice buys of Bob, `count` times 10 t at 97.00; return what the two hold before."""
    world.listed()
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    before = [world.admin(op="position", account=name) for name in ("alice", "bob")]
    for number in range(1, count + 1):
        alice.command(enter(number, "buy", 9700))
        alice.reports(2)
        bob.command(enter(number, "sell", 9700))
        bob.reports(2)
        alice.reports(1)
    return alice, bob, before


def tonnes(world, name):
    return world.admin(op="position", account=name)["holdings"].get(PRODUCT, {}).get("tonnes", 0)


def test_two_persons_undo_a_trade(world):
    """CEA-OPR-02, CEA-STL-04."""
    alice, bob, before = traded(world)
    held = tonnes(world, "alice")
    refused(world, "an", "TRADE_UNKNOWN: .*up to 3, got 4", op="bust", trade_id=4, why="typo")
    shown = world.as_operator("an", op="bust", trade_id=2, why="typo, both agree")
    assert "undo trade 2: 10 t of CEA24 at 9700 fen" in shown["what"]
    number = shown["proposal"]
    refused(world, "an2", "SAME_PERSON: .*another person", op="approve", number=number)
    assert tonnes(world, "alice") == held
    approved = world.as_operator("bo", op="approve", number=number)
    assert (approved["outcome"], approved["what"]) == ("undone", shown["what"])
    for peer in (alice, bob):
        (report,) = peer.reports(1)
        assert (report["kind"], report["trade_id"]) == (EventKind.TRADE_BUSTED, 2)
        assert report["reason"] == Reason.NONE
    assert tonnes(world, "alice") == held - 10
    assert tonnes(world, "bob") == before[1]["holdings"][PRODUCT]["tonnes"] - 20
    refused(world, "an", "TRADE_BUSTED: .*was busted", op="bust", trade_id=2, why="once more")
    (act,) = acts_read(world.data)
    assert (act.what, act.by, act.second) == ("trade_bust", "an", "bo")
    assert act.sentence().endswith('trade_id=2: "typo, both agree"')


SALE = {"account": "alice", "product": PRODUCT, "tonnes": 100_000}


def locked(world):
    return world.admin(op="position", account="alice")["holdings"][PRODUCT]["locked"]


def test_two_persons_announce_a_bidding(world):
    """CEA-OPR-02: until another agrees nothing is locked, journaled or told."""
    world.listed()
    before = world.admin(op="status")["state_hash"]
    terms = {"op": "bidding_open", **SALE, "limit": 9_749, "reserve_price": 9_800}
    shown = world.as_operator("an", bidding="B1", **terms, why="by letter")
    what = "announce bidding B1: let alice sell 100000 t of CEA24 at 9749 fen at least, uniform"
    assert shown["what"] == f"{what}, reserve price 9800 fen"
    number = shown["proposal"]
    refused(world, "an2", "SAME_PERSON: .*another person", op="approve", number=number)
    assert world.admin(op="biddings")["biddings"] == [] and locked(world) == 0
    assert world.admin(op="status")["state_hash"] == before
    assert world.as_operator("bo", op="approve", number=number)["what"] == shown["what"]
    (bidding,) = world.admin(op="biddings")["biddings"]
    assert (bidding["bidding"], locked(world)) == ("B1", 100_000)
    refused(world, "an", "BIDDING_TAKEN", bidding="B1", **terms)
    (act,) = acts_read(world.data)
    assert (act.what, act.by, act.second, act.why) == ("bidding_open", "an", "bo", "by letter")


def test_who_agrees_hears_that_the_market_refuses_the_bidding(world):
    """CEA-BID-01: journaled, in the name of both; the proposal waits still."""
    world.listed()
    terms = {"op": "bidding_open", **SALE, "limit": 9_749, "tonnes": 1}
    number = world.as_operator("an", bidding="B1", **terms)["proposal"]
    refused(world, "bo", "BIDDING_TONNES_TOO_SMALL", op="approve", number=number)
    assert [each["number"] for each in world.admin(op="proposals")["proposals"]] == [number]
    assert world.admin(op="biddings")["biddings"] == [] and locked(world) == 0
    (act,) = acts_read(world.data)
    assert (act.what, act.by, act.second) == ("bidding_open", "an", "bo")


def test_a_bidding_is_announced_on_the_day_for_which_it_was_proposed(world):
    world.listed()
    terms = {"op": "bidding_open", **SALE, "limit": 9_749}
    number = world.as_operator("an", bidding="B1", **terms)["proposal"]
    world.admin(op="clock", at="2025-01-02T09:45:00+08:00")
    override = world.admin(op="override", why="x")["proposal"]
    world.as_operator("bo", op="approve", number=override)
    world.until(lambda: world.admin(op="status")["phase"] == "listed")
    refused(world, "bo", "PROPOSAL_DECIDED: .*on 20241231", op="approve", number=number)
    assert world.admin(op="biddings")["biddings"] == []


def test_a_name_that_was_taken_meanwhile_is_not_announced_again(world):
    world.listed()
    terms = {"op": "bidding_open", **SALE, "limit": 9_749}
    numbers = [world.as_operator("an", bidding="B1", **terms)["proposal"] for _ in range(2)]
    world.as_operator("bo", op="approve", number=numbers[0])
    refused(world, "bo", "BIDDING_TAKEN", op="approve", number=numbers[1])
    assert locked(world) == 100_000


def test_nobody_approves_the_application_that_he_has_filed(world):
    """CEA-OPR-02, CEA-BID-10: by another key of his neither; he may refuse it, or take it back."""
    world.listed()
    for name in ("B1", "B2"):
        world.as_operator("an", op="bidding_apply", bidding=name, **SALE, date="2025-02-05")
    for key in ("an", "an2"):
        review = {"op": "bidding_review", "bidding": "B1", "approve": True}
        refused(world, key, "SAME_PERSON: .*another person than an, who filed it", **review)
    applications = world.admin(op="bidding_applications")["applications"]
    assert [(each["by"], each["status"]) for each in applications] == 2 * [("an", "applied")]
    world.as_operator("bo", **review)
    world.as_operator("an", op="bidding_review", bidding="B2", approve=False, why="a slip")
    applications = world.admin(op="bidding_applications")["applications"]
    assert [each["status"] for each in applications] == ["approved", "refused"]
    refused(world, "bo", "BIDDING_UNKNOWN", **review)
    refused(world, "bo", "BIDDING_UNKNOWN", **{**review, "bidding": "B9"})


def test_operators_hear_that_a_trade_could_not_be_undone(world):
    """CEA-STL-04: bob has spent what he would have to give back; a journaled act all the same."""
    alice, bob, _before = traded(world, count=1)
    world.registry.commands.append(control.TransferOut(account="bob", amount=10**12))
    world.until(lambda: world.admin(op="position", account="bob")["cash"] == 10 * 9700)
    bob.reports(1)
    alice.command(enter(2, "sell", 9700, 1))
    alice.reports(2)
    bob.command(enter(2, "buy", 9700, 1))
    bob.reports(2)
    number = world.as_operator("an", op="bust", trade_id=1, why="typo")["proposal"]
    approved = world.as_operator("bo", op="approve", number=number)
    assert approved["outcome"] == "nothing moved: CASH_INSUFFICIENT"
    assert world.admin(op="position", account="bob")["cash"] == 9 * 9700
    assert [act.what for act in acts_read(world.data)] == ["trade_bust"]


def test_two_proposals_of_one_trade_undo_it_once(world):
    """CEA-OPR-02: what was judged when it was proposed is judged anew when it happens."""
    traded(world, count=1)
    first, second = (
        world.as_operator(key, op="bust", trade_id=1, why="x")["proposal"] for key in ("an", "bo")
    )
    world.as_operator("bo", op="approve", number=first)
    refused(world, "an", "TRADE_BUSTED: .*busted already", op="approve", number=second)
    assert len(list(acts_read(world.data))) == 1


def test_no_trade_is_undone_before_the_registry_has_answered(world):
    """A bust takes a settlement number: given too early, it would hide a lost tail."""
    traded(world, count=1)
    world.stop()
    world.registry.is_silent = True
    world.start()
    settled = world.admin(op="status")["settlement_seq"]
    number = world.as_operator("an", op="bust", trade_id=1, why="typo")["proposal"]
    refused(world, "bo", "REGISTRY_AWAITED: .*has not answered", op="approve", number=number)
    assert world.admin(op="status")["settlement_seq"] == settled
    world.registry.is_silent = False
    world.ready()
    assert world.as_operator("bo", op="approve", number=number)["outcome"] == "undone"


def test_a_disconnected_participant_may_log_on_again(world):
    world.listed()
    bob = world.logged_on("bob")
    world.logged_on("alice")
    bob.command(enter(1, "buy", 9700))
    bob.reports(2)
    assert world.admin(op="disconnect", who=world.keys["bob"].public)["ended"] == 1
    assert bob.message() == {"op": "session_ended", "reason": "operator"}
    assert bob.ask(op="heartbeat")["where"] == "session"
    world.until(lambda: world.admin(op="status")["orders_live"] == 0)
    assert bob.ask(op="logon")["op"] == "logon"
    assert world.admin(op="disconnect", who="bob", why="x")["ended"] == 1
    assert world.admin(op="disconnect", who="nobody")["ended"] == 0
    assert world.admin(op="status")["sessions"] == 1


def next_day_waits(world):
    world.listed()
    status = world.admin(op="clock", at="2025-01-02T09:45:00+08:00")
    assert (status["trading_date"], status["changes_pending"]) == (DATE, 2)


def test_two_persons_open_a_day_without_the_registry(world):
    """CEA-OPR-02, CEA-STL-03: both names are journaled with the opening."""
    next_day_waits(world)
    number = world.as_operator("an", op="override", why="registry back at noon")["proposal"]
    (proposal,) = world.as_operator("reg", op="proposals")["proposals"]
    assert world.as_operator("reg", op="status")["proposals"] == [number]
    assert (proposal["number"], proposal["by"]) == (number, "an")
    refused(world, "an", "another person than an", op="approve", number=number)
    refused(world, "an2", "another person than an", op="approve", number=number)
    refused(world, "bo", "PROPOSAL_UNKNOWN: ", op="approve", number=number + 1)
    assert world.admin(op="status")["trading_date"] == DATE
    world.as_operator("bo", op="approve", number=number)
    world.until(lambda: world.admin(op="status")["phase"] == "listed")
    (opened,) = acts_read(world.data)
    assert (opened.what, opened.by, opened.second) == ("day_open", "an", "bo")
    assert (opened.why, opened.fields) == ("registry back at noon", {"date": 20250102})
    refused(world, "an", "a closed, unconfirmed day", op="override", why="x")


def test_a_rejected_override_opens_nothing_and_a_restart_drops_proposals(world):
    """CEA-OPR-02."""
    next_day_waits(world)
    number = world.admin(op="override", why="x")["proposal"]
    assert "20241231" in world.as_operator("bo", op="reject", number=number)["what"]
    refused(world, "bo", "PROPOSAL_DECIDED: .*got rejected", op="approve", number=number)
    number = world.admin(op="override", why="x")["proposal"]
    world.stop()
    world.start()
    world.ready()
    refused(world, "bo", "PROPOSAL_UNKNOWN: ", op="approve", number=number)
    assert world.admin(op="proposals")["proposals"] == []
    assert world.admin(op="status")["trading_date"] == DATE
    assert list(acts_read(world.data)) == []


def test_an_override_is_for_one_day(world):
    """CEA-OPR-02: the day after the next waits again."""
    next_day_waits(world)
    number = world.admin(op="override", why="x")["proposal"]
    world.as_operator("bo", op="approve", number=number)
    world.until(lambda: world.admin(op="status")["phase"] == "listed")
    status = world.admin(op="clock", at="2025-01-03T09:45:00+08:00")
    assert (status["trading_date"], status["changes_pending"]) == (20250102, 2)
    refused(world, "an", "has not confirmed 20250102", op="open_day", date="2025-01-03")
