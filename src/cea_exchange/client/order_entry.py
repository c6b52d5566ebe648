"""Order-entry clients over ZeroMQ: `Client` blocks, `AsyncClient` awaits, `OrderSession` thinks.

Long, because both clients have the same commands, each typed, from one table.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from functools import wraps
from types import MethodType
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Self,
    SupportsIndex,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

import zmq
import zmq.asyncio

from cea_exchange.client.answers import (
    BiddingAnswer,
    BiddingNotice,
    BlockAnswer,
    BookAnswer,
    PartyAnswer,
    PlaceAnswer,
)
from cea_exchange.client.connecting import RECONNECT_S_MIN, Attempts, not_connected, reached_by
from cea_exchange.client.reports import Report, reports_of
from cea_exchange.client.session import (
    OrderSession,
    SessionEnded,
    SessionError,
    SessionState,
    Uncopied,
)
from cea_exchange.domain.documents.statement import Statement
from cea_exchange.domain.enums import Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.answers import code_of
from cea_exchange.protocol.connection import ConnectionMonitor, Reached
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket
from cea_exchange.protocol.statements import pages, statement_of_answers

HEARTBEAT_INTERVAL_S = 1.0
SILENCE_S_MAX = 4.0
"""Nothing heard for so long: the connection is taken for dead and made anew."""
LOOK_S = 0.05
"""So often a client that waits looks whether its connection is still there."""

HIGH_WATER_MARK = 100_000
"""Messages that wait in the socket in either direction."""

ANSWERS_KEPT = 10_000
"""The latest answers, kept so that `answer` finds one that another reader has taken already."""

Endpoint = str | Sequence[str] | Callable[[], str]


class Options(TypedDict, total=False):
    """What `connect` of both clients takes beside."""

    report_seq: SupportsIndex | None
    heartbeat_interval_s: float
    silence_s_max: float


P = ParamSpec("P")
R = TypeVar("R")
Steps = Generator[float | None, None, R]
"""What a method of both clients does: it yields how many seconds to wait at most for messages, None
to send what is queued, and returns its answer."""


class _Spoken(Generic[P, R]):
    """A method of both clients, written once: `Client` returns its answer, `AsyncClient` awaits."""

    def __init__(
        self,
        steps: Callable[Concatenate[Any, P], Steps[R]],
        shown_as: Callable[..., object] | None = None,
    ) -> None:
        @wraps(shown_as or steps)
        def method(client: Any, /, *arguments: P.args, **named: P.kwargs) -> Any:
            return client._run(steps(client, *arguments, **named))

        self._method = method

    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: "Client", owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(
        self, client: "AsyncClient", owner: type
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        return self._method if client is None else MethodType(self._method, client)


def _sent(queue: Callable[Concatenate[OrderSession, P], R]) -> _Spoken[P, R]:
    """Make a method that queues a command in the session and sends it at once."""

    def steps(client: "_OrderEntry", /, *arguments: P.args, **named: P.kwargs) -> Steps[R]:
        client._open_check()
        if client.session.phase == Phase.CLOSED:
            # The day may have opened since: its message waits in the socket, and a command with
            # the date of before would be refused.
            yield 0.0
        client_order_id = queue(client.session, *arguments, **named)
        yield None
        return client_order_id

    return _Spoken(steps, shown_as=queue)


class _OrderEntry(Uncopied):
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
        self._monitor: ConnectionMonitor | None = None
        self._connected_to = ""
        self._reached = Reached.NOBODY
        self._heard_at = 0.0
        self._beaten_at = 0.0
        self._is_lost = False
        self._is_closed = False
        self._questions = 0
        self._again_at = 0.0
        self._attempts = Attempts(time.monotonic())
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

    # -- What both clients do ----------------------------------------------------------------------

    @_Spoken
    def logon(self, *, timeout_s: float = 10.0) -> Steps[None]:
        """Wait until the session is ready: logged on, and all missed reports in."""
        deadline = time.monotonic() + timeout_s
        while self.session.state is not SessionState.READY:
            yield self._left(deadline, "the logon")
            self._raise_if_refused()

    enter = _sent(OrderSession.enter)
    cancel = _sent(OrderSession.cancel)
    amend = _sent(OrderSession.amend)
    block_enquiry = _sent(OrderSession.block_enquiry)
    block_offer = _sent(OrderSession.block_offer)
    block_accept = _sent(OrderSession.block_accept)
    block_reject = _sent(OrderSession.block_reject)
    block_withdraw = _sent(OrderSession.block_withdraw)
    block_counter = _sent(OrderSession.block_counter)
    bid = _sent(OrderSession.bid)
    bid_cancel = _sent(OrderSession.bid_cancel)
    submit = _sent(OrderSession.submit)

    @_Spoken
    def poll(self, timeout_s: float = 0.0) -> Steps[list[Report]]:
        """Wait until reports come or the time is over, and return those not yet taken."""
        deadline = time.monotonic() + timeout_s
        while not self._reports:
            left = deadline - time.monotonic()
            yield max(left, 0.0)
            if left <= 0:
                break
        return self._taken()

    @_Spoken
    def answer(self, client_order_id: int, *, timeout_s: float = 10.0) -> Steps[Report]:
        """Wait for the report that answers a command; all reports stay to be polled."""
        deadline = time.monotonic() + timeout_s
        what = f"an answer to command {client_order_id}"
        answers = self._answers
        return (yield from self._awaited(lambda: answers.get(client_order_id), what, deadline))

    @_Spoken
    def book(self, product: str, *, timeout_s: float = 10.0) -> Steps[BookAnswer]:
        """Ask for the five best levels of a product with their order ids and tonnes."""
        deadline = time.monotonic() + timeout_s
        self.session.book(product)
        what = f"the book of {product}"
        return (yield from self._asked(lambda: self._book_answer(product), what, deadline))

    @_Spoken
    def party(
        self,
        *,
        timeout_s: float = 10.0,
        account: str | None = None,
        group: str | None = None,
        account_index: SupportsIndex | None = None,
    ) -> Steps[PartyAnswer]:
        """Ask for an account's or a group's index, or an account's name; see `OrderSession.party`.

        What is not known is None in the answer.
        """
        deadline = time.monotonic() + timeout_s
        named = self.session.party(account=account, group=group, account_index=account_index)
        answer = yield from self._message("party", named, f"the party {named}", deadline)
        party: PartyAnswer = answer
        return party

    @_Spoken
    def blocks(
        self, first: SupportsIndex = 0, *, timeout_s: float = 10.0
    ) -> Steps[list[BlockAnswer]]:
        """Ask for the open blocks that the account made or is asked in, from an id on."""
        blocks: list[BlockAnswer] = []
        deadline = time.monotonic() + timeout_s
        while True:
            self.session.blocks(first)
            what = "the open blocks"
            answer = yield from self._message("blocks", {"from": first}, what, deadline)
            blocks += answer["blocks"]
            first = answer["next"]
            if not first:
                return blocks

    @_Spoken
    def statement(
        self, date: str | None = None, *, timeout_s: float = 30.0
    ) -> Steps[Statement]:
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
        place = yield from self._place(date, deadline)
        histories = yield from self._histories(place, deadline)
        return statement_of_answers(place, histories)

    @_Spoken
    def position(self, *, timeout_s: float = 10.0) -> Steps[PlaceAnswer]:
        """Ask what the account has now, and which reports are the open day's, or the last one's.

        Raises
        ------
        SessionError
            If the venue had no day yet, or keeps no balances.
        """
        return (yield from self._place(None, time.monotonic() + timeout_s))

    @_Spoken
    def history(self, place: PlaceAnswer, *, timeout_s: float = 30.0) -> Steps[list[Report]]:
        """Ask for the reports that `position` named; the session's own stream goes on beside."""
        deadline = time.monotonic() + timeout_s
        histories = yield from self._histories(place, deadline)
        return [report for each in histories for report in reports_of(each["rows"])]

    def _place(self, date: str | None, deadline: float) -> Steps[PlaceAnswer]:
        self.session.statement(date)
        what = "the place of the statement"
        place: PlaceAnswer
        place = yield from self._asked(lambda: self._statement_place(date), what, deadline)
        return place

    def _histories(self, place: PlaceAnswer, deadline: float) -> Steps[list[dict[str, Any]]]:
        histories = []
        for first, count in pages(place):
            self.session.history(first, count)
            what = "the reports of the statement"
            histories.append((yield from self._message("history", {"from": first}, what, deadline)))
        return histories

    @_Spoken
    def biddings(self, *, timeout_s: float = 10.0) -> Steps[list[BiddingAnswer]]:
        """Ask for the day's biddings: terms, windows and results, in order of announcement."""
        answer = yield from self._biddings_asked(timeout_s)
        biddings: list[BiddingAnswer] = answer["biddings"]
        return biddings

    @_Spoken
    def bidding_notices(self, *, timeout_s: float = 10.0) -> Steps[list[BiddingNotice]]:
        """Ask for the approved biddings of later days."""
        answer = yield from self._biddings_asked(timeout_s)
        notices: list[BiddingNotice] = answer["notices"]
        return notices

    def _biddings_asked(self, timeout_s: float) -> Steps[Any]:
        deadline = time.monotonic() + timeout_s
        self.session.biddings()
        return (yield from self._message("biddings", {}, "the biddings", deadline))

    @_Spoken
    def logoff(self, *, keep_orders: bool = False, timeout_s: float = 10.0) -> Steps[None]:
        """End the session and wait until the venue says so; reports before that can be polled.

        Without `keep_orders` the open orders of the key's operator are cancelled at once, unless
        the key is granted otherwise or another one of the operator is logged on.
        """
        self.session.logoff(keep_orders=keep_orders)
        deadline = time.monotonic() + timeout_s
        while self.session.state is not SessionState.ENDED:
            yield self._left(deadline, "the end of the session")

    def _awaited(self, take: Callable[[], R | None], what: str, deadline: float) -> Steps[R]:
        """Wait until there is something to take; errors name it."""
        while (answer := take()) is None:
            yield self._left(deadline, what)
        return answer

    def _message(
        self, op: str, named: Mapping[str, object], what: str, deadline: float
    ) -> Steps[Any]:
        """Wait for the answer to a question, known by what it repeats of the question."""
        return self._asked(lambda: self._message_answer(op, named), what, deadline)

    def _asked(self, take: Callable[[], R | None], what: str, deadline: float) -> Steps[R]:
        """Wait for the answer to a question, or raise what it was refused for.

        A refusal does not say of what it is: while several questions wait, of none of them.
        """
        before = self._refusals()
        self._questions += 1
        try:
            while (answer := take()) is None:
                for refused in self._refusals() if self._questions == 1 else ():
                    if not any(refused is each for each in before):
                        self.session.messages.remove(refused)
                        raise SessionError.of(refused)
                yield self._left(deadline, what)
            return answer
        finally:
            self._questions -= 1

    def _refusals(self) -> list[dict[str, Any]]:
        """Return the messages that refuse something else than commands.

        Want of a session is no answer: the session logs on again, and the question is lost.
        """
        return [
            message
            for message in self.session.messages
            if message.get("op") == "refused"
            and not message.get("client_order_ids")
            and message.get("code") != VenueRefusal.NOT_LOGGED_ON.name
        ]

    # -- The connection ----------------------------------------------------------------------------

    def _open_check(self) -> None:
        if self._is_closed:
            raise SessionError("a closed client sends nothing: expected one that is open")

    def _open_socket(self) -> None:
        self._open_check()
        endpoint = self._connected_to = self._endpoint_next()
        self._socket = order_socket(self._context, self._keys, self._server_key)
        self._monitor = ConnectionMonitor(self._socket)
        client_connect(self._socket, endpoint)
        self._is_lost = False
        self._heard_at = self._beaten_at = time.monotonic()
        self.session.connected()

    def _endpoint_next(self) -> str:
        """Return where to go; of several addresses the one behind that where it was."""
        if callable(self.endpoint):
            return self.endpoint()
        if isinstance(self.endpoint, str) or not isinstance(self.endpoint, Sequence):
            return self.endpoint
        addresses = list(self.endpoint)
        if not addresses:
            raise ValueError("endpoint: expected at least one address, got none")
        if self._connected_to not in addresses:
            return addresses[0]
        return addresses[(addresses.index(self._connected_to) + 1) % len(addresses)]

    def close(self) -> None:
        """Close the connection for good; unanswered commands stay in `unacknowledged`.

        The venue takes the session for lost when it has been silent for too long, see `logoff`.
        """
        self._is_closed = True
        self._close_socket()

    def _close_socket(self) -> None:
        self.session.disconnected()
        if self._monitor is not None:
            self._reached = self._monitor.reached()
            self._monitor.close()
            self._monitor = None
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None

    def reconnect(self, endpoint: Endpoint | None = None) -> None:
        """Drop the connection and begin another one, at another address if one is given.

        Missed reports are replayed and unanswered commands sent again with the same ids.
        """
        self._open_check()
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
        SessionError
            The client is closed.
        """
        self._open_check()
        if self.session.state is SessionState.ENDED:
            raise SessionEnded(self.session.end_reason)
        now = time.monotonic()
        if self.session.state is SessionState.READY:
            self._attempts.let_in(now)
        self._is_lost = self._is_lost or (self._monitor is not None and self._monitor.is_lost)
        if self._is_lost and now >= self._again_at:
            self._again_at = now + self._attempts.pause_s(now, self._connection_reached())
            self.reconnect()
        elif now - self._heard_at > self._silence_s_max:
            self.reconnect()
        elif now - self._beaten_at > self._heartbeat_interval_s:
            self._beaten_at = now
            if self.session.state is not SessionState.LOGGING_ON:
                self.session.heartbeat()

    @property
    def _look_s(self) -> float:
        """How long to wait for messages until the connection is looked at again."""
        return LOOK_S if self.session.state is SessionState.READY else RECONNECT_S_MIN

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
        if self._message_answer("refused", {"where": "product", "got": product}):
            known = ", ".join(self.session.products)
            raise LookupError(f"product: expected one of {known}, got {product!r}")
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
        latest = Reached.NOBODY if self._monitor is None else self._monitor.reached()
        return reached_by(latest, self._reached, time.monotonic() - self._heard_at)

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
        endpoint : str, sequence of str, or callable
            Address of the gateway. Several are tried one after the other, each time that the
            connection is lost: all must have the same public key. A callable is asked again at
            each reconnection.
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

    def _run(self, steps: Steps[R]) -> R:
        while True:
            try:
                wait_s = next(steps)
            except StopIteration as end:
                answer: R = end.value
                return answer
            if wait_s is None:
                self.flush()
            else:
                self._pump(wait_s)

    def flush(self) -> None:
        """Send what the session has queued; the other methods do so themselves."""
        self._open_check()
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
        wait_s = min(timeout_s, self._heartbeat_interval_s, self._look_s)
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

    async def reports(self, *, timeout_s: float | None = None) -> AsyncIterator[Report]:
        """Iterate over the account's reports, in order and without a gap."""
        while True:
            reports = await self.poll(3600.0 if timeout_s is None else timeout_s)
            if not reports and timeout_s is not None:
                return
            for report in reports:
                yield report

    async def _run(self, steps: Steps[R]) -> R:
        while True:
            try:
                wait_s = next(steps)
            except StopIteration as end:
                answer: R = end.value
                return answer
            if wait_s is None:
                await self.flush()
            else:
                await self._pump(wait_s)

    async def flush(self) -> None:
        """Send what the session has queued; the other methods do so themselves."""
        self._open_check()
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
        wait_s = min(timeout_s, self._heartbeat_interval_s, self._look_s)
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
