"""What a turn of the venue's loop costs: `python -m bench.turn [--commands 256] [--messages 1]`.

The venue runs as its daemon runs it, with journal, event store, index and rings, and without
sockets: its fronts are `bench.sockets.turn_front`, which put a turn's commands into the rings
before it begins and take what came of it afterwards. So nothing but the turn itself is measured:
processor time of all threads, user's and system's, in microseconds, and how much of it a command
takes.

The processor's own noise is left where instructions are counted instead:

    valgrind --tool=callgrind --callgrind-out-file=/dev/null python -m bench.turn --turns 50
    ... --turns 250        the difference is that of 200 turns

The digests are of all that leaves the venue and of the files it leaves behind. The same commands
give the same ones, so versions can be compared, byte for byte.
"""

import argparse
import gc
import json
import os
import select
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import msgspec
import zmq

from bench.sockets.turn_front import FOLDER, key_of
from bench.venue import CASH_FEN, LISTED, PRODUCTS, REFERENCE_PRICE, TONNES, traders
from cea_exchange.control_plane.fronts.fronts import DoorLimits, Fronts
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase, Side
from cea_exchange.journal import OsStorage
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import Clock, ClockSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer, helper_thread
from cea_exchange.venue.operations.monitor import Outside
from cea_exchange.venue.trading_day.clock_monitor import ClockMonitor
from cea_exchange.venue.venue import Clocks, Surroundings, Venue, Ways

DATE = 20250102
LOG_ID = "0" * 31 + "1"
FRONTS = 2
COMMANDS_PER_SECOND = 300_000
PUBLISHED_S = 0.01


class PlayedFronts(Fronts):
    """Simulated fronts, each of which takes a turn when asked to."""

    program = (sys.executable, "-m", "bench.sockets.turn_front")

    def _start(self):
        started = super()._start()
        for way in ("in", "out"):
            os.mkfifo(f"{os.environ[FOLDER]}/{started.process.pid}.{way}")
        return started


class Played:
    """One of them."""

    def __init__(self, process_id: int, opened: ExitStack) -> None:
        path = f"{os.environ[FOLDER]}/{process_id}"
        self._instructions, self._says = (
            opened.enter_context(open(f"{path}.{way}", mode, encoding="ascii"))  # noqa: SIM115
            for way, mode in (("in", "w"), ("out", "r"))
        )

    def tell(self, what: str) -> None:
        """Say what it is to do."""
        self._instructions.write(what + "\n")
        self._instructions.flush()

    def hear(self) -> str:
        """Wait until it has done it."""
        return self._says.readline()

    @property
    def is_heard(self) -> bool:
        """Whether it has."""
        return bool(select.select([self._says], [], [], 0.001)[0])


class Nobody:
    """A registry that is not there, and a mailbox to which nobody comes."""

    is_open = True
    opened_count = 0

    def open(self) -> bool:
        return True

    def send(self, content: bytes) -> bool:
        return True

    def receive(self) -> None:
        return None

    def answer(self, routing_id: bytes, *frames: bytes) -> None:
        raise AssertionError("nobody asked")

    def close(self) -> None:
        pass


class Steps:
    """A clock that stands still between turns."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


def day_begin(sequencer: Sequencer, names: dict[str, Side]) -> None:
    """Declare and fund everybody, and open the listed phase."""
    declared: list[Any] = [
        control.ProductDeclared(product=name, reference_price=REFERENCE_PRICE)
        for name in PRODUCTS[:6]
    ]
    for name, side in names.items():
        declared.append(control.AccountDeclared(account=name))
        if side == Side.BUY:
            declared.append(control.TransferIn(account=name, amount=CASH_FEN))
        else:
            declared += [
                control.TransferIn(account=name, product=product, amount=TONNES)
                for product in PRODUCTS[:6]
            ]
    acts = [control.FeedItem(seq, command) for seq, command in enumerate(declared, 1)]
    acts += [control.KeyGranted(key=key_of(name), account=name) for name in names]
    acts += [control.DayOpen(date=DATE), control.PhaseSet(phase=Phase.LISTED)]
    _, refusals = sequencer.run_controls(acts)
    assert not any(refusals), refusals


class Room:
    """A venue, its played fronts, and what has left it for everybody."""

    def __init__(self, data: Path, opened: ExitStack, names: dict[str, Side]) -> None:
        self.now_s = Steps()
        self.published: list[list[bytes]] = []
        clock = ClockMonitor(Clock(ClockSetting(kind="manual", start=LISTED)))
        sequencer = Sequencer.open(
            data, load_profile("cea"), now_ns=clock.now_ns, log_id=LOG_ID, now_s=self.now_s
        )
        opened.callback(sequencer.close)
        day_begin(sequencer, names)
        os.environ[FOLDER] = str(data)
        address, limits = "tcp://127.0.0.1:0", DoorLimits(64, 1 << 20)
        self.fronts = PlayedFronts(
            CurveKeys.new(),
            {"gateway": (address, limits), "admin": (address, limits)},
            count=FRONTS,
            memory_mib_max=512,
            stranger=CurveKeys.new().public,
            poller=zmq.Poller(),
        )
        opened.callback(self.fronts.close)
        self.venue = Venue(
            sequencer,
            VenueConfig(
                throttle_per_second=0,
                throttle_cancels_per_second=0,
                throttle_account_per_second=0,
                throttle_account_cancels_per_second=0,
                market_data_interval_ms=1,
            ),
            data,
            {},
            ways=Ways(
                gateway=self.fronts.doors["gateway"],
                admin=self.fronts.doors["admin"],
                snapshots=Nobody(),
                replay=Nobody(),
                registry=Nobody(),
                market_data=self.published.append,
                settlement=self.published.append,
            ),
            clocks=Clocks(clock, self.now_s, lambda: 0.0),
            surroundings=Surroundings(
                keys_changed=lambda: None,
                key_restore=lambda key: False,
                stop=lambda: None,
                hand_over=lambda node: None,
                outside=Outside,
                sizes=dict,
                storage=OsStorage(),
                helper=helper_thread,
                looked=lambda person, request: None,
            ),
        )
        opened.callback(self.venue.close)
        # As if the registry had answered.
        self.venue.orders.gateway.cancels_only = ""
        self.venue.orders.gateway.held.until_s = 0.0
        self.venue.market_data.cut()
        self.played = [Played(each, opened) for each in self.fronts.process_ids]

    def turn(self, is_published: bool) -> None:
        """One turn, as the daemon's loop takes it."""
        self.venue.orders_turn()
        self.fronts.flush()
        if is_published:
            self.venue.publish()
            self.fronts.flush()

    def tell(self, what: str) -> list[str]:
        """Have all fronts do something at the same time."""
        for each in self.played:
            each.tell(what)
        return [each.hear() for each in self.played]

    def begin(self, setting: dict[str, Any]) -> None:
        """Log everybody on."""
        for number, each in enumerate(self.played):
            each.tell(json.dumps({**setting, "number": number, "fronts": FRONTS}))
            while not each.is_heard:
                self.turn(True)
            each.hear()


@contextmanager
def room_open(names: dict[str, Side], data: Path) -> Iterator[Room]:
    """A venue in its listed phase."""
    with ExitStack() as opened:
        yield Room(data, opened, names)


def run(data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Take turns, and return the cost of each and the digests."""
    names = traders(options.accounts)
    per_turn = options.commands * options.messages
    took_s, public = [], blake2b(digest_size=16)
    with room_open(names, data) as room:
        room.begin(
            {
                "names": list(names),
                "commands": options.commands,
                "messages": options.messages,
                "commands_max": options.turns * per_turn + 1,
                "seed": options.seed,
            }
        )
        room.published.clear()
        # As the daemon does before it serves.
        gc.freeze()
        due_s = room.now_s() + PUBLISHED_S
        for _ in range(options.turns):
            room.tell("send")
            is_due = room.now_s() >= due_s
            due_s = room.now_s() + PUBLISHED_S if is_due else due_s
            began_s = process_time()
            room.turn(is_due or per_turn < options.commands_awaited)
            took_s.append(process_time() - began_s)
            room.now_s.s += per_turn / COMMANDS_PER_SECOND
            room.tell("take")
            if options.digest:
                public.update(msgspec.msgpack.encode(room.published))
            room.published.clear()
        heard = [json.loads(shown) for shown in room.tell("end")]
    assert sum(each["acknowledged"] for each in heard) == options.turns * per_turn
    files = {
        path.relative_to(data).as_posix(): blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for folder in ("journal", "events")
        for path in sorted((data / folder).iterdir())
    }
    warm = sorted(1e6 * each for each in took_s[len(took_s) // 5 :])
    return {
        "turn_us": median(warm),
        "turn_us_p10": warm[len(warm) // 10],
        "turn_us_mean": sum(warm) / len(warm),
        "command_us": sum(warm) / len(warm) / per_turn,
        "reports_per_command": sum(each["reports"] for each in heard) / options.turns / per_turn,
        "digests": {
            "reports": [each["digest"] for each in heard],
            **({"public": public.hexdigest()} if options.digest else {}),
            **files,
        },
    }


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.turn", description=__doc__)
    parser.add_argument("--commands", type=int, default=256, help="a message")
    parser.add_argument("--messages", type=int, default=1, help="a turn")
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--accounts", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--digest", action="store_true", help="of what is published, too")
    parser.add_argument(
        "--commands-awaited",
        type=int,
        default=32,
        help="with fewer a turn the venue is idle in between, and publishes",
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Measure and print."""
    options = options_of()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), options)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
