"""A participant in one process: logs on, draws orders, blocks and bids, and counts its reports."""

import msgspec
import numpy as np

from cea_exchange.client.reports import Report, reports_of
from cea_exchange.control_plane.fronts.fronts import FRONT_BYTES
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    PRODUCT_NONE,
    BiddingState,
    BlockFlag,
    CommandKind,
    Phase,
    Side,
)
from cea_exchange.protocol.framing import TAG_COMMANDS, TAG_MESSAGE, TAG_REPORTS

BEAT_S = 4.0
LOGON_S = 1.0
ENTRY_RATE = 0.08
TRADING = {Phase.LISTED, Phase.LISTED_AND_BLOCK}


class SimulatedParticipant:
    """Who trades for one account.

    What to enter it draws from the market as it is, so that most of it means something; what it
    is answered it does not wait for.
    """

    def __init__(self, number, name, key, venue, time, chance, date):
        self.number, self.name, self.key = number, name, key
        self._venue, self._time, self._chance = venue, time, chance
        self._date = date
        self._connections = self._client_order_id = 0
        self._is_logged_on = False
        self._due_s = self._beat_s = 0.0
        self._sent: list[bytes] = []
        self.reports: dict[int, Report] = {}
        self.resent = self.refused = 0
        self.is_quiet = False
        self.connect()

    # -- its session -------------------------------------------------------------------------------

    def connect(self):
        self._connections += 1
        # As a front gives it: which front, and of libzmq's own making.
        own = 100 * self.number + self._connections
        self._routing_id = b"front"[:FRONT_BYTES] + b"\x00" + own.to_bytes(4, "big")
        gateway = self._venue.gateway
        self._asked, self._answers = gateway.connect(self._routing_id, self.key)
        self._is_logged_on = False
        self._due_s = 0.0

    def lose(self):
        """Lose the connection, and make another."""
        self._venue.gateway.disconnect(self._routing_id)
        self.connect()

    def turn(self):
        for frames in self._answers.arrived():
            self._hear(frames)
        now_s = self._time.now_s()
        if not self._is_logged_on:
            if now_s >= self._due_s:
                self._due_s = now_s + LOGON_S
                self._tell(op="logon", report_seq=self._known())
            return
        if now_s >= self._beat_s:
            self._beat_s = now_s + BEAT_S
            self._tell(op="heartbeat")
        core = self._venue.core
        if core.phase in TRADING and self._chance.random() < ENTRY_RATE:
            commands = self._drawn(core)
            if commands is not None:
                self._sent.append(commands.tobytes())
                self._asked.send([TAG_COMMANDS, self._sent[-1]])
        elif self._sent and not self.is_quiet and self._chance.random() < 0.02:
            # It does not know whether that has come: the same once more, which happens once.
            self.resent += 1
            self._asked.send([TAG_COMMANDS, self._chance.choice(self._sent)])

    def _known(self):
        """Return up to which number it has every report."""
        number = 0
        while number + 1 in self.reports:
            number += 1
        return number

    def _hear(self, frames):
        if frames[0] == TAG_REPORTS:
            for report in reports_of(frames[1]):
                number = report.position(self.number)
                # What the gateway refuses has no number.
                if number:
                    assert self.reports.setdefault(number, report) == report
        elif frames[0] == TAG_MESSAGE:
            shown = msgspec.msgpack.decode(frames[1])
            if shown["op"] == "logon":
                self._is_logged_on = True
                last = shown["last_client_order_id"]
                self._client_order_id = max(self._client_order_id, last)
            elif shown["op"] == "refused":
                self.refused += 1
            elif shown["op"] == "session_ended":
                self._is_logged_on = False

    def _tell(self, **request):
        self._asked.send([TAG_MESSAGE, msgspec.msgpack.encode(request)])

    # -- what it enters ----------------------------------------------------------------------------

    def _drawn(self, core):
        chance = self._chance
        is_block_time = core.phase == Phase.LISTED_AND_BLOCK
        biddings = [
            bidding_id
            for bidding_id in core.bidding_ids()
            if core.bidding(bidding_id)["state"] == BiddingState.OPEN
        ]
        draw = chance.random()
        if biddings and draw < 0.3:
            return self._bid(core, biddings[0])
        if is_block_time and draw < 0.3:
            return self._block(core)
        if draw < 0.45:
            return self._change(core)
        return np.concatenate([self._order(core) for _ in range(chance.randint(1, 4))])

    def _command(self, kind, **fields):
        command = np.zeros(1, COMMAND_DTYPE)
        self._client_order_id += 1
        command["kind"], command["client_order_id"] = kind, self._client_order_id
        command["trading_date"] = self._date
        for name, value in fields.items():
            command[name] = value
        return command

    def _price(self, core, spread=12):
        reference = int(core.product(0)["reference_price"])
        return reference + self._chance.randint(-spread, spread)

    def _order(self, core):
        return self._command(
            CommandKind.ENTER,
            side=self._chance.choice((Side.BUY, Side.SELL)),
            price=self._price(core),
            tonnes=self._chance.randint(1, 400),
            tif=self._chance.choice((0, 0, 0, 0, 1, 2)),
        )

    def _change(self, core):
        live = core.orders_of(self.number)
        if not live:
            return None
        target = {"order_id": self._chance.choice(live), "product_index": PRODUCT_NONE}
        if self._chance.random() < 0.5:
            return self._command(CommandKind.CANCEL, **target)
        price, tonnes = self._price(core), self._chance.randint(1, 400)
        return self._command(CommandKind.AMEND, price=price, tonnes=tonnes, **target)

    def _block(self, core):
        for block_id in core.block_ids():
            block = core.block(block_id)
            parties = [block["account_index"], block["counterparty_index"]]
            is_answered = bool(block["flags"] & BlockFlag.BY_COUNTERPARTY)
            if parties[not is_answered] == self.number:
                kind = self._chance.choice((CommandKind.BLOCK_ACCEPT, CommandKind.BLOCK_REJECT))
                return self._command(kind, order_id=block_id, product_index=PRODUCT_NONE)
        other = self._chance.choice([each for each in range(4) if each != self.number])
        return self._command(
            CommandKind.BLOCK_OFFER,
            side=self._chance.choice((Side.BUY, Side.SELL)),
            flags=BlockFlag.TO_ACCOUNT,
            pick_order_id=other,
            price=self._price(core, 200),
            tonnes=self._chance.randint(100_000, 150_000),
        )

    def _bid(self, core, bidding_id):
        return self._command(
            CommandKind.BID,
            order_id=bidding_id,
            product_index=PRODUCT_NONE,
            price=self._price(core, 300),
            tonnes=self._chance.randint(1_000, 60_000),
        )
