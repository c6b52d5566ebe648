"""The trader's session at the venue: it stays, whatever restarts, and no report is lost.

    logon -> what the account has, and the day's reports -> every further report, in order
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import NamedTuple

import structlog

from cea_exchange.client import (
    AsyncClient,
    KeyRefused,
    Report,
    SessionEnded,
    SessionError,
    SessionState,
)
from cea_exchange.client.answers import BiddingAnswer, BiddingNotice, BlockAnswer, PlaceAnswer
from cea_exchange.control_plane.client import NO_ENDPOINTS
from cea_exchange.domain.documents.statement import Holding, Position
from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import EventKind, Method, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.screens.access import KeyedSystems, Rights
from cea_exchange.screens.site import Site
from cea_exchange.screens.trader.account_day import AccountDay, Fill
from cea_exchange.screens.trader.alerts import Alerts

ANSWER_S = 5.0
LOOK_S = 0.05
OTHERS_S = 1.0
"""So often it is asked what others offer."""
LOGON_S = 5.0
AGAIN_S = 1.0
STRANGER_S, STRANGER_S_MAX = 30.0, 480.0
"""How long a key that the venue does not know waits: each try counts there as a stranger's."""
"""How long until a key that the venue does not know is tried again."""
_NO_DAY = (VenueRefusal.DATE_OUT_OF_RANGE, VenueRefusal.NO_BALANCES)
"""There was no day yet, or nothing is kept of what accounts have."""

log = structlog.get_logger("screens")


class Outcome(NamedTuple):
    """What came of a command.

    Attributes
    ----------
    report
        Its answer; None while there is none.
    code
        Why it was refused, by the market or by the gateway; None: it was not.
    """

    report: Report | None = None
    code: IntEnum | None = None

    @property
    def is_done(self) -> bool:
        """Whether it was accepted."""
        return self.report is not None and self.code is None


class TradingSession:
    """The account of a key, as its reports tell it.

    Attributes
    ----------
    state : str
        `connecting`, `ready`, `away` (it comes back by itself), `stranger` (the venue does not know
        the key), or why it ended for good: `taken_over`, `revoked`, `operator`, `logged_off`.
    day : AccountDay
    position : Position
        What the account has; as of the last report.
    blocks, biddings, notices
        What is open to the account, the day's biddings and those to come; asked for now and then,
        for what concerns others too is no report.
    """

    def __init__(self, site: Site, systems: KeyedSystems, rules: MarketRules) -> None:
        self.state = "connecting"
        self.day = AccountDay(-1, ())
        self.position = Position()
        self.alerts = Alerts()
        self.blocks: list[BlockAnswer] = []
        self.biddings: list[BiddingAnswer] = []
        self.notices: list[BiddingNotice] = []
        self.events: deque[Report] = deque(maxlen=200)
        self._rules = rules
        self._site = site
        self._systems = systems
        self._client: AsyncClient | None = None
        self._resume = asyncio.Event()

    @property
    def client(self) -> AsyncClient | None:
        """The session's client while it is logged on, with all reports in."""
        client = self._client
        if client is None or client.session.state is not SessionState.READY:
            return None
        return client

    @property
    def rules(self) -> MarketRules:
        """The rules of the trading day."""
        date = 0 if self._client is None else self._client.session.trading_date
        return self._rules.on(date)

    @property
    def waiting(self) -> list[int]:
        """The commands that are not answered yet; they go again after a reconnection."""
        return [] if self._client is None else self._client.unacknowledged

    def band(self, product: str, *, block: bool = False) -> tuple[int, int]:
        """Return the lowest and highest price of a product's listed trading, or of its blocks."""
        entry = self._site.feed.product(product)
        listed = None if self._client is None else self._client.session.products.get(product)
        if block:
            return (listed["block_band_low"], listed["block_band_high"]) if listed else (0, 0)
        if entry is not None:
            return entry["band_low"], entry["band_high"]
        return (listed["band_low"], listed["band_high"]) if listed else (0, 0)

    # -- Following --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the session until cancelled."""
        stranger_s = STRANGER_S
        while True:
            try:
                await self._follow()
                stranger_s = STRANGER_S
            except KeyRefused:
                self._enter_state("stranger")
                await asyncio.sleep(stranger_s)
                stranger_s = min(2 * stranger_s, STRANGER_S_MAX)
            except SessionEnded as ended:
                self._enter_state(ended.reason)
                self._resume.clear()
                await self._resume.wait()
            except (SessionError, *NO_ENDPOINTS) as error:
                log.warning("session_away", why=str(error))
                self._enter_state("away")
                await asyncio.sleep(AGAIN_S)

    def resume(self) -> None:
        """Log on again after an end for good: somebody wants it."""
        self._resume.set()

    async def _follow(self) -> None:
        endpoints = self._systems.endpoints("venue")
        client = await AsyncClient.connect(
            lambda: str(self._systems.endpoints("venue")["gateway"]),
            self._systems.keys,
            endpoints["public_key"],
            timeout_s=LOGON_S,
        )
        try:
            await self._follow_with(client)
        finally:
            self._client = None
            client.close()

    async def _follow_with(self, client: AsyncClient) -> None:
        session = client.session
        life = session.log_id, session.trading_date
        self._admit(client)
        known = await self._day_begin(client)
        self._client = client
        others_due_s = 0.0
        while (session.log_id, session.trading_date or life[1]) == life:
            self._enter_state("ready" if session.state is SessionState.READY else "away")
            reports = await client.poll(LOOK_S)
            new = [each for each in reports if each.position(session.account_index) > known]
            if new:
                await self._take(client, new)
            if any(map(_concerns_others, new)) or time.monotonic() >= others_due_s:
                others_due_s = time.monotonic() + OTHERS_S
                await self._others_ask(client)
            if self.alerts.look(self._site.feed, time.time_ns()):
                self._site.hub.changed("alerts")

    def _admit(self, client: AsyncClient) -> None:
        seats = self._site.rights.seats
        self._site.rights = Rights(client.session.role, client.account or "", seats)

    async def _day_begin(self, client: AsyncClient) -> int:
        """Take in the day so far; return the number of its last report."""
        names = sorted(client.session.products.items(), key=lambda item: item[1]["product_index"])
        self.day = AccountDay(client.session.account_index, [name for name, _ in names])
        try:
            place = await client.position()
        except SessionError as refused:
            if refused.code not in _NO_DAY:
                raise
            log.info("no_day", why=str(refused))
            return 0
        reports = await client.history(place)
        if not place["closed_seq"]:
            self.day.take_all(reports)
        self._place(place)
        self._everything_changed()
        return place["last"]

    async def _take(self, client: AsyncClient, reports: list[Report]) -> None:
        for report in reports:
            fill = self.day.take(report)
            self.events.append(report)
            if fill is not None:
                self._alert(fill)
        self._everything_changed()
        self._place(await client.position())
        self._everything_changed()

    async def blocks_ask(self) -> None:
        """Ask for the open blocks at once."""
        if self.client is not None:
            await self._others_ask(self.client)

    async def _others_ask(self, client: AsyncClient) -> None:
        blocks, biddings = await client.blocks(), await client.biddings()
        notices = await client.bidding_notices()
        if blocks != self.blocks:
            self.blocks = blocks
            self._site.hub.changed("own_blocks")
        if (biddings, notices) != (self.biddings, self.notices):
            self.biddings, self.notices = biddings, notices
            self._site.hub.changed("own_bids")

    def _alert(self, fill: Fill) -> None:
        self.alerts.filled(fill, time.time_ns())
        self._site.hub.changed("alerts")

    def _place(self, place: PlaceAnswer) -> None:
        holdings = {name: Holding(*figures) for name, figures in place["holdings"].items()}
        self.position = Position(place["cash"], place["cash_locked"], holdings)

    def _everything_changed(self) -> None:
        for name in ("orders", "position", "session", "book", "own_blocks", "own_bids"):
            self._site.hub.changed(name)

    def _enter_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._site.learned("trading")
            self._everything_changed()

    # -- Commands ---------------------------------------------------------------------------------

    async def command(self, queue: Callable[[AsyncClient], Awaitable[int]]) -> Outcome:
        """Send a command and wait for what comes of it.

        Parameters
        ----------
        queue
            Calls one of the client's methods that return a `client_order_id`.

        Raises
        ------
        SessionError, LookupError, ValueError
            It can't be sent at all; nothing was.
        """
        client = self.client
        if client is None:
            raise SessionError("there is no session: nothing was sent")
        client_order_id = await queue(client)
        until_s = time.monotonic() + ANSWER_S
        while time.monotonic() < until_s:
            try:
                report = await client.answer(client_order_id, timeout_s=LOOK_S)
            except TimeoutError:
                code = _gateway_refusal(client, client_order_id)
                if code is not None:
                    return Outcome(code=code)
                continue
            is_refused = report.kind == EventKind.ORDER_REJECTED
            return Outcome(report, Reason(report.reason) if is_refused else None)
        return Outcome()


def _concerns_others(report: Report) -> bool:
    """Whether it may have changed what others offer or bid: listed orders and trades don't."""
    kind = EventKind(report.kind)
    if kind == EventKind.TRADE:
        return report.method != Method.LISTED
    return kind.name.startswith(("BLOCK_", "BID"))


def _gateway_refusal(client: AsyncClient, client_order_id: int) -> VenueRefusal | None:
    """Return why the venue would not take a command; it is not sent again then."""
    for message in client.session.messages:
        if message.get("op") == "refused" and client_order_id in message.get(
            "client_order_ids", ()
        ):
            client.session.unacknowledged.pop(client_order_id, None)
            return code_of(message, VenueRefusal)
    return None
