"""One participant of the torture run: a process that may be killed or stopped at any moment.

    python -m torture.client DIRECTORY

What it must remember is in two files of plain records in its directory: `sent.rows`, synced before
a command goes out, and `reports.rows`, what it was told. Started again it reads both, asks for the
reports it misses, and sends what has no answer again under the same ids. It never ends by itself;
if it does, that is a finding.
"""

import os
import random
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import zmq

from cea_exchange.client import Client
from cea_exchange.client.reports import Report, reports_of
from cea_exchange.client.session import SessionState
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, EventKind, Phase, Side
from cea_exchange.loadtest.population import WORKLOADS, PricePath, Trader
from cea_exchange.loadtest.stands.audit import positions_of, rows_read
from cea_exchange.protocol.security import CurveKeys

POLL_S = 0.02
HEARTBEAT_INTERVAL_S = 0.25
SILENCE_S_MAX = 1.0
PENDING_MAX = 64
BATCH_MAX = 8
BEHIND_S_MAX = 1.0
"""What could not be sent in time is made up for, but for what is older."""
PACE = 8
"""Commands of the whole market to one of the client's own: the prices' path runs by them."""
OFF_HOURS_SHARE = 0.05
"""How much of the usual it sends while there is no session, to be refused."""
REPORTS_PER_LOSS = 40
"""The canary's client loses one of so many reports."""

BLOCK_TALK = (EventKind.BLOCK_ENQUIRED, EventKind.BLOCK_OFFERED, EventKind.BLOCK_COUNTERED)
"""What another participant says that wants an answer."""

IDLE, TRADE = 0, 1
"""Modes; from 2 on a number that is given back once everything is answered and known."""


class ClientConfig(msgspec.Struct, forbid_unknown_fields=True):
    """What a client process is told, in ``DIRECTORY/config.json``.

    Attributes
    ----------
    counterparties
        By product, the accounts that stand on the other side: blocks are offered to them.
    endpoint
        Where it comes in; of several to the next when it is not served.
    batches_per_second
        Of up to 8 commands each, on average, while there is a session.
    fault
        `drop_report` makes it lose reports, which the checks must notice.
    silence_s_max
        After so long without a word it connects anew.
    pending_max
        With more commands without an answer it sends none.
    """

    name: str
    account_index: int
    sides: dict[str, str]
    counterparties: dict[str, list[int]]
    endpoint: str | list[str]
    server_key: str
    keys: str
    reference_prices: dict[str, int]
    seed: int
    batches_per_second: float
    fault: str = ""
    silence_s_max: float = SILENCE_S_MAX
    pending_max: int = PENDING_MAX


class Board:
    """A few numbers that parent and client both see, in a file that outlives the client.

    `mode` is the parent's to write, the rest is the client's.
    """

    FIELDS = ("mode", "settled", "sent", "answered", "resent", "replayed", "reports", "lives")

    def __init__(self, path: Path):
        if not path.exists():
            path.write_bytes(bytes(8 * len(self.FIELDS)))
        self._values = np.memmap(path, np.uint64, "r+", shape=(len(self.FIELDS),))

    def __getitem__(self, field: str) -> int:
        return int(self._values[self.FIELDS.index(field)])

    def __setitem__(self, field: str, value: int) -> None:
        self._values[self.FIELDS.index(field)] = value


class RowLog:
    """Records in a file, added at its end; a torn last one is cut when it is opened again."""

    def __init__(self, path: Path, dtype: np.dtype):
        self.rows = rows_read(path, dtype)
        self._file = path.open("ab")
        self._file.truncate(self.rows.nbytes)

    def append(self, rows: bytes, *, sync: bool = False) -> None:
        """Hand records to the system, where they outlive this process; or wait for the disk."""
        self._file.write(rows)
        self._file.flush()
        if sync:
            os.fdatasync(self._file.fileno())


class Participant:
    """The client, its two logs, and the trader that decides what to send."""

    def __init__(self, directory: Path):
        self.config = config = msgspec.json.decode(
            (directory / "config.json").read_bytes(), type=ClientConfig
        )
        self.board = Board(directory / "board")
        self.board["lives"] += 1
        seed = f"client {config.seed} {config.name} {self.board['lives']}"
        self._draw = random.Random(seed)
        self._sent = RowLog(directory / "sent.rows", COMMAND_DTYPE)
        self._heard = RowLog(directory / "reports.rows", EVENT_DTYPE)
        self._trader = _trader_of(config, seed)
        self._next_batch_at = 0.0
        self._asked_for = IDLE
        self._block_talk: list[Report] = []
        names = list(config.reference_prices)
        self._counterparties = {
            names.index(name): others for name, others in config.counterparties.items()
        }
        self._client = Client(
            config.endpoint,
            CurveKeys.load(Path(config.keys), config.name),
            config.server_key,
            context=zmq.Context.instance(),
            report_seq=int(positions_of(self._heard.rows).max(initial=0)),
            heartbeat_interval_s=HEARTBEAT_INTERVAL_S,
            silence_s_max=config.silence_s_max,
        )
        self._session = self._client.session
        self._resume()

    def _resume(self) -> None:
        """Take up what the logs say: what was told, and what was sent and never answered."""
        answered = set()
        for report in reports_of(self._heard.rows.tobytes()):
            answered.add(report.answers())
            self._trader.take(report, self.config.account_index)
        rows = self._sent.rows
        ids = rows["client_order_id"].tolist()
        pending = [place for place, each in enumerate(ids) if each not in answered]
        self._session.submit_packed([(ids[place], rows[place].tobytes()) for place in pending])
        self._next_id = ids[-1] + 1 if ids else 1
        self._resent_before = self.board["resent"]
        self._replayed_before = self.board["replayed"]
        self.board["sent"] = len(ids)
        self._count_answered()
        self._client.reconnect()

    def run(self) -> None:
        """Send, read and write down, until killed; or until the parent is gone."""
        parent = os.getppid()
        while os.getppid() == parent:
            mode = self.board["mode"]
            if mode == TRADE:
                self._send_due()
            elif mode > TRADE:
                self._settle(mode)
            self._read(POLL_S)

    def _send_due(self) -> None:
        """Send the batches whose time has come, in one message and with one sync."""
        now, session = time.monotonic(), self._session
        self._next_batch_at = max(self._next_batch_at, now - BEHIND_S_MAX)
        room = self.config.pending_max - len(session.unacknowledged)
        if session.state is not SessionState.READY:
            return
        in_session = session.phase in (Phase.LISTED, Phase.LISTED_AND_BLOCK)
        batch: list[tuple[int, bytes]] = []
        while self._next_batch_at <= now and len(batch) <= room:
            self._next_batch_at += self._draw.uniform(0, 2 / self.config.batches_per_second)
            if in_session or self._draw.random() <= OFF_HOURS_SHARE:
                batch += [self._command() for _ in range(self._draw.randint(1, BATCH_MAX))]
        if not batch:
            return
        # An id is used up before it goes out: whoever is killed in between sends it again.
        self._sent.append(b"".join(record for _, record in batch), sync=True)
        self.board["sent"] += len(batch)
        session.submit_packed(batch)
        self._client.flush()

    def _command(self) -> tuple[int, bytes]:
        client_order_id, self._next_id = self._next_id, self._next_id + 1
        trading_date, count = self._session.trading_date, client_order_id * PACE
        if self._block_talk:
            report = self._block_talk.pop(0)
            answer = self._trader.block_answer(report, client_order_id, trading_date, count)
            return client_order_id, answer[1]
        name = self._trader.intention()
        product_index = self._trader.product()
        others = self._counterparties[product_index]
        if name in ("block_offer", "block_enquiry") and others:
            return client_order_id, self._trader.block(
                name,
                product_index,
                client_order_id,
                trading_date,
                counterparty=self._draw.choice(others),
                count=count,
            )
        # To pick, it would have to wait for a book.
        name = "passive" if name in ("pick", "block_offer", "block_enquiry") else name
        return client_order_id, self._trader.command(name, client_order_id, trading_date, count)

    def _read(self, timeout_s: float) -> None:
        reports = self._client.poll(timeout_s)
        self.board["resent"] = self._resent_before + self._session.resent_count
        self.board["replayed"] = self._replayed_before + self._session.replayed_count
        if not reports:
            return
        rows = np.array([tuple(report) for report in reports], EVENT_DTYPE)
        if self.config.fault == "drop_report":
            rows = rows[positions_of(rows) % REPORTS_PER_LOSS != 0]
        self._heard.append(rows.tobytes())
        for report in reports:
            self._trader.take(report, self.config.account_index)
            if report.kind in BLOCK_TALK and report.account_index != self.config.account_index:
                self._block_talk.append(report)
        self._count_answered()
        self.board["reports"] = self._session.report_seq

    def _count_answered(self) -> None:
        self.board["answered"] = self.board["sent"] - len(self._session.unacknowledged)

    def _settle(self, mode: int) -> None:
        """Give the mode's number back once nothing is unanswered and no report is missing."""
        session = self._session
        if self.board["settled"] == mode or session.unacknowledged:
            return
        if session.state is not SessionState.READY:
            return
        shown = [each for each in session.messages if each["op"] == "heartbeat"]
        if self._asked_for != mode:
            self._asked_for = mode
            session.messages.clear()
            session.heartbeat()
        elif shown and shown[-1]["report_seq"] == session.report_seq:
            self.board["settled"] = mode


def _trader_of(config: ClientConfig, seed: str) -> Trader:
    indexes = {name: index for index, name in enumerate(config.reference_prices)}
    return Trader(
        config.name,
        {indexes[name]: Side[side.upper()] for name, side in config.sides.items()},
        {
            index: PricePath(name, config.reference_prices[name], seed=config.seed)
            for name, index in indexes.items()
        },
        WORKLOADS["trading_day"],
        seed,
    )


def main(directory: str) -> None:
    """Be one participant."""
    Participant(Path(directory)).run()


if __name__ == "__main__":
    main(sys.argv[1])
