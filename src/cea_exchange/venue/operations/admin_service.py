"""Answers operators: each act of theirs becomes a journaled command with who and why."""

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from cea_exchange.control_plane.door import Mailbox, Message
from cea_exchange.domain.records import EventKind, Phase, Reason
from cea_exchange.journal import EventDamaged
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import FrameError
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue import requests
from cea_exchange.venue.durability.sequencer import Sequencer, damage_told
from cea_exchange.venue.market.bidding_views import biddings
from cea_exchange.venue.market.block_views import blocks_of_all
from cea_exchange.venue.market.names import account_known, product_known
from cea_exchange.venue.operations import admin_views, bidding_service
from cea_exchange.venue.operations.dual_control import Proposals
from cea_exchange.venue.operations.trade_search import trade_event
from cea_exchange.venue.order_entry import activity_statements
from cea_exchange.venue.order_entry.service import OrderEntry
from cea_exchange.venue.trading_day.trading_day import TradingDay

SECOND_TO_COME = "(who agrees)"
"""Stands for the second person while it is judged whether there is anything to agree to."""

TURN_S = 0.005

BUST_ROWS_READ = 8
"""The bust's own record is the last of the settlement stream, but for a checkpoint behind it."""

log = structlog.get_logger("venue")


class AdminDesk:
    """The operators' door.

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
    key_restore
        Admits a key that was cut off; False if it was not.
    now_s
        A clock that never goes back.

    Notes
    -----
    Rules: CEA-OPR-01 (who may act), CEA-OPR-02 (what takes two).
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
        run_controls: Callable[[list[control.Control]], list[str | None]],
        status: Callable[[], dict[str, Any]],
        stop: Callable[[], None],
        key_restore: Callable[[str], bool],
        now_s: Callable[[], float],
    ) -> None:
        self._door = door
        self._operators = operators
        self._day = day
        self._sequencer = sequencer
        self._machine = sequencer.machine
        self._orders = orders
        self._proposals = Proposals(proposal_s, now_s)
        self._run_controls = run_controls
        self._status = status
        self._stop = stop
        self._key_restore = key_restore
        self._now_s = now_s

    def turn(self) -> None:
        """Answer what has arrived, for some milliseconds: the orders wait meanwhile."""
        until_s = self._now_s() + TURN_S
        while self._now_s() < until_s and (message := self._door.receive()) is not None:
            operator = self._operators.get(message.key)
            try:
                request = self._request(message)
                told = self._look(request)
                if told is None:
                    told = self._act(operator, request)
                answer = {"op": request.__struct_config__.tag, **told}
            except EventDamaged as error:
                answer = _refused(damage_told(error))
            except FrameError as error:
                answer = _refused(error)
                log.warning("refused", by=operator and operator.name, error=str(error))
            except ValueError as error:
                answer = {"op": "refused", "expected": str(error), "came": "", "where": "payload"}
            self._door.answer(message.routing_id, msgspec.msgpack.encode(answer))

    def _request(self, message: Message) -> requests.AnyAdminRequest:
        if message.key not in self._operators:
            raise FrameError(expected="an operator's key", came="another", where="key")
        if len(message.frames) != 1:
            came = str(len(message.frames))
            raise FrameError(expected="1 frame", came=came, where="message")
        return requests.admin_request_decode(message.frames[0])

    def _look(self, request: requests.AnyAdminRequest) -> dict[str, Any] | None:
        """Answer what only looks; None if the request wants to change something."""
        match request:
            case requests.Status():
                return self._status()
            case requests.Statistics():
                return admin_views.statistics(self._machine)
            case requests.Position(account=account):
                return admin_views.position(self._machine, account)
            case requests.BlockList(first=first):
                return blocks_of_all(self._machine, first)
            case requests.StatementOf(account=account, date=date):
                index = account_known(self._machine, account)
                return activity_statements.statement(self._sequencer, index, date)
            case requests.HistoryOf(account=account, first=first, count=count):
                index = account_known(self._machine, account)
                return activity_statements.history(self._sequencer, index, first, count)
            case requests.BiddingList():
                return {"biddings": biddings(self._machine)}
            case requests.ApplicationList():
                return {"applications": self._day.applications()}
            case requests.SessionList():
                sessions = self._orders.sessions
                return admin_views.sessions(self._machine, sessions, self._now_s())
            case requests.ProposalList():
                return {"proposals": self._proposals.listed()}
        return None

    # -- Acts ---------------------------------------------------------------------------------

    def _act(self, operator: Operator, request: requests.ActRequest) -> dict[str, Any]:
        if not operator.may_act:
            came = f"the {operator.role}'s {operator.name}"
            raise FrameError(expected="an operator's key", came=came, where="key")
        more: dict[str, Any] = {}
        match request:
            case requests.ClockMove(at=at):
                self._day.clock_move(at)
            case requests.Stop():
                self._stop()
            case requests.Disconnect(who=who):
                more["ended"] = self._orders.disconnect(who)
            case requests.KeyRestore(key=key):
                if not self._key_restore(key):
                    raise FrameError(expected="a key that is cut off", came=key, where="key")
            case requests.Bust(trade_id=trade_id, why=why):
                more = self._propose_bust(operator, trade_id, why)
            case requests.Override(why=why):
                more = self._propose_override(operator, why)
            case requests.Approve(number=number):
                more = self._proposals.approve(number, operator)
            case requests.Reject(number=number):
                more["what"] = self._proposals.reject(number).what
            case requests.BiddingOpen(bidding=name):
                self._run(self._control(operator, request))
                bidding_service.announced_check(self._sequencer, name)
            case _:
                self._run(self._control(operator, request))
        log.info("act", by=operator.name, **msgspec.to_builtins(request))
        return {**more, **self._status()}

    def _control(self, operator: Operator, request: requests.ActRequest) -> control.Act | None:
        """Return the command that a request of one person means; None if it is done already."""
        act = self._bare_control(request)
        if act is None or (isinstance(act, control.DayOpen) and act.second):
            return act  # two others have agreed to that day
        return msgspec.structs.replace(act, by=operator.name, why=request.why)

    def _bare_control(self, request: requests.ActRequest) -> control.Act | None:
        match request:
            case requests.OpenDay(date=date):
                return self._day.open_day(date)
            case requests.CloseDay():
                return self._day.close_day()
            case requests.PhaseChange(phase=phase):
                if phase.upper() not in Phase.__members__:
                    names = ", ".join(member.name.lower() for member in Phase)
                    raise FrameError(expected=names, came=phase, where="phase")
                return control.PhaseSet(phase=Phase[phase.upper()])
            case requests.Halt(product=product):
                product_known(self._machine, product)
                return control.Halt(product=product)
            case requests.Resume(product=product):
                product_known(self._machine, product)
                return control.Resume(product=product)
            case requests.Suspend(account=account):
                account_known(self._machine, account)
                return control.Suspend(account=account)
            case requests.Restore(account=account):
                account_known(self._machine, account)
                return control.Restore(account=account)
            case requests.Kill(account=account, market=market):
                return self._kill(account, market)
            case requests.ReferencePrice(product=product, price=price):
                self._before_listed(product, "reference_price")
                return control.ReferencePriceSet(product=product, price=price)
            case requests.ListProduct(product=product, price=price):
                self._before_listed(product, "list")
                return control.ProductList(product=product, price=price)
            case requests.DelistProduct(product=product):
                product_known(self._machine, product)
                return control.ProductDelist(product=product)
            case requests.BiddingApply():
                return self._day.application(request)
            case requests.BiddingReview(bidding=name, approve=approve, why=why):
                if not approve and not why.strip():
                    raise FrameError(expected="a reason to refuse it", came="none", where="why")
                return control.BiddingReviewed(bidding=name, approved=approve)
            case requests.BiddingWithdraw(bidding=name):
                return control.BiddingLapsed(bidding=name)
            case requests.BiddingOpen():
                return bidding_service.notice(self._machine, request)
            case requests.BiddingClose(bidding=name):
                bidding_service.end_check(self._machine, name, must_be_open=True)
                return control.BiddingClose(bidding=name)
            case requests.BiddingCancel(bidding=name):
                bidding_service.end_check(self._machine, name, must_be_open=False)
                return control.BiddingCancel(bidding=name)
        raise AssertionError(f"no such request: {request}")

    def _kill(self, account: str | None, market: bool) -> control.Kill:
        # A name that was forgotten must not end everybody's orders.
        if (account is None) != market:
            came = "both" if market else "neither"
            raise FrameError(expected="an account, or the market", came=came, where="kill")
        if account is not None:
            account_known(self._machine, account)
        return control.Kill(account=account)

    def _before_listed(self, product: str, what: str) -> None:
        product_known(self._machine, product)
        core = self._machine.core
        if core.day_is_open and core.listed_started:
            raise FrameError(
                expected="a time before the day's first listed phase",
                came=Phase(core.phase).name.lower(),
                where=what,
            )

    def _run(self, act: control.Act | None) -> None:
        for refusal in self._run_controls([] if act is None else [act]):
            if refusal is not None:
                raise FrameError(expected="an act that fits", came=refusal, where="market")

    # -- What takes two persons ---------------------------------------------------------------

    def _propose(
        self, operator: Operator, why: str, what: str, act: Callable[[Operator], dict[str, Any]]
    ) -> dict[str, Any]:
        proposal = self._proposals.add(what, operator, why, act)
        return {"proposal": proposal.number, "what": what}

    def _propose_override(self, operator: Operator, why: str) -> dict[str, Any]:
        date = self._day.unconfirmed_date()

        def approved(second: Operator) -> dict[str, Any]:
            self._day.override(date, by=operator.name, second=second.name, why=why)
            return {"what": what}

        what = f"open the day after {date} without the registry's confirmation"
        return self._propose(operator, why, what, approved)

    def _propose_bust(self, operator: Operator, trade_id: int, why: str) -> dict[str, Any]:
        event = trade_event(self._sequencer, trade_id)
        if event is None:
            last = self._machine.core.trade_id
            raise FrameError(expected=f"a trade up to {last}", came=str(trade_id), where="trade_id")
        act = control.TradeBust(
            by=operator.name,
            why=why,
            settlement_seq=int(event["settlement_seq"]),
            trade=event.tobytes(),
        )
        refusal = self._machine.refusal(msgspec.structs.replace(act, second=SECOND_TO_COME))
        if refusal is not None:
            raise FrameError(expected="a trade that can be undone", came=refusal, where="trade_id")

        def approved(second: Operator) -> dict[str, Any]:
            self._day.registry_answered_check()
            self._run(msgspec.structs.replace(act, second=second.name))
            return {"what": what, "outcome": self._bust_outcome(trade_id)}

        names = self._machine.account_names
        what = (
            f"undo trade {trade_id}: {event['tonnes']} t of "
            f"{self._machine.product_names[event['product_index']]} at {event['price']} fen, "
            f"{names[event['account_index']]} and {names[event['counter_account_index']]}"
        )
        return self._propose(operator, why, what, approved)

    def _bust_outcome(self, trade_id: int) -> str:
        """Say what the market made of a bust: where the asset has moved on, nothing moves back."""
        last = self._machine.core.settlement_seq
        first = max(self._machine.settlement_base + 1, last - BUST_ROWS_READ + 1)
        seqs = self._sequencer.index.settlement_events(first, BUST_ROWS_READ)
        rows = self._sequencer.event_rows(seqs)
        rows = rows[(rows["kind"] == EventKind.TRADE_BUSTED) & (rows["trade_id"] == trade_id)]
        reason = Reason(int(rows["reason"][-1]))
        return "undone" if reason == Reason.NONE else f"nothing moved: {reason.name}"


def _refused(error: FrameError) -> dict[str, Any]:
    return {
        "op": "refused",
        "expected": error.expected,
        "came": error.came,
        "where": error.where,
    }
