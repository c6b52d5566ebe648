"""A venue and a registry with two operators and a regulator, after a day of trading."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cea_exchange.client import Client
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.security import CurveKeys

DAY, NEXT_DAY = "2025-01-02", "2025-01-03"
PEOPLE = [
    Participant("alice", "short", {"CEA24": Side.BUY}, 90_000_000_00, {}),
    Participant("bob", "surplus", {"CEA24": Side.SELL}, 1_000_000, {"CEA24": 500_000}),
    Participant("carol", "surplus", {}, 8_000_000_00, {"CEA24": 60_000}),
]
ROLES = {"an": "operator", "bo": "operator", "admin": "operator", "rex": "regulator"}


@contextmanager
def control_room(folder: Path) -> Iterator[LocalExchange]:
    """Run both; one day is over, the next one is in its last session.

    The day's last price is 5% from its reference by one trade of 30 t (CEA-SVL-12), and before it
    somebody has offered 10,000 t far from the last deal (CEA-SVL-19).
    """
    with LocalExchange(folder) as exchange:
        start = f"{DAY}T08:30:00+08:00"
        exchange.prepare(
            PEOPLE, {"CEA24": 9_749}, start=start, fronts=0, metrics="127.0.0.1:0"
        )
        operators_set(exchange)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at=f"{DAY}T13:00:00+08:00")
        with connected(exchange, "alice") as alice, connected(exchange, "bob") as bob:
            _day(alice, bob)
        exchange.operate("clock", at=f"{NEXT_DAY}T13:00:00+08:00")
        exchange.wait_until(
            lambda: exchange.operate("status")["phase"] == "listed_and_block",
            "the next day to open",
            30.0,
        )
        yield exchange


def connected(exchange: LocalExchange, name: str) -> Client:
    """Somebody who trades without a screen."""
    return Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(name),
        exchange.keys("venue").public,
    )


def _day(alice: Client, bob: Client) -> None:
    for price, tonnes in (("102.90", 40), ("103.20", 300), ("103.50", 500)):
        bob.answer(bob.enter("CEA24", "sell", price=price, tonnes=tonnes))
    alice.answer(alice.enter("CEA24", "buy", price="96.00", tonnes=200))
    alice.answer(alice.enter("CEA24", "buy", price="102.90", tonnes=30))
    far = bob.answer(bob.enter("CEA24", "sell", price="107.23", tonnes=10_000))
    near = alice.answer(alice.enter("CEA24", "buy", price="89.00", tonnes=10_000))
    bob.answer(bob.cancel(far.order_id))
    alice.answer(alice.cancel(near.order_id))
    bob.answer(bob.enter("CEA24", "sell", price="130.00", tonnes=10))


def operators_set(exchange: LocalExchange) -> None:
    """Let several persons act, and what takes two persons take two."""
    for name in ROLES.keys() - {"admin"}:
        CurveKeys.new().save(exchange.keys_directory, name)
    tables = "".join(
        f'\n[[operators]]\nname = "{name}"\nkey = "keys/{name}.public"\nrole = "{role}"\n'
        for name, role in ROLES.items()
    )
    for daemon in ("venue", "registry"):
        file = exchange.data / f"{daemon}.toml"
        settings = file.read_text().replace("second_person = []\n", "")
        file.write_text(settings + tables)
