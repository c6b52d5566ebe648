"""Answers operators: each act of theirs becomes a journaled command with who and why."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from cea_exchange.control_plane.answers import Answer, Refusal
from cea_exchange.control_plane.door import Mailbox, Message
from cea_exchange.control_plane.maker_checker import Prepared
from cea_exchange.control_plane.requests import RequestUnread
from cea_exchange.control_plane.service import Reply, Service
from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.documents.cases import AnyBody, PenaltyComputed
from cea_exchange.domain.records import EventKind, Phase, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import EventDamaged, JournalError
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.durability.sequencer import Sequencer, damage_refusal
from cea_exchange.venue.market import adjustments, cash_book, measures
from cea_exchange.venue.market.names import account_known, product_known
from cea_exchange.venue.market.views import biddings, block_word_check, blocks_of_all
from cea_exchange.venue.operations import admin_views, bidding_service
from cea_exchange.venue.operations.case_service import CaseService
from cea_exchange.venue.operations.proposals import VenueProposals
from cea_exchange.venue.operations.trade_search import trade_event
from cea_exchange.venue.order_entry import activity_statements
from cea_exchange.venue.order_entry.service import OrderEntry
from cea_exchange.venue.refusals import ActRefusal
from cea_exchange.venue.requests import VENUE_REQUESTS
from cea_exchange.venue.requests.base import ActRequest, AdjustmentAct, AdminRequest, MeasureRequest
from cea_exchange.venue.requests.biddings import BiddingOpen
from cea_exchange.venue.requests.cases import CasePenalty
from cea_exchange.venue.requests.looks import Status
from cea_exchange.venue.requests.second import CashCorrect, CashPayIn, CashPayOut
from cea_exchange.venue.trading_day.trading_day import TradingDay

SECOND_TO_COME = "(who agrees)"
"""Stands for the second person while it is judged whether there is anything to agree to."""

TURN_S = 0.005

BUST_ROWS_READ = 8
"""The bust's own record is the last of the settlement stream, but for a checkpoint behind it."""

log = structlog.get_logger("venue")


class AdminService(Service[Operator, AdminRequest]):
    """The operators' service: what `admin`'s requests look at and act upon.

    Parameters
    ----------
    door
        Where they come in.
    operators
        Who may act or look, by public key.
    day
        Opens and closes trading days.
    sequencer, orders
        The state to look at, and the sessions.
    proposal_s
        How long an act that takes two persons waits for the second one.
    run_controls
        Journals acts, releases their events, and returns the refusals.
    status, stop
        Says where the venue stands; ends the daemon.
    hand_over
        Ends it and lets another node lead; FrameError if that one can't.
    key_restore
        Admits a key that was cut off; False if it was not.
    now_s
        A clock that never goes back.
    looked
        Keeps that somebody looked, and at what.

    Notes
    -----
    Rules: CEA-OPR-01 (who may act), CEA-OPR-02 (what takes two), CEA-OPR-04 (who looked).
    """

    def __init__(
        self,
        door: Mailbox,
        operators: dict[str, Operator],
        day: TradingDay,
        sequencer: Sequencer,
        orders: OrderEntry,
        *,
        proposal_s: float,
        run_controls: Callable[[list[control.Control]], list[ActRefusal]],
        status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
        hand_over: Callable[[str], None],
        key_restore: Callable[[str], bool],
        now_s: Callable[[], float],
        looked: Callable[[Operator, AdminRequest], None],
    ) -> None:
        super().__init__(VENUE_REQUESTS)
        self._door = door
        self._operators = operators
        self._sequencer = sequencer
        self._run_controls = run_controls
        self._now_s = now_s
        self.day = day
        self.machine = sequencer.machine
        self.orders = orders
        self.proposals = VenueProposals(proposal_s, now_s)
        self.status = status
        self.stop = stop
        self.hand_over = hand_over
        self.key_restore = key_restore
        self._looked = looked
        self._is_journaled = False
        self._cases = CaseService(sequencer.machine)

    def turn(self) -> None:
        """Answer what has arrived, for some milliseconds: the orders wait meanwhile."""
        until_s = self._now_s() + TURN_S
        while self._now_s() < until_s and (message := self._door.receive()) is not None:
            reply = self._replied(message)
            fields = reply.answer.by_op("" if reply.request is None else reply.request.op)
            self._door.answer(message.routing_id, msgspec.msgpack.encode(fields))

    def _replied(self, message: Message) -> Reply:
        if len(message.frames) != 1:
            got = str(len(message.frames))
            error = FrameError(
                VenueRefusal.BAD_REQUEST, expected="1 frame", got=got, where="message"
            )
            return Reply(self.refusal(error, "", None), "", None)
        return self.reply(message.key, message.payload)

    # -- the service ------------------------------------------------------------------------------

    def person_of(self, key: str) -> Operator:
        """Return the operator of a key; FrameError for a stranger's."""
        if key not in self._operators:
            raise FrameError(
                VenueRefusal.NOT_AUTHENTICATED,
                expected="an operator's key",
                got="another",
                where="key",
            )
        return self._operators[key]

    def read(self, payload: bytes) -> AdminRequest:
        """Return the request in a message; raises a refusal where it is none."""
        self._is_journaled = False
        return super().read(payload)

    def role_refusal(self, person: Operator, request: AdminRequest) -> FrameError:
        """Return what a role that may only look is shown of an act."""
        got = f"the {person.role}'s {person.name}"
        return FrameError(
            VenueRefusal.NOT_PERMITTED, expected="an operator's key", got=got, where="key"
        )

    def look(self, person: Operator, request: AdminRequest) -> dict[str, Any]:
        """Answer what only looks, and keep who has."""
        self._looked(person, request)
        if isinstance(request, Status):
            waiting = [each["number"] for each in self.proposals.listed()]
            you = {"name": person.name, "role": person.role}
            return {**request.look(self), "proposals": waiting, "you": you}
        return request.look(self)

    def act(self, person: Operator, request: AdminRequest) -> dict[str, Any]:
        """Do it, or keep it for a second operator; say where the venue stands then."""
        assert isinstance(request, ActRequest), request
        next_seq = self._sequencer.journal.next_seq
        try:
            if request.second is None:
                fields = request.act(self, person)
            else:
                fields = self._propose(person, request)
        except Exception:
            self._is_journaled = self._sequencer.journal.next_seq != next_seq
            raise
        log.info("act", by=person.name, **msgspec.to_builtins(request))
        return {**fields, **self.status()}

    def _propose(self, operator: Operator, request: ActRequest) -> dict[str, Any]:
        what, carry_out = request.prepared(self, operator)
        content = msgspec.msgpack.encode(request)
        proposal = self.proposals.propose(operator, what, request.why, content, carry_out)
        return {
            "proposal": proposal.number,
            "what": what,
            "request_hash": proposal.request_hash,
        }

    def refusal(self, error: Exception, by: str, request: AdminRequest | None) -> Answer:
        """Return the answer to what was refused, or broke before it changed anything.

        What broke on the way to the disk, or behind it, is raised: it ends the venue.
        """
        if isinstance(error, EventDamaged):
            refusal = damage_refusal(error)
        elif isinstance(error, RequestUnread):
            parts = {"expected": error.expected, "got": error.got, "where": error.where}
            refusal = FrameError(VenueRefusal.BAD_REQUEST, **parts)
        elif isinstance(error, FrameError):
            refusal = error
        elif isinstance(error, ValueError):
            unsound = {"expected": str(error), "got": "", "where": "payload"}
            refusal = FrameError(VenueRefusal.VALUE_UNSOUND, **unsound)
        elif self._is_harmless(error, request):
            log.error("request_broke", op=request and request.op, by=by or None, exc_info=error)
            got = type(error).__name__
            parts = {"expected": "an answer", "got": got, "where": "venue"}
            refusal = FrameError(VenueRefusal.INTERNAL, **parts)
        else:
            raise error
        if isinstance(error, FrameError | RequestUnread):
            log.warning("refused", by=by or None, code=refusal.code.name, error=str(refusal))
        return Answer(
            {},
            Refusal(
                expected=refusal.expected,
                got=refusal.got,
                where=refusal.where,
                code=refusal.code.name,
            ),
        )

    def _is_harmless(self, error: Exception, request: AdminRequest | None) -> bool:
        """Tell whether all is as it was before what broke."""
        if isinstance(error, MemoryError):
            return False
        if request is None or request.is_look:
            return True
        is_of_the_disk = isinstance(error, OSError | JournalError | AssertionError)
        return not is_of_the_disk and not self._is_journaled

    # -- what requests look at --------------------------------------------------------------------

    def statistics(self) -> dict[str, Any]:
        """Return each product's prices and totals of the day."""
        return admin_views.statistics(self.machine)

    def position(self, account: str) -> dict[str, Any]:
        """Return what an account has at the venue."""
        return admin_views.position(self.machine, account)

    def cash_reconciled(self) -> dict[str, Any]:
        """Return whether the exchange's cash comes out, by account."""
        return cash_book.shown(*self.machine.cash_records())

    def blocks(self, first: int) -> dict[str, Any]:
        """Return the open block offers and enquiries, from an id on."""
        return blocks_of_all(self.machine, first)

    def statement(self, account: str, date: str | None) -> dict[str, Any]:
        """Return what the statement of an account's day begins with."""
        return activity_statements.statement(self._sequencer, self.account_index(account), date)

    def history(self, account: str, first: int, count: int) -> dict[str, Any]:
        """Return an account's reports from a number on."""
        index = self.account_index(account)
        return activity_statements.history(self._sequencer, index, first, count)

    def biddings(self) -> list[dict[str, Any]]:
        """Return what everybody may see of the day's biddings."""
        return biddings(self.machine)

    def sessions(self) -> dict[str, Any]:
        """Return who is logged on."""
        return admin_views.sessions(self.machine, self.orders.sessions, self._now_s())

    # -- what acts are made of --------------------------------------------------------------------

    def run(self, act: control.Act | None, by: Operator, why: str) -> None:
        """Journal an act of one person; FrameError if it does not fit. None is done already."""
        if act is None:
            return
        # A day that two others have agreed to is theirs.
        if not (isinstance(act, control.DayOpen) and act.second):
            act = msgspec.structs.replace(act, by=by.name, why=why)
        self._run(act)

    def _run(self, act: control.Act) -> None:
        for refusal in self._run_controls([act]):
            if refusal is not None:
                raise refusal

    def account_index(self, name: str) -> int:
        """Return an account's index; FrameError if there is none of that name."""
        return account_known(self.machine, name)

    def holder_check(self, account: str) -> None:
        """Refuse to let an account trade whose holder may not."""
        if self.machine.barred.get(account) is False:
            raise FrameError(
                VenueRefusal.HOLDER_BARRED,
                expected="an account of one who may trade here",
                got=f"one of: {self.machine.holders[account]}",
                where="account",
            )

    def product_check(self, name: str | None) -> None:
        """Refuse a product that there is not; None is the whole market."""
        product_known(self.machine, name)

    def before_listed_check(self, product: str, what: str) -> None:
        """Refuse what is too late once the day's first listed phase has begun."""
        self.product_check(product)
        core = self.machine.core
        if core.day_is_open and core.listed_started:
            raise FrameError(
                VenueRefusal.LISTED_PHASE_BEGUN,
                expected="a time before the day's first listed phase",
                got=Phase(core.phase).name.lower(),
                where=what,
            )

    def bidding_prepared(self, request: BiddingOpen, by: Operator) -> Prepared:
        """Return a bidding for a second person; FrameError for names and times that are none."""
        what = bidding_service.notice_in_words(bidding_service.notice(self.machine, request))
        trading_date = self.machine.core.trading_date

        def carry_out(second: Operator) -> dict[str, Any]:
            if self.machine.core.trading_date != trading_date:
                raise FrameError(
                    VenueRefusal.PROPOSAL_DECIDED,
                    expected=f"approval on {trading_date}, for which it was proposed",
                    got=f"it on {self.machine.core.trading_date}",
                    where="proposal",
                )
            # Its name may have been taken since.
            act = bidding_service.notice(self.machine, request)
            names = {"by": by.name, "second": second.name, "why": request.why}
            self._run(msgspec.structs.replace(act, **names))
            bidding_service.announced_check(self._sequencer, request.bidding)
            return {"what": what}

        return Prepared(what, carry_out)

    def review_check(self, bidding: str, by: Operator) -> None:
        """Refuse to let an operator approve the application that he has filed."""
        bidding_service.review_check(self.machine, bidding, by)

    def time_ns(self, text: str | None, where: str) -> int:
        """Return a time in nanoseconds, 0 of none; FrameError for a text that is none."""
        return bidding_service.time_ns(text, where)

    def bidding_end_check(self, bidding: str, *, must_be_open: bool) -> None:
        """Refuse the end of a bidding that can't be awarded, or cancelled, now."""
        bidding_service.end_check(self.machine, bidding, must_be_open=must_be_open)

    def block_word_check(self, block_id: int, *, confirms: bool) -> None:
        """Refuse the exchange's word on a block that does not wait for it, or can't trade now."""
        block_word_check(self.machine, block_id, confirms=confirms)

    def bust_prepared(self, trade_id: int, by: Operator, why: str) -> Prepared:
        """Return a trade's bust for a second person; FrameError if it can't be undone."""
        event = trade_event(self._sequencer, trade_id)
        if event is None:
            last = self.machine.core.trade_id
            raise FrameError(
                VenueRefusal.TRADE_UNKNOWN,
                expected=f"a trade up to {last}",
                got=str(trade_id),
                where="trade_id",
            )
        act = control.TradeBust(
            by=by.name,
            why=why,
            settlement_seq=int(event["settlement_seq"]),
            trade=event.tobytes(),
        )
        self._fit_check(act)
        names = self.machine.account_names
        what = (
            f"undo trade {trade_id}: {event['tonnes']} t of "
            f"{self.machine.product_names[event['product_index']]} at {event['price']} fen, "
            f"{names[event['account_index']]} and {names[event['counter_account_index']]}"
        )

        def carry_out(second: Operator) -> dict[str, Any]:
            self.day.registry_answered_check()
            self._run(msgspec.structs.replace(act, second=second.name))
            return {"what": what, "outcome": self._bust_outcome(trade_id)}

        return Prepared(what, carry_out)

    def cash_prepared(
        self,
        kind: type[control.CashPaidIn] | type[control.CashPaidOut],
        request: CashPayIn | CashPayOut,
        by: Operator,
    ) -> Prepared:
        """Return a booking of cash for a second person; FrameError if it can't be made now."""
        act = kind(
            by=by.name,
            why=request.why,
            account=request.account,
            amount=request.cash,
            reference=request.reference,
        )
        self.account_index(request.account)
        self._fit_check(act)
        way = "into" if kind is control.CashPaidIn else "out of"
        what = f"book {request.cash} fen {way} {request.account}, {request.reference}"

        def carry_out(second: Operator) -> dict[str, Any]:
            self._run(msgspec.structs.replace(act, second=second.name))
            return {"what": what, "outcome": self._cash_outcome()}

        return Prepared(what, carry_out)

    def cash_correction_prepared(self, request: CashCorrect, by: Operator) -> Prepared:
        """Return a correction of cash for a second person; FrameError if none can be made now."""
        account = request.account
        act = control.CashCorrected(by=by.name, why=request.why, account=account, cash=request.cash)
        index = self.account_index(account)
        self._fit_check(act)
        had = int(self.machine.core.account(index)["cash"])
        what = f"let {account} have {request.cash} fen, it has {had}: {request.why}"

        def carry_out(second: Operator) -> dict[str, Any]:
            self._run(msgspec.structs.replace(act, second=second.name))
            has = int(self.machine.core.account(index)["cash"])
            outcome = "corrected" if has == request.cash else f"nothing moved: it has {has} fen"
            return {"what": what, "outcome": outcome}

        return Prepared(what, carry_out)

    def _cash_outcome(self) -> str:
        """Say what the market made of a booking: today's proceeds, for one, may not leave."""
        last = self.machine.core.settlement_seq
        seqs = self._sequencer.index.settlement_events(last, 1)
        (row,) = self._sequencer.event_rows(seqs)
        reason = Reason(int(row["reason"]))
        return "booked" if reason == Reason.NONE else f"nothing moved: {reason.name}"

    def measures(self, *, public: bool) -> list[dict[str, Any]]:
        """Return the measures that were taken, or what the public is shown of them."""
        shown = measures.public_list if public else measures.shown
        return shown(self.machine.measures, self.machine.core.trading_date)

    def measure_of(
        self, request: MeasureRequest, step: int, barred: tuple[control.Barred, ...]
    ) -> control.MeasureTaken:
        """Return the measure that a request means, with the next number."""
        self.account_index(request.account)
        self._cases.open_check(request.case)
        return control.MeasureTaken(
            measure=len(self.machine.measures) + 1,
            case=request.case,
            account=request.account,
            step=step,
            barred=barred,
            starts=_date_number(request.starts, "from"),
            ends=_date_number(request.ends, "until"),
            why=request.why,
        )

    def measure_prepared(
        self, act: control.MeasureTaken | control.MeasureLifted, what: str, by: Operator
    ) -> Prepared:
        """Return a measure, or its end, for a second person; FrameError if it does not fit."""
        act = msgspec.structs.replace(act, by=by.name)
        self._fit_check(act)

        def carry_out(second: Operator) -> dict[str, Any]:
            agreed = msgspec.structs.replace(act, second=second.name)
            if isinstance(agreed, control.MeasureTaken):
                # Others may have been taken since.
                number = len(self.machine.measures) + 1
                agreed = msgspec.structs.replace(agreed, measure=number)
            self._run(agreed)
            return {"what": what, "measure": agreed.measure}

        return Prepared(what, carry_out)

    def _fit_check(self, act: control.ActOfTwo) -> None:
        """Refuse an act that would not fit once a second person agreed."""
        refusal = self.machine.refusal(msgspec.structs.replace(act, second=SECOND_TO_COME))
        if refusal is not None:
            raise refusal

    def case_rows(self) -> list[dict[str, Any]]:
        """Return all case files, a row each."""
        return self._cases.rows()

    def case_shown(self, name: str) -> dict[str, Any]:
        """Return a case file with its measures; FrameError if there is none of that name."""
        return self._cases.shown(name, self.measures(public=False))

    def case_enter(
        self, name: str, bodies: Sequence[AnyBody], by: Operator, why: str
    ) -> dict[str, Any]:
        """Journal entries of a case."""
        for act in self._cases.entries(name, bodies, by, why):
            self._run(act)
        return self._cases.place(name)

    def case_prepared(
        self, name: str, body: AnyBody, what: str, by: Operator, why: str
    ) -> Prepared:
        """Return an entry for a second person; FrameError if it does not fit."""
        self._cases.proposal_check(name, body, by, why)

        def carry_out(second: Operator) -> dict[str, Any]:
            # Others may have entered something since.
            (act,) = self._cases.entries(name, (body,), by, why)
            self._run(msgspec.structs.replace(act, second=second.name))
            return {"what": what, **self._cases.place(name)}

        return Prepared(what, carry_out)

    def penalty_of(self, request: CasePenalty) -> PenaltyComputed:
        """Return what the law says of a case's abuse and gain."""
        return self._cases.penalty(request)

    def adjustments(self) -> dict[str, Any]:
        """Return by which accounts the market is adjusted, and all that was done."""
        shown = adjustments.shown(self.machine.adjustments)
        return {"accounts": self.machine.adjustment_accounts, "adjustments": shown}

    def adjustment_prepared(self, act: AdjustmentAct, what: str, by: Operator) -> Prepared:
        """Return an act of market adjustment for a second person; FrameError if it does not fit."""
        act = msgspec.structs.replace(act, by=by.name)
        self._fit_check(act)

        def carry_out(second: Operator) -> dict[str, Any]:
            agreed = msgspec.structs.replace(act, second=second.name)
            if isinstance(agreed, control.MarketAdjusted):
                # Others may have acted since.
                number = len(self.machine.adjustments) + 1
                agreed = msgspec.structs.replace(agreed, adjustment=number)
            self._run(agreed)
            if not isinstance(agreed, control.MarketAdjusted):
                return {"what": what}
            kept = self.machine.adjustments[-1]
            outcome = "taken" if kept.target else f"nothing was entered: {kept.reason}"
            return {"what": what, "adjustment": agreed.adjustment, "outcome": outcome}

        return Prepared(what, carry_out)

    def _bust_outcome(self, trade_id: int) -> str:
        """Say what the market made of a bust: where the asset has moved on, nothing moves back."""
        last = self.machine.core.settlement_seq
        first = max(self.machine.settlement_base + 1, last - BUST_ROWS_READ + 1)
        seqs = self._sequencer.index.settlement_events(first, BUST_ROWS_READ)
        rows = self._sequencer.event_rows(seqs)
        rows = rows[(rows["kind"] == EventKind.TRADE_BUSTED) & (rows["trade_id"] == trade_id)]
        reason = Reason(int(rows["reason"][-1]))
        return "undone" if reason == Reason.NONE else f"nothing moved: {reason.name}"


def _date_number(text: str | None, where: str) -> int:
    """Return a day as yyyymmdd; 0 of none."""
    if text is None:
        return 0
    try:
        return date_number(date_parse(text))
    except ValueError as error:
        raise FrameError(
            VenueRefusal.VALUE_UNSOUND, expected="a day, as 2025-07-16", got=text, where=where
        ) from error
