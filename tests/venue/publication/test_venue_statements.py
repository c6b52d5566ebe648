"""Statements through a running venue: a participant's own, and any account's for who may look."""

import asyncio
import json

import pytest

from cea_exchange.client import AsyncClient, Client
from cea_exchange.client.session import SessionError
from cea_exchange.domain.documents.statement import Holding, Position, StatementError
from cea_exchange.domain.documents.statement_forms import statement_json
from cea_exchange.domain.records import EventKind
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import request_decode
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.protocol.statements import pages, statement_of_answers
from cea_exchange.venue.operations.admin_client import AdminError
from support.venue.venue_process import command
from support.venue.venue_world import PRODUCT, enter, world_open

pytestmark = pytest.mark.e2e

CASH, TONNES = 10**12, 10**6


def connected(world, name, **options):
    return Client.connect(
        world.venue.endpoints["gateway"], world.keys[name], world.keys["venue"].public, **options
    )


def trade(world, day, number, tonnes=20):
    date = int(day.replace("-", ""))
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    alice.command(enter(number, "sell", 9749, tonnes + 10, trading_date=date))
    alice.reports_until(lambda rows: (rows["kind"] == EventKind.ORDER_RESTED).any())
    bob.command(enter(number, "buy", 9749, tonnes, trading_date=date))
    bob.reports_until(lambda rows: (rows["kind"] == EventKind.TRADE).any())


def test_a_participants_own_statement_day_by_day(tmp_path):
    """CEA-INF-03: so far, at the close, and of a day that is past."""
    with world_open(tmp_path, wait_for_confirmation=False) as world:
        world.listed()
        trade(world, "2024-12-31", 1)
        with connected(world, "alice") as alice:
            so_far = alice.statement()
            assert (so_far.is_final, so_far.trading_date) == (False, 20241231)
            assert so_far.closing.holding(PRODUCT) == Holding(TONNES - 20, locked=10)
            assert [lock.end for lock in so_far.locks] == ["open"]
        with connected(world, "bob") as bob:
            assert bob.statement().closing.holding(PRODUCT) == Holding(TONNES + 20, 0, 20)
            world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
            first = bob.statement()
            assert first.is_final and first.account == "bob"
            assert first.opening == Position()  # what came in before the first day is the day's
            assert first.closing == Position(
                CASH - 20 * 9749, 0, {PRODUCT: Holding(TONNES + 20, 0, 20)}
            )
            world.admin(op="clock", at="2025-01-02T09:30:00+08:00")
            trade(world, "2025-01-02", 1, tonnes=5)
        with connected(world, "bob") as bob:
            assert bob.statement("2024-12-31") == first
            second = bob.statement("2025-01-02")
            held = {PRODUCT: Holding(TONNES + 20)}
            assert second.opening == Position(first.closing.cash, 0, held)
            assert second.closing.holding(PRODUCT) == Holding(TONNES + 25, 0, 5)
            assert [each.tonnes for each in second.movements] == [5]
            with pytest.raises(SessionError, match="DATE_OUT_OF_RANGE: .*got 2025-01-01"):
                bob.statement("2025-01-01")
            with pytest.raises(ValueError, match="date: expected one such as .*, got 'yesterday'"):
                bob.statement("yesterday")
            # The session goes on as before.
            assert bob.answer(bob.enter(PRODUCT, "buy", price_fen=9000, tonnes=1))


def test_a_statement_survives_a_restart(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        trade(world, "2024-12-31", 1)
        world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
        with connected(world, "alice") as alice:
            before = alice.statement()
        world.stop()
        world.start()
        world.ready()
        with connected(world, "alice") as alice:
            assert alice.statement() == alice.statement("2024-12-31") == before


def test_of_many_reports_a_page_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("cea_exchange.protocol.statements.HISTORY_COUNT_MAX", 2)
    monkeypatch.setattr("cea_exchange.venue.order_entry.activity_statements.HISTORY_COUNT_MAX", 2)
    with world_open(tmp_path) as world:
        world.listed()
        trade(world, "2024-12-31", 1)
        with connected(world, "alice") as alice:
            statement = alice.statement()
            assert [each.kind for each in statement.movements] == ["deposited"] * 2 + ["trade"]


def test_the_async_client_too(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        trade(world, "2024-12-31", 1)

        async def asked():
            client = await AsyncClient.connect(
                world.venue.endpoints["gateway"], world.keys["bob"], world.keys["venue"].public
            )
            try:
                with pytest.raises(SessionError, match="got 2024-12-30"):
                    await client.statement("2024-12-30")
                return await client.statement()
            finally:
                client.close()

        assert asyncio.run(asked()).closing.holding(PRODUCT) == Holding(TONNES + 20, 0, 20)


def test_no_field_names_another_account(tmp_path):
    """Nobody sees another's: the request has no account, and one that names it is refused."""
    for request in (
        {"op": "statement", "account": "bob"},
        {"op": "history", "from": 1, "count": 5, "account_index": 1},
    ):
        with pytest.raises(FrameError):
            request_decode(control.msgspec.msgpack.encode(request))
    with world_open(tmp_path) as world:
        world.listed()
        trade(world, "2024-12-31", 1)
        alice = world.logged_on("alice")
        refused = alice.ask(op="statement", date="yesterday")
        assert (refused["code"], refused["where"]) == ("VALUE_UNSOUND", "date")
        place = alice.ask(op="statement")
        assert place["account"] == "alice"
        shown = alice.ask(op="history", **{"from": place["first"], "count": 1_000})
        # Of the trade alice, the maker, learns her own side only.
        statement = statement_of_answers(place, [shown])
        assert statement.account == "alice" and statement.movements[-1].side == "sell"
        stranger = world.peer("alice")
        stranger.send(b"M", control.msgspec.msgpack.encode({"op": "statement"}))
        assert stranger.message()["op"] == "refused"


def operators(tmp_path):
    """Keys of an operator and a regulator, and the settings that know them."""
    settings = []
    for name in ("admin", "regulator"):
        role = "regulator" if name == "regulator" else "operator"
        settings.append(OperatorSetting(name=name, key=f"keys/{name}.public", role=role))
    return {"operators": tuple(settings)}


def test_operators_and_regulators_see_any_accounts(tmp_path):
    CurveKeys.new().save(tmp_path / "keys", "regulator")
    with world_open(tmp_path, **operators(tmp_path)) as world:
        world.listed()
        trade(world, "2024-12-31", 1)
        world.admin(op="clock", at="2024-12-31T15:00:00+08:00")
        with connected(world, "bob") as bob:
            own = bob.statement()
        shown = ("venue", "account", "statement", "bob", "--data", str(tmp_path), "--key=regulator")
        ran = command(*shown, "--format", "json")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.encode() == statement_json(own)
        assert "account bob" in command(*shown).stdout
        out = tmp_path / "bob.csv"
        assert command(*shown, "--format", "csv", "--out", str(out)).returncode == 0
        assert out.read_text().startswith("trading_date,account,line,")
        refused = command(*shown, "--date", "2024-12-30")
        assert refused.returncode == 2 and "a trading day of this venue" in refused.stderr
        with pytest.raises(AdminError, match="refused ACCOUNT_UNKNOWN: .*expected an account"):
            world.admin(op="statement", account="nobody")


def test_reports_that_are_missing_are_noticed(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        trade(world, "2024-12-31", 1)
        place = world.admin(op="statement", account="bob")
        ((first, count),) = pages(place)
        shown = world.admin(op="history", account="bob", **{"from": first, "count": count})
        statement_of_answers(place, [shown])
        with pytest.raises(ValueError, match="reports: expected"):
            statement_of_answers(place, [{**shown, "rows": shown["rows"][:-160]}])
        with pytest.raises(StatementError):
            statement_of_answers({**place, "cash": place["cash"] - CASH}, [shown])


def test_the_statements_json_is_one_line(tmp_path):
    with world_open(tmp_path) as world:
        world.listed()
        with connected(world, "bob") as bob:
            line = statement_json(bob.statement())
    assert line.count(b"\n") == 1 and json.loads(line)["holdings"][PRODUCT]["deposits"] == TONNES


def test_a_venue_without_balances_says_so(tmp_path):
    with world_open(tmp_path, profile="open") as world:
        world.start()
        world.ready()
        with (
            connected(world, "bob") as bob,
            pytest.raises(SessionError, match="keeps balances, got open") as error,
        ):
            bob.statement()
    assert error.value.code is VenueRefusal.NO_BALANCES
