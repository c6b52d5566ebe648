"""Commands of a trader's pages: sent, with their results in the reader's language."""

from collections.abc import Awaitable, Callable
from enum import IntEnum

from cea_exchange.client import AsyncClient, SessionError
from cea_exchange.domain.records import EventKind, Reason
from cea_exchange.screens.access import Rights
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.trader.session import Outcome, TradingSession
from cea_exchange.screens.visit import Visit

FIELD_OF = {
    Reason.PRICE_OUT_OF_BAND: "price",
    Reason.AMOUNT_TOO_LARGE: "price",
    Reason.TONNES_NOT_POSITIVE: "tonnes",
    Reason.LISTED_TONNES_TOO_LARGE: "tonnes",
    Reason.BLOCK_TONNES_TOO_SMALL: "tonnes",
    Reason.BIDDING_TONNES_TOO_SMALL: "tonnes",
    Reason.BID_OUT_OF_RANGE: "price",
    Reason.HOLDING_LIMIT: "tonnes",
    Reason.CASH_INSUFFICIENT: "tonnes",
    Reason.ALLOWANCES_INSUFFICIENT: "tonnes",
    Reason.ALLOWANCES_BOUGHT_TODAY: "tonnes",
    Reason.PICK_NOT_AVAILABLE: "pick",
}
"""Beside which field a reason stands; others stand above the form."""


def session_of(visit: Visit) -> TradingSession:
    """Return the session that a trader's pages are about."""
    session: TradingSession = visit.site.kept["trader"]
    return session


def trades(rights: Rights) -> bool:
    """Whether somebody sees a trader's pages."""
    return rights.trading != ""


async def command_send(
    visit: Visit, form: Form, queue: Callable[[AsyncClient], Awaitable[int]]
) -> Outcome:
    """Send a command; note in the form why it was refused."""
    try:
        outcome = await session_of(visit).command(queue)
    except SessionError as error:
        sentence, remedy = visit.text("trade.not_sent"), visit.text("trade.not_sent_remedy")
        form.troubles[""] = Trouble(sentence, remedy, "", str(error))
        return Outcome(code=Reason.THROTTLED)
    except (LookupError, ValueError) as error:
        form.troubles[""] = Trouble(visit.text("refusal.other"), "", "", str(error))
        return Outcome(code=Reason.THROTTLED)
    if outcome.code is not None:
        refuse(visit, form, outcome.code)
    return outcome


def refuse(visit: Visit, form: Form, code: IntEnum) -> None:
    """Note in a form why a command was refused, or would be."""
    place = FIELD_OF.get(code, "") if isinstance(code, Reason) else ""
    form.troubles.setdefault(place, visit.trouble(code))


def outcome_words(visit: Visit, outcome: Outcome) -> str:
    """Return in a sentence what came of a command that was not refused."""
    if outcome.code is not None:
        return ""
    if outcome.report is None:
        return visit.text("trade.waits")
    kind = EventKind(outcome.report.kind).name.lower()
    return visit.text(f"done.{kind}", id=outcome.report.order_id)
