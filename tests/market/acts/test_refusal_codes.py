"""Each cause for which an act is not journaled has its own code, on both cores."""

import msgspec
import pytest

from cea_exchange.domain.documents.cases import Closed, Note, Opened
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.market.market_scripts import CORES

DAY, NEXT_DAY = 20250716, 20250717
TWO = {"by": "an", "second": "bo", "why": "x"}
PRODUCTS = {"cea": "CEA24", "ccer": "P0001-2024"}


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def core(request):
    return request.param


def machine_of(core, profile):
    """A market with a product, and with two accounts: `alice`, by which a key trades, `reserve`."""
    machine = VenueStateMachine(load_profile(profile), core)
    for number, command in enumerate(
        (
            control.ProductDeclared(product=PRODUCTS[profile], reference_price=8_000),
            control.AccountDeclared(account="alice"),
            control.AccountDeclared(account="reserve"),
            control.KeyGranted(key=40 * "k", account="alice"),
        ),
        start=1,
    ):
        machine.apply_control(control.FeedItem(transfer_seq=number, command=command))
    return machine


def measure(number=1, step=7, account="alice", barred=(), **fields):
    given = {"measure": number, "case": "C1", "account": account, "step": step, "barred": barred}
    return control.MeasureTaken(**(TWO | given | fields))


def entry(number, body, case="C1", **fields):
    return control.CaseEntered(**(TWO | {"case": case, "entry": number, "body": body} | fields))


def adjusting(number=1, account="reserve", kind="sale", method="listed", **fields):
    given = {"adjustment": number, "kind": kind, "account": account, "method": method}
    terms = {"product": "CEA24", "tonnes": 100, "price": 8_000, "trigger": "hubei_limit_closes"}
    return control.MarketAdjusted(**(TWO | given | terms | fields))


def paid(reference="B1", **fields):
    given = {"account": "alice", "amount": 100, "reference": reference}
    return control.CashPaidIn(**(TWO | given | fields))


OPENED, CLOSED = Opened(title="x"), Closed(outcome="no_abuse")
NAMED = control.AdjustmentAccountNamed(account="reserve", **TWO)
OPEN = control.DayOpen(date=DAY)
LISTED = control.PhaseSet(phase=2)
LIFTED = control.MeasureLifted(measure=1, **TWO)
ENDED = control.AdjustmentEnded(adjustment=1, **TWO)
CONFIRMED = control.ListingConfirmed(product=PRODUCTS["ccer"])
LISTING = control.ProductList(product=PRODUCTS["ccer"], price=8_000)
CORRECTED = control.CashCorrected(account="alice", cash=0, **TWO)


def fed(command, number=5):
    return control.FeedItem(transfer_seq=number, command=command)


@pytest.mark.parametrize(
    ("code", "profile", "done", "act"),
    [
        (VenueRefusal.NAME_TAKEN, "cea", [], control.AccountDeclared(account="alice")),
        (
            VenueRefusal.NAME_TAKEN, "cea", [],
            control.ProductDeclared(product="CEA24", reference_price=1),
        ),
        (
            VenueRefusal.VALUE_UNSOUND, "ccer", [],
            control.ProductDeclared(product="CEA24", reference_price=1),
        ),
        (VenueRefusal.VALUE_UNSOUND, "cea", [], control.DayOpen(date=20250230)),
        (VenueRefusal.DAY_IS_OPEN, "cea", [OPEN], control.DayOpen(date=NEXT_DAY)),
        (VenueRefusal.NO_DAY_OPEN, "cea", [], LISTED),
        (VenueRefusal.NO_DAY_OPEN, "cea", [], control.DayClose()),
        (VenueRefusal.DATE_OUT_OF_RANGE, "cea", [OPEN, control.DayClose()], OPEN),
        (
            VenueRefusal.DATE_OUT_OF_RANGE, "cea", [],
            control.SettlementConfirmed(trading_date=DAY, settlement_seq=0),
        ),
        (VenueRefusal.NOT_NEXT, "cea", [], fed(control.AccountDeclared(account="z"), 9)),
        (VenueRefusal.NAME_TAKEN, "cea", [], fed(control.AccountDeclared(account="alice"))),
        (
            VenueRefusal.CASH_SETTLED_HERE, "ccer", [],
            fed(control.TransferIn(account="alice", amount=1)),
        ),
        (
            VenueRefusal.SUSPENDED_BY_MEASURE, "cea", [OPEN, measure()],
            control.Restore(account="alice"),
        ),
        (VenueRefusal.ACCOUNT_UNKNOWN, "cea", [], measure(account="carol")),
        (VenueRefusal.NOT_NEXT, "cea", [], measure(2)),
        (VenueRefusal.WHY_MISSING, "cea", [], measure(why=" ")),
        (VenueRefusal.SAME_PERSON, "cea", [], measure(second="an")),
        (VenueRefusal.MEASURE_TERMS, "cea", [], measure(step=6)),
        (VenueRefusal.VALUE_UNSOUND, "cea", [], measure(starts=20250230)),
        (VenueRefusal.DATE_OUT_OF_RANGE, "cea", [OPEN], measure(ends=20250101)),
        (VenueRefusal.MEASURE_UNKNOWN, "cea", [], LIFTED),
        (VenueRefusal.MEASURE_ENDED, "cea", [measure(), LIFTED], LIFTED),
        (VenueRefusal.CASE_TAKEN, "cea", [entry(1, OPENED)], entry(2, OPENED)),
        (VenueRefusal.CASE_UNKNOWN, "cea", [], entry(1, Note(text="x"))),
        (
            VenueRefusal.CASE_CLOSED, "cea", [entry(1, OPENED), entry(2, CLOSED)],
            entry(3, Note(text="x")),
        ),
        (VenueRefusal.NOT_NEXT, "cea", [], entry(2, OPENED)),
        (VenueRefusal.SAME_PERSON, "cea", [entry(1, OPENED)], entry(2, CLOSED, second="")),
        (VenueRefusal.ADJUSTMENT_ACCOUNT_TAKEN, "cea", [NAMED], NAMED),
        (VenueRefusal.ACCOUNT_TRADED, "cea", [], msgspec.structs.replace(NAMED, account="alice")),
        (VenueRefusal.ADJUSTMENT_ACCOUNT_UNKNOWN, "cea", [OPEN], adjusting()),
        (
            VenueRefusal.ADJUSTMENT_TERMS, "cea", [NAMED, OPEN],
            adjusting(kind="release", method="bidding"),
        ),
        (VenueRefusal.ADJUSTMENT_TERMS, "cea", [NAMED, OPEN], adjusting(reserve_price=1)),
        (VenueRefusal.ADJUSTMENT_UNKNOWN, "cea", [NAMED], ENDED),
        # The market refused it: there is no phase yet in which anything is listed.
        (VenueRefusal.ADJUSTMENT_ENDED, "cea", [NAMED, OPEN, adjusting()], ENDED),
        (
            VenueRefusal.ACCOUNT_UNKNOWN, "cea", [],
            control.AllocationNoted(account="z", tonnes=1, **TWO),
        ),
        (VenueRefusal.CASH_NOT_SETTLED_HERE, "cea", [OPEN, LISTED], paid()),
        (VenueRefusal.CASH_HOURS, "ccer", [OPEN], paid()),
        (VenueRefusal.CASH_BOOKED, "ccer", [OPEN, LISTED, paid()], paid()),
        (VenueRefusal.CASH_AGREES, "ccer", [OPEN, LISTED], CORRECTED),
        (VenueRefusal.LISTING_UNKNOWN, "cea", [], control.ListingConfirmed(product="CEA24")),
        (VenueRefusal.LISTING_CONFIRMED, "ccer", [CONFIRMED], CONFIRMED),
        (VenueRefusal.LISTING_WAITS, "ccer", [], LISTING),
    ],
)  # fmt: skip
def test_an_act_that_does_not_fit_is_refused_by_its_code(core, code, profile, done, act):
    machine = machine_of(core, profile)
    for each in done:
        machine.apply_control(each)
    before = machine.snapshot()
    refusal = machine.refusal(act)
    assert refusal is not None and refusal.code is code
    assert str(refusal) == f"{refusal.where}: expected {refusal.expected}, got {refusal.got}"
    assert all((refusal.where, refusal.expected, refusal.got))
    assert machine.snapshot() == before
