"""The voluntary market of a year: at its exchange, delivered by the CCER registry, then offset.

when issued             owners send all to the exchange and name its first price; it is listed
a month's first day     owners offer at the base price, entities pay in and buy
                        --close--> the exchange settles the cash, the CCER registry delivers
the trading day after   what was bought leaves the exchange --> cancelled --> its proof is offset
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

from msgspec import Struct

from cea_exchange.ccer.control.requests.accounts import AccountOpen, HoldingList
from cea_exchange.ccer.control.requests.cancellations import (
    CancellationApply,
    CancellationApprove,
)
from cea_exchange.ccer.control.requests.market import MarketDeposit, MarketWithdraw
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import Phase
from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.registry.control.requests.compliance.offset import OffsetConfirm
from cea_exchange.year.firms.firm import Firm, Order, Product
from cea_exchange.year.institutions.ccer_exchange import PROFILE
from cea_exchange.year.institutions.programme import (
    OPERATOR,
    PROJECTS,
    owner_of,
    representative,
)
from cea_exchange.year.institutions.systems import OPERATOR as REGISTRY
from cea_exchange.year.institutions.systems import Systems

PRICE = 7_076
"""Fen, which owners declare: the mean of 2025."""
PURPOSE: Literal["national_ets"] = "national_ets"


class Bought(Struct, frozen=True):
    """CCERs that an entity bought and has still at the exchange."""

    account: str
    instrument: str
    tonnes: int


class Voluntary(Struct, kw_only=True):
    """How far the voluntary market is.

    Attributes
    ----------
    bought
        What leaves the exchange on the next trading day.
    paid_in
        Account -> fen that the exchange's bank took in for it.
    tonnes
        Traded in the year.
    """

    bought: list[Bought] = []
    paid_in: dict[str, int] = {}
    tonnes: int = 0


class _Offered(NamedTuple):
    owner: str
    product: Product
    tonnes: int


def listed(systems: Systems) -> None:
    """Let owners send what was issued to the exchange, and the exchange list it."""
    with systems.together("ccer"):
        instruments = []
        for owner in map(owner_of, PROJECTS):
            for instrument, tonnes in _held(systems, owner).items():
                sent = MarketDeposit(
                    account=owner, instrument=instrument, tonnes=tonnes, price=PRICE
                )
                systems.ask("ccer", representative(owner), sent)
                instruments.append(instrument)
    systems.ccer_market.feed()
    for instrument in instruments:
        systems.ccer_market.listing_confirm(instrument)


def _held(systems: Systems, owner: str) -> dict[str, int]:
    """Return instrument -> tonnes of an owner's."""
    found: dict[str, int] = {}
    for lot in systems.ask("ccer", OPERATOR, HoldingList(account=owner))["lots"]:
        tonnes = lot["serial_last"] - lot["serial_first"] + 1
        found[lot["instrument"]] = found.get(lot["instrument"], 0) + tonnes
    return found


# -- a day that trades -----------------------------------------------------------------------------


def traded(
    systems: Systems, voluntary: Voluntary, trading_date: int, wanted: Sequence[tuple[Firm, int]]
) -> list[Bought]:
    """Trade on the exchange's open day and close it; return what was bought, as was delivered.

    Owners offer all that they have at the day's base price; entities take in turn what they want
    of it, and pay in what that costs.

    Parameters
    ----------
    wanted
        Firm, and the tonnes that it wants.
    """
    market = systems.ccer_market
    offered = _offered(systems, market.products({}))
    taken = [*_taken(offered, wanted)]
    _seated(systems, [firm for firm, _, _ in taken])
    market.phase(Phase.LISTED_AND_BLOCK)
    for account, fen in _costs(taken).items():
        market.paid_in(account, fen, f"{trading_date} {account}")
        voluntary.paid_in[account] = voluntary.paid_in.get(account, 0) + fen
    market.listed(
        Order(market.seat(each.owner), "sell", each.product, each.product.centre, each.tonnes)
        for each in offered
    )
    market.listed(
        Order(market.seat(firm.account), "buy", product, product.centre, tonnes)
        for firm, product, tonnes in taken
    )
    market.day_close()
    with systems.ccer_read() as ccer:
        rows = ccer.all(
            "SELECT account, product, sum(tonnes) FROM trades"
            " JOIN accounts ON accounts.account_index = buyer_index"
            " JOIN products ON product_index = asset_index WHERE trading_date = ?"
            " GROUP BY account, product ORDER BY min(settlement_seq)",
            (trading_date,),
        )
    voluntary.bought = [Bought(account, product, int(tonnes)) for account, product, tonnes in rows]
    voluntary.tonnes += sum(each.tonnes for each in voluntary.bought)
    return voluntary.bought


def _offered(systems: Systems, products: Iterable[Product]) -> list[_Offered]:
    """Return what owners have at the exchange, the oldest instrument first."""
    by_name = {product.name: product for product in products}
    with systems.ccer_read() as ccer:
        rows = ccer.all(
            "SELECT account, product, amount FROM balances"
            " JOIN accounts ON accounts.account_index = balances.account_index"
            " JOIN products ON product_index = asset_index"
            " WHERE kind = 'owner' AND compartment = ? AND amount > 0 ORDER BY asset_index",
            (int(Compartment.TRADING),),
        )
    return [_Offered(owner, by_name[product], tonnes) for owner, product, tonnes in rows]


def _taken(
    offered: Iterable[_Offered], wanted: Iterable[tuple[Firm, int]]
) -> Iterator[tuple[Firm, Product, int]]:
    """Share out what is offered to those who want it, in turn; yield what each asks for."""
    left = {each.product: each.tonnes for each in offered}
    for firm, tonnes in wanted:
        for product, free in left.items():
            part = min(free, tonnes)
            if part:
                yield firm, product, part
                left[product] -= part
                tonnes -= part


def _costs(taken: Iterable[tuple[Firm, Product, int]]) -> Mapping[str, int]:
    """Return account -> fen of what it asks for, each order with its fee (CCER-FEE-01)."""
    fee_bp, costs = load_profile(PROFILE).rules.fee_bp, dict[str, int]()
    for firm, product, tonnes in taken:
        value = product.centre * tonnes
        fee = -(-value * fee_bp // 10_000)
        costs[firm.account] = costs.get(firm.account, 0) + value + fee
    return costs


def _seated(systems: Systems, firms: Iterable[Firm]) -> None:
    """Let firms have an account at the CCER registry, and the exchange know of it."""
    with systems.ccer_read() as ccer:
        known = {*ccer.column("SELECT account FROM accounts")}
    with systems.together("ccer"):
        for firm in firms:
            if firm.account not in known:
                known.add(firm.account)
                opened = AccountOpen(account=firm.account, kind="entity", province=firm.province)
                systems.ask("ccer", OPERATOR, opened)
    systems.ccer_market.feed()


# -- the day after ---------------------------------------------------------------------------------


def offset(systems: Systems, voluntary: Voluntary, year: int) -> None:
    """Let what was bought leave the exchange, cancel it, and count its proofs."""
    bought, voluntary.bought = voluntary.bought, []
    if not bought:
        return
    ask = partial(systems.ask, "ccer")
    with systems.together("ccer"):
        for each in bought:
            left = MarketWithdraw(
                account=each.account, instrument=each.instrument, tonnes=each.tonnes
            )
            ask(representative(each.account), left)
    systems.ccer_market.feed()
    with systems.together("ccer"):
        for each in bought:
            applied = CancellationApply(
                account=each.account,
                instrument=each.instrument,
                purpose=PURPOSE,
                tonnes=each.tonnes,
                beneficiary=each.account,
                compliance_year=year,
            )
            number = ask(representative(each.account), applied)["cancellation_id"]
            ask(OPERATOR, CancellationApprove(cancellation_id=number))
    systems.proofs_talk()
    with systems.registry_read() as registry:
        proofs = registry.column(
            "SELECT proof FROM ccer_proofs WHERE state = 'confirmed' ORDER BY proof_seq"
        )
    with systems.together("registry"):
        for proof in proofs:
            systems.ask("registry", REGISTRY, OffsetConfirm(proof=proof))
    systems.proofs_talk()
