"""Order-entry clients over ZeroMQ: `Client` blocks, `AsyncClient` awaits, `OrderSession` thinks."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Self, SupportsIndex, TypedDict, Unpack

import numpy as np
import zmq
import zmq.asyncio

from cea_exchange.client.answers import (
    BiddingAnswer,
    BiddingNotice,
    BlockAnswer,
    BookAnswer,
    PartyAnswer,
)
from cea_exchange.client.connecting import not_connected
from cea_exchange.client.reports import Report
from cea_exchange.client.session import (
    Dated,
    EnquiryTerms,
    OfferTerms,
    OrderSession,
    OrderTerms,
    PartyAsked,
    SessionEnded,
    SessionError,
    SessionState,
    Terms,
)
from cea_exchange.domain.records import Side
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.statement import Statement
from cea_exchange.protocol.connection import ConnectionWatch, Reached
from cea_exchange.protocol.refusal import code_of
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket
from cea_exchange.protocol.statements import pages, statement_of_answers

HEARTBEAT_INTERVAL_S = 1.0
SILENCE_S_MAX = 4.0
LOOK_S = 0.05
"""So often a client that waits looks whether its connection is still there."""
RECONNECT_S_MIN = 0.02
RECONNECT_S_MAX = 1.0
RECONNECTIONS_QUICK = 16
"""A venue's front may be another's door; after so many it is something else, and takes patience."""
"""Nothing heard for so long: the connection is taken for dead and made anew."""

HIGH_WATER_MARK = 100_000
"""Messages that wait in the socket in either direction."""

ANSWERS_KEPT = 10_000
"""The latest answers, kept so that `answer` finds one that another reader has taken already."""

Endpoint = str | Callable[[], str]


class Options(TypedDict, total=False):
    """What `connect` of both clients takes beside."""

    report_seq: SupportsIndex | None
    heartbeat_interval_s: float
    silence_s_max: float


class _OrderEntry:
    """What both clients share: the session, the socket's options, and the heartbeat's timing."""

    def __init__(
        self,
        endpoint: Endpoint,
        keys: CurveKeys,
        server_key: str,
        *,
        context: zmq.Context[Any],
        report_seq: SupportsIndex | None = None,
        heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S,
        silence_s_max: float = SILENCE_S_MAX,
    ) -> None:
        self.session = OrderSession(report_seq=report_seq)
        self.endpoint = endpoint
        self.reconnections = 0
        self._keys = keys
        self._server_key = server_key
        self._context = context
        self._heartbeat_interval_s = heartbeat_interval_s
        self._silence_s_max = silence_s_max
        self._socket: Any = None
        self._watch: ConnectionWatch | None = None
        self._connected_to = ""
        self._reached = Reached.NOBODY
        self._heard_at = 0.0
        self._beaten_at = 0.0
        self._is_lost = False
        self._again_at, self._tries = 0.0, 0
        self._taken_count = 0
        self._answers: dict[int, Report] = {}
        self._reports: deque[Report] = deque()

    @property
    def unacknowledged(self) -> list[int]:
        """The client_order_ids of the commands not yet answered, ascending."""
        return sorted(self.session.unacknowledged)

    @property
    def account(self) -> str | None:
        """Name of the account that the venue knows this key by."""
        return self.session.account

    def _open_socket(self) -> None:
        endpoint = self.endpoint() if callable(self.endpoint) else self.endpoint
        self._connected_to = endpoint
        self._socket = order_socket(self._context, self._keys, self._server_key)
        self._watch = ConnectionWatch(self._socket)
        client_connect(self._socket, endpoint)
        self._is_lost = False
        self._heard_at = self._beaten_at = time.monotonic()
        self.session.connected()

    def _close_socket(self) -> None:
        self.session.disconnected()
        if self._watch is not None:
            self._reached = self._watch.reached()
            self._watch.close()
            self._watch = None
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None

    def reconnect(self, endpoint: Endpoint | None = None) -> None:
        """Drop the connection and begin another one, at another address if one is given.

        Missed reports are replayed and unanswered commands sent again with the same ids.
        """
        if endpoint is not None:
            self.endpoint = endpoint
        self._close_socket()
        self.reconnections += 1
        self._open_socket()

    def _beat(self) -> None:
        """Queue a heartbeat when one is due; reconnect after a loss, or too long a silence.

        Raises
        ------
        SessionEnded
            There is none to keep; `reconnect` would begin another one.
        """
        if self.session.state is SessionState.ENDED:
            raise SessionEnded(self.session.end_reason)
        now = time.monotonic()
        if self.session.state is SessionState.READY:
            self._tries = 0
        self._is_lost = self._is_lost or (self._watch is not None and self._watch.is_lost)
        if self._is_lost and now >= self._again_at:
            # At once after a session, and ever later while there is none to be had.
            self._tries += 1
            patience = max(0, self._tries - RECONNECTIONS_QUICK)
            self._again_at = now + min(RECONNECT_S_MIN * 2 ** min(patience, 8), RECONNECT_S_MAX)
            self.reconnect()
        elif now - self._heard_at > self._silence_s_max:
            self.reconnect()
        elif now - self._beaten_at > self._heartbeat_interval_s:
            self._beaten_at = now
            if self.session.state is not SessionState.LOGGING_ON:
                self.session.heartbeat()

    def _take(self, frames: list[bytes]) -> None:
        self._heard_at = time.monotonic()
        self._taken_count += 1
        for report in self.session.receive(frames):
            self._reports.append(report)
            client_order_id = report.answers()
            if client_order_id and report.operator_index == self.session.operator_index:
                self._answers[client_order_id] = report
                if len(self._answers) > ANSWERS_KEPT:
                    del self._answers[next(iter(self._answers))]

    def _taken(self) -> list[Report]:
        reports = list(self._reports)
        self._reports.clear()
        return reports

    def _message_answer(self, op: str, named: Mapping[str, object]) -> Any:
        """Take the answer to a question out of the messages, by what it repeats of the question."""
        for message in self.session.messages:
            if message.get("op") == op and all(message.get(k) == v for k, v in named.items()):
                self.session.messages.remove(message)
                return message
        return None

    def _book_answer(self, product: str) -> BookAnswer | None:
        """Take the answer to `book` out of the messages; LookupError for an unknown product."""
        if self._message_answer("refused", {"where": "product", "came": product}):
            known = ", ".join(self.session.products)
            raise LookupError(f"product must be one of {known}, was {product!r}")
        answer: BookAnswer | None = self._message_answer("book", {"product": product})
        return answer

    def _statement_place(self, date: str | None) -> Any:
        """Take the answer to `statement` out of the messages, or raise what it was refused for."""
        for where in ("date", "statement"):
            refused = self._message_answer("refused", {"where": where})
            if refused is not None:
                raise SessionError.of(refused)
        return self._message_answer("statement", {"asked": date})

    def _raise_if_refused(self) -> None:
        if self.session.state is SessionState.DOWN:
            for message in self.session.messages:
                if message.get("op") == "refused":
                    code = code_of(message, VenueRefusal)
                    raise SessionError(f"the venue refused the logon: {message}", code)

    def _left(self, deadline: float, what: str) -> float:
        """Return how long there is still to wait for something.

        Raises
        ------
        TimeoutError
            No longer; without a session `NotConnected` and what there is of it.
        """
        left = deadline - time.monotonic()
        if left > 0:
            return left
        if self.session.state is SessionState.LOGGING_ON:
            raise not_connected(
                what,
                self._connection_reached(),
                address=self._connected_to,
                key=self._keys.public,
                server_key=self._server_key,
            )
        raise TimeoutError(f"{what} did not come in time")

    def _connection_reached(self) -> Reached:
        reached = Reached.NOBODY if self._watch is None else self._watch.reached()
        if reached is Reached.NOBODY and self._reached is not Reached.LET_IN:
            # The latest attempt may be too fresh to say.
            return self._reached
        return reached

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.account} at {self._connected_to}: "
            f"{self.session.state.value}, {len(self.session.unacknowledged)} unanswered>"
        )


class Client(_OrderEntry):
    """A blocking order-entry client for one key.

    Use `Client.connect`; the object is a context manager. One thread at a time.

    Notes
    -----
    Whatever waits raises `SessionEnded` once the venue has ended the session for good: by
    `logoff`, because the key logged on elsewhere, or was revoked. After any other end the client
    logs on again by itself.

    A command refused only for now, as while the venue takes nothing but cancels, is sent again at
    each heartbeat until it is answered; see `OrderSession`.
    """

    @classmethod
    def connect(
        cls,
        endpoint: Endpoint,
        keys: CurveKeys,
        server_key: str,
        *,
        timeout_s: float = 10.0,
        context: zmq.Context[Any] | None = None,
        **options: Unpack[Options],
    ) -> Self:
        """Connect to a venue's order gateway and log on.

        Parameters
        ----------
        endpoint : str or callable
            Address of the gateway; a callable is asked again at each reconnection.
        keys : CurveKeys
            The participant's own key pair: it alone says who acts.
        server_key : str
            The venue's public key (z85).
        timeout_s : float
            How long to wait for the logon.
        context : zmq.Context, optional
            By default the process's own.
        **options
            `report_seq` (replay own reports from the next one on), `heartbeat_interval_s`,
            `silence_s_max`.

        Raises
        ------
        NotConnected
            If there is no logon in time, a SessionError and a TimeoutError: `NobodyThere` at the
            address, `ServerKeyWrong`, or `KeyRefused`.
        TypeError, ValueError
            If the address or a key is none.
        """
        context = context or zmq.Context.instance()
        client = cls(endpoint, keys, server_key, context=context, **options)
        try:
            client._open_socket()
            client.logon(timeout_s=timeout_s)
        except BaseException:
            client.close()
            raise
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def logon(self, *, timeout_s: float = 10.0) -> None:
        """Wait until the session is ready: logged on, and all missed reports in."""
        deadline = time.monotonic() + timeout_s
        while self.session.state is not SessionState.READY:
            self._pump(self._left(deadline, "the logon"))
            self._raise_if_refused()

    def enter(self, product: str, side: Side | str, **terms: Unpack[OrderTerms]) -> int:
        """Send a listed order and return its client_order_id; see `OrderSession.enter`."""
        client_order_id = self.session.enter(product, side, **terms)
        self.flush()
        return client_order_id

    def cancel(self, order_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Send a cancel and return its client_order_id."""
        client_order_id = self.session.cancel(order_id, **options)
        self.flush()
        return client_order_id

    def amend(self, order_id: SupportsIndex, **terms: Unpack[Terms]) -> int:
        """Send new terms of an order (`price`, `tonnes`) and return the client_order_id."""
        client_order_id = self.session.amend(order_id, **terms)
        self.flush()
        return client_order_id

    def block_enquiry(self, product: str, side: Side | str, **terms: Unpack[EnquiryTerms]) -> int:
        """Send an enquiry for block offers; see `OrderSession.block_enquiry`."""
        client_order_id = self.session.block_enquiry(product, side, **terms)
        self.flush()
        return client_order_id

    def block_offer(self, product: str, side: Side | str, **terms: Unpack[OfferTerms]) -> int:
        """Send a block offer; see `OrderSession.block_offer`."""
        client_order_id = self.session.block_offer(product, side, **terms)
        self.flush()
        return client_order_id

    def block_accept(self, block_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Accept the terms on the table; return the client_order_id."""
        client_order_id = self.session.block_accept(block_id, **options)
        self.flush()
        return client_order_id

    def block_reject(self, block_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Reject a directed offer; return the client_order_id."""
        client_order_id = self.session.block_reject(block_id, **options)
        self.flush()
        return client_order_id

    def block_withdraw(self, block_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Take back an own offer or enquiry; return the client_order_id."""
        client_order_id = self.session.block_withdraw(block_id, **options)
        self.flush()
        return client_order_id

    def block_counter(self, block_id: SupportsIndex, **terms: Unpack[Terms]) -> int:
        """Send other terms (`price`, `tonnes`); return the client_order_id."""
        client_order_id = self.session.block_counter(block_id, **terms)
        self.flush()
        return client_order_id

    def bid(self, bidding_id: SupportsIndex, **terms: Unpack[Terms]) -> int:
        """Send a bid (`price`, `tonnes`) and return its client_order_id."""
        client_order_id = self.session.bid(bidding_id, **terms)
        self.flush()
        return client_order_id

    def bid_cancel(self, bid_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Take back a bid; return the client_order_id."""
        client_order_id = self.session.bid_cancel(bid_id, **options)
        self.flush()
        return client_order_id

    def submit(self, commands: np.ndarray) -> list[int]:
        """Send a batch of Command records in as few frames as possible; return their ids."""
        ids = self.session.submit(commands)
        self.flush()
        return ids

    def poll(self, timeout_s: float = 0.0) -> list[Report]:
        """Wait until reports come or the time is over, and return those not yet taken."""
        deadline = time.monotonic() + timeout_s
        while not self._reports:
            left = deadline - time.monotonic()
            self._pump(max(left, 0.0))
            if left <= 0:
                break
        return self._taken()

    def reports(self, *, timeout_s: float | None = None) -> Iterator[Report]:
        """Iterate over the account's reports, in order and without a gap.

        Parameters
        ----------
        timeout_s : float, optional
            End after so long without a report; without it, never.
        """
        while True:
            reports = self.poll(3600.0 if timeout_s is None else timeout_s)
            if not reports and timeout_s is not None:
                return
            yield from reports

    def answer(self, client_order_id: int, *, timeout_s: float = 10.0) -> Report:
        """Wait for the report that answers a command; all reports stay to be polled."""
        deadline = time.monotonic() + timeout_s
        while client_order_id not in self._answers:
            self._pump(self._left(deadline, f"an answer to command {client_order_id}"))
        return self._answers[client_order_id]

    def book(self, product: str, *, timeout_s: float = 10.0) -> BookAnswer:
        """Ask for the five best levels of a product with their order ids and tonnes."""
        self.session.book(product)
        deadline = time.monotonic() + timeout_s
        while (answer := self._book_answer(product)) is None:
            self._pump(self._left(deadline, f"the book of {product}"))
        return answer

    def party(self, *, timeout_s: float = 10.0, **named: Unpack[PartyAsked]) -> PartyAnswer:
        """Ask for an account's or a group's index, or an account's name; see `OrderSession.party`.

        What is not known is None in the answer.
        """
        self.session.party(**named)
        deadline = time.monotonic() + timeout_s
        while (answer := self._message_answer("party", named)) is None:
            self._pump(self._left(deadline, f"the party {named}"))
        party: PartyAnswer = answer
        return party

    def blocks(self, first: SupportsIndex = 0, *, timeout_s: float = 10.0) -> list[BlockAnswer]:
        """Ask for the open blocks that the account made or is asked in, from an id on."""
        told: list[BlockAnswer] = []
        deadline = time.monotonic() + timeout_s
        while True:
            self.session.blocks(first)
            while (answer := self._message_answer("blocks", {"from": first})) is None:
                self._pump(self._left(deadline, "the open blocks"))
            told += answer["blocks"]
            first = answer["next"]
            if not first:
                return told

    def statement(self, date: str | None = None, *, timeout_s: float = 30.0) -> Statement:
        """Ask for the account's statement of a day.

        Parameters
        ----------
        date : str, optional
            ISO 8601; without it the open day so far, between days the last one.

        Raises
        ------
        SessionError
            If the venue has no such day.
        """
        deadline = time.monotonic() + timeout_s
        self.session.statement(date)
        while (place := self._statement_place(date)) is None:
            self._pump(self._left(deadline, "the place of the statement"))
        histories = []
        for first, count in pages(place):
            self.session.history(first, count)
            while (answer := self._message_answer("history", {"from": first})) is None:
                self._pump(self._left(deadline, "the reports of the statement"))
            histories.append(answer)
        return statement_of_answers(place, histories)

    def biddings(self, *, timeout_s: float = 10.0) -> list[BiddingAnswer]:
        """Ask for the day's biddings: terms, windows and results, in order of announcement."""
        self.session.biddings()
        deadline = time.monotonic() + timeout_s
        while (answer := self._message_answer("biddings", {})) is None:
            self._pump(self._left(deadline, "the biddings"))
        biddings: list[BiddingAnswer] = answer["biddings"]
        return biddings

    def bidding_notices(self, *, timeout_s: float = 10.0) -> list[BiddingNotice]:
        """Ask for the approved biddings of later days."""
        self.session.biddings()
        deadline = time.monotonic() + timeout_s
        while (answer := self._message_answer("biddings", {})) is None:
            self._pump(self._left(deadline, "the biddings"))
        notices: list[BiddingNotice] = answer["notices"]
        return notices

    def logoff(self, *, keep_orders: bool = False, timeout_s: float = 10.0) -> None:
        """End the session and wait until the venue says so; reports before that can be polled.

        Without `keep_orders` the open orders of the key's operator are cancelled at once, unless
        the key is granted otherwise or another one of the operator is logged on.
        """
        self.session.logoff(keep_orders=keep_orders)
        deadline = time.monotonic() + timeout_s
        while self.session.state is not SessionState.ENDED:
            self._pump(self._left(deadline, "the end of the session"))

    def close(self) -> None:
        """Close the connection; unanswered commands stay in `unacknowledged`.

        The venue takes the session for lost when it has been silent for too long, see `logoff`.
        """
        self._close_socket()

    def flush(self) -> None:
        """Send what the session has queued; the other methods do so themselves."""
        for message in self.session.outgoing():
            try:
                self._socket.send_multipart(message, zmq.NOBLOCK)
            except zmq.Again:
                # The connection is gone. What is unanswered goes again over the next one.
                self._is_lost = True
                return

    def _pump(self, timeout_s: float) -> None:
        """Send what is due, wait at most `timeout_s` for messages, and take in all there are."""
        self._beat()
        self.flush()
        wait_s = min(timeout_s, self._heartbeat_interval_s, LOOK_S)
        if not self._socket.poll(max(int(wait_s * 1000), 0)):
            return
        with contextlib.suppress(zmq.Again):
            while True:
                self._take(self._socket.recv_multipart(zmq.NOBLOCK))
        self.flush()


class AsyncClient(_OrderEntry):
    """An asyncio order-entry client for one key; `Client` with `await`.

    Reports are read by whoever awaits; no task runs behind the caller's back. Several tasks may
    await at once, e.g. one that iterates over the reports and others that wait for answers.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pumping = asyncio.Lock()

    @classmethod
    async def connect(
        cls,
        endpoint: Endpoint,
        keys: CurveKeys,
        server_key: str,
        *,
        timeout_s: float = 10.0,
        context: zmq.Context[Any] | None = None,
        **options: Unpack[Options],
    ) -> Self:
        """Connect and log on; parameters as in `Client.connect`."""
        context = context or zmq.asyncio.Context.instance()
        client = cls(endpoint, keys, server_key, context=context, **options)
        try:
            client._open_socket()
            await client.logon(timeout_s=timeout_s)
        except BaseException:
            client.close()
            raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def logon(self, *, timeout_s: float = 10.0) -> None:
        """Wait until the session is ready: logged on, and all missed reports in."""
        deadline = time.monotonic() + timeout_s
        while self.session.state is not SessionState.READY:
            await self._pump(self._left(deadline, "the logon"))
            self._raise_if_refused()

    async def enter(self, product: str, side: Side | str, **terms: Unpack[OrderTerms]) -> int:
        """Send a listed order and return its client_order_id; see `OrderSession.enter`."""
        client_order_id = self.session.enter(product, side, **terms)
        await self.flush()
        return client_order_id

    async def cancel(self, order_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Send a cancel and return its client_order_id."""
        client_order_id = self.session.cancel(order_id, **options)
        await self.flush()
        return client_order_id

    async def amend(self, order_id: SupportsIndex, **terms: Unpack[Terms]) -> int:
        """Send new terms of an order (`price`, `tonnes`) and return the client_order_id."""
        client_order_id = self.session.amend(order_id, **terms)
        await self.flush()
        return client_order_id

    async def block_enquiry(
        self, product: str, side: Side | str, **terms: Unpack[EnquiryTerms]
    ) -> int:
        """Send an enquiry for block offers; see `OrderSession.block_enquiry`."""
        client_order_id = self.session.block_enquiry(product, side, **terms)
        await self.flush()
        return client_order_id

    async def block_offer(self, product: str, side: Side | str, **terms: Unpack[OfferTerms]) -> int:
        """Send a block offer; see `OrderSession.block_offer`."""
        client_order_id = self.session.block_offer(product, side, **terms)
        await self.flush()
        return client_order_id

    async def block_accept(self, block_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Accept the terms on the table; return the client_order_id."""
        client_order_id = self.session.block_accept(block_id, **options)
        await self.flush()
        return client_order_id

    async def block_reject(self, block_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Reject a directed offer; return the client_order_id."""
        client_order_id = self.session.block_reject(block_id, **options)
        await self.flush()
        return client_order_id

    async def block_withdraw(self, block_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Take back an own offer or enquiry; return the client_order_id."""
        client_order_id = self.session.block_withdraw(block_id, **options)
        await self.flush()
        return client_order_id

    async def block_counter(self, block_id: SupportsIndex, **terms: Unpack[Terms]) -> int:
        """Send other terms (`price`, `tonnes`); return the client_order_id."""
        client_order_id = self.session.block_counter(block_id, **terms)
        await self.flush()
        return client_order_id

    async def bid(self, bidding_id: SupportsIndex, **terms: Unpack[Terms]) -> int:
        """Send a bid (`price`, `tonnes`) and return its client_order_id."""
        client_order_id = self.session.bid(bidding_id, **terms)
        await self.flush()
        return client_order_id

    async def bid_cancel(self, bid_id: SupportsIndex, **options: Unpack[Dated]) -> int:
        """Take back a bid; return the client_order_id."""
        client_order_id = self.session.bid_cancel(bid_id, **options)
        await self.flush()
        return client_order_id

    async def submit(self, commands: np.ndarray) -> list[int]:
        """Send a batch of Command records in as few frames as possible; return their ids."""
        ids = self.session.submit(commands)
        await self.flush()
        return ids

    async def poll(self, timeout_s: float = 0.0) -> list[Report]:
        """Wait until reports come or the time is over, and return those not yet taken."""
        deadline = time.monotonic() + timeout_s
        while not self._reports:
            left = deadline - time.monotonic()
            await self._pump(max(left, 0.0))
            if left <= 0:
                break
        return self._taken()

    async def reports(self, *, timeout_s: float | None = None) -> AsyncIterator[Report]:
        """Iterate over the account's reports, in order and without a gap."""
        while True:
            reports = await self.poll(3600.0 if timeout_s is None else timeout_s)
            if not reports and timeout_s is not None:
                return
            for report in reports:
                yield report

    async def answer(self, client_order_id: int, *, timeout_s: float = 10.0) -> Report:
        """Wait for the report that answers a command; all reports stay to be polled."""
        deadline = time.monotonic() + timeout_s
        while client_order_id not in self._answers:
            await self._pump(self._left(deadline, f"an answer to command {client_order_id}"))
        return self._answers[client_order_id]

    async def book(self, product: str, *, timeout_s: float = 10.0) -> BookAnswer:
        """Ask for the five best levels of a product with their order ids and tonnes."""
        self.session.book(product)
        deadline = time.monotonic() + timeout_s
        while (answer := self._book_answer(product)) is None:
            await self._pump(self._left(deadline, f"the book of {product}"))
        return answer

    async def party(self, *, timeout_s: float = 10.0, **named: Unpack[PartyAsked]) -> PartyAnswer:
        """Ask for an account's or a group's index, or an account's name; see `OrderSession.party`.

        What is not known is None in the answer.
        """
        self.session.party(**named)
        deadline = time.monotonic() + timeout_s
        while (answer := self._message_answer("party", named)) is None:
            await self._pump(self._left(deadline, f"the party {named}"))
        party: PartyAnswer = answer
        return party

    async def blocks(
        self, first: SupportsIndex = 0, *, timeout_s: float = 10.0
    ) -> list[BlockAnswer]:
        """Ask for the open blocks that the account made or is asked in, from an id on."""
        told: list[BlockAnswer] = []
        deadline = time.monotonic() + timeout_s
        while True:
            self.session.blocks(first)
            while (answer := self._message_answer("blocks", {"from": first})) is None:
                await self._pump(self._left(deadline, "the open blocks"))
            told += answer["blocks"]
            first = answer["next"]
            if not first:
                return told

    async def statement(self, date: str | None = None, *, timeout_s: float = 30.0) -> Statement:
        """Ask for the account's statement of a day; see `Client.statement`."""
        deadline = time.monotonic() + timeout_s
        self.session.statement(date)
        while (place := self._statement_place(date)) is None:
            await self._pump(self._left(deadline, "the place of the statement"))
        histories = []
        for first, count in pages(place):
            self.session.history(first, count)
            while (answer := self._message_answer("history", {"from": first})) is None:
                await self._pump(self._left(deadline, "the reports of the statement"))
            histories.append(answer)
        return statement_of_answers(place, histories)

    async def biddings(self, *, timeout_s: float = 10.0) -> list[BiddingAnswer]:
        """Ask for the day's biddings: terms, windows and results, in order of announcement."""
        self.session.biddings()
        deadline = time.monotonic() + timeout_s
        while (answer := self._message_answer("biddings", {})) is None:
            await self._pump(self._left(deadline, "the biddings"))
        biddings: list[BiddingAnswer] = answer["biddings"]
        return biddings

    async def bidding_notices(self, *, timeout_s: float = 10.0) -> list[BiddingNotice]:
        """Ask for the approved biddings of later days."""
        self.session.biddings()
        deadline = time.monotonic() + timeout_s
        while (answer := self._message_answer("biddings", {})) is None:
            await self._pump(self._left(deadline, "the biddings"))
        notices: list[BiddingNotice] = answer["notices"]
        return notices

    async def logoff(self, *, keep_orders: bool = False, timeout_s: float = 10.0) -> None:
        """End the session and wait until the venue says so; see `Client.logoff`."""
        self.session.logoff(keep_orders=keep_orders)
        deadline = time.monotonic() + timeout_s
        while self.session.state is not SessionState.ENDED:
            await self._pump(self._left(deadline, "the end of the session"))

    def close(self) -> None:
        """Close the connection; see `Client.close`."""
        self._close_socket()

    async def flush(self) -> None:
        """Send what the session has queued; the other methods do so themselves."""
        for message in self.session.outgoing():
            try:
                await self._socket.send_multipart(message, zmq.NOBLOCK)
            except zmq.Again:
                # The connection is gone. What is unanswered goes again over the next one.
                self._is_lost = True
                return

    async def _pump(self, timeout_s: float) -> None:
        """Send what is due and take in what came; one task at a time reads the socket."""
        taken_before = self._taken_count
        async with self._pumping:
            if self._taken_count == taken_before:
                await self._pump_alone(timeout_s)
            # Otherwise another task has read meanwhile: the caller looks whether it was for it.

    async def _pump_alone(self, timeout_s: float) -> None:
        self._beat()
        await self.flush()
        wait_s = min(timeout_s, self._heartbeat_interval_s, LOOK_S)
        if not await self._socket.poll(max(int(wait_s * 1000), 0)):
            return
        with contextlib.suppress(zmq.Again):
            while True:
                self._take(await self._socket.recv_multipart(zmq.NOBLOCK))
        await self.flush()


def order_socket(
    context: zmq.Context[Any], keys: CurveKeys, server_key: str
) -> zmq.Socket[Any]:
    """Return a DEALER socket with the participant's keys, not yet connected.

    Notes
    -----
    ZeroMQ's own reconnection is off: commands queued in the socket
    would reach a restarted venue before the logon. The session resends them in order instead.
    """
    socket = client_socket(
        context,
        zmq.DEALER,
        keys=keys,
        server_key=server_key,
        high_water_mark=HIGH_WATER_MARK,
    )
    socket.reconnect_ivl = -1
    return socket
