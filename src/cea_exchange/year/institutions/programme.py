"""The voluntary market's side of a year: projects, their batches, a market for them, offsets.

January   designs published       --20 working days--> registered, batches published
then      --20 working days--> verified, issued to their owners
autumn    monthly a day's market: owners sell, entities buy, cancel, and offset what they owe
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import msgspec
from msgspec import Struct

from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.ccer.batches import ReductionReport
from cea_exchange.domain.ccer.projects import ProjectDesign
from cea_exchange.domain.records import Side, Tif
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.matching.market import Market
from cea_exchange.registry.ccer_link.turns import CcerTurns
from cea_exchange.registry.registry import Registry
from cea_exchange.year.firms.firm import Firm

FIRST_YEAR = 2024
"""In which the voluntary market began again: before it there are no CCERs of its registry."""
PROJECTS = ("WIND-1", "WIND-2", "WIND-3", "WIND-4")
METHODOLOGY = "CCER-01-002"
VALIDATOR, VERIFIER = "CQC", "CCSC"
YEARS_BEFORE = 3
"""Whose reductions a batch has: of so many years before."""
TONNES_EACH = 1_750
"""A year's reductions of a project, for each enterprise of the nation: some 0.2% of what is due."""
DOCUMENT = "ab" * 32
PRICE = 7_076
"""Fen: the first base price, and the mean of 2025."""
PURPOSE = "national_ets"
ORDER_TONNES_MOST = 99_999
"""Of a listed order: a block's tonnes are no listed order's."""


class Programme(Struct, kw_only=True):
    """How far the programme is.

    Attributes
    ----------
    step
        Of `programme_step`: how many were taken.
    base_price
        Fen, of the market.
    """

    step: int = 0
    begun_on: int = 0
    base_price: int = PRICE
    tonnes: int = 0


class Bought(NamedTuple):
    """What an entity bought of an owner's."""

    firm: Firm
    owner: str
    instrument: str
    tonnes: int


def owner_of(project: str) -> str:
    """Return a project's owner."""
    return f"{project}-OWNER"


# -- the programme ---------------------------------------------------------------------------------


def programme_step(ccer: CcerRegistry, programme: Programme, day: date, entities: int) -> None:
    """Take the next step of all projects, if its day has come."""
    number = date_number(day)
    if programme.step == 0:
        _designs_published(ccer)
    elif programme.step > 2 or number <= _public_until(ccer, programme):
        return
    elif programme.step == 1:
        _registered(ccer, day.year, entities * TONNES_EACH // len(PROJECTS))
    else:
        _issued(ccer, day.year, entities * TONNES_EACH // len(PROJECTS))
    programme.step, programme.begun_on = programme.step + 1, number


def _public_until(ccer: CcerRegistry, programme: Programme) -> int:
    rules = ccer.books.rules
    days = (rules.design_public_days, rules.report_public_days)[programme.step - 1]
    return ccer.books.term(programme.begun_on, days.value).ends_on


def _designs_published(ccer: CcerRegistry) -> None:
    with ccer.transaction():
        for vvb in (VALIDATOR, VERIFIER):
            ccer.accounts.open(vvb, "vvb")
            ccer.vvbs.accredit(vvb, 1, from_date=2024_01_22, document="notice 1")
        for project in PROJECTS:
            ccer.accounts.open(owner_of(project), "owner")
            design = ProjectDesign(
                methodology=METHODOLOGY,
                started_on=2020_03_01,
                crediting_from=2020_09_23,
                crediting_to=2030_09_22,
            )
            ccer.projects.draft(project, owner_of(project), "Offshore wind", design)
            ccer.projects.publish(project, VALIDATOR, DOCUMENT)


def _registered(ccer: CcerRegistry, year: int, tonnes: int) -> None:
    with ccer.transaction():
        for project in PROJECTS:
            ccer.projects.validation_begin(project)
            ccer.projects.validate(project, DOCUMENT)
            ccer.projects.apply(project, DOCUMENT)
            ccer.projects.register(project)
            report = ReductionReport(
                produced_from=10_000 * (year - YEARS_BEFORE) + 101,
                produced_to=10_000 * (year - 1) + 1231,
                tonnes=_tonnes(year, tonnes),
            )
            ccer.batches.publish(project, VERIFIER, report, DOCUMENT)


def _issued(ccer: CcerRegistry, year: int, tonnes: int) -> None:
    with ccer.transaction():
        for project in PROJECTS:
            ccer.batches.verification_begin(project, 1)
            ccer.batches.verify(project, 1, _tonnes(year, tonnes), DOCUMENT)
            ccer.batches.apply(project, 1, DOCUMENT)
            ccer.batches.issue(project, 1)


def _tonnes(year: int, tonnes: int) -> dict[int, int]:
    return dict.fromkeys(range(year - YEARS_BEFORE, year), tonnes)


# -- the market, and what becomes of what was bought -----------------------------------------------


def market_day(
    ccer: CcerRegistry, programme: Programme, day: date, wanted: Sequence[tuple[Firm, int]]
) -> list[Bought]:
    """Trade a day of the voluntary market, and let its registry move what was bought.

    Owners offer all that they have at the base price; entities buy in turn what they want of it.
    The exchange settles the cash, the CCER registry the CCERs.

    Parameters
    ----------
    wanted
        Firm, and the tonnes that it wants.
    """
    stocks = [
        (owner, instrument, tonnes)
        for owner in map(owner_of, PROJECTS)
        for instrument, tonnes in _held(ccer, owner).items()
    ]
    if not stocks or not wanted:
        return []
    price = price_format(programme.base_price)
    market = Market("ccer", {instrument: price for _, instrument, _ in stocks})
    owners = {instrument: owner for owner, instrument, _ in stocks}
    for owner, instrument, tonnes in stocks:
        market.deposit(owner, product=instrument, tonnes=tonnes)
    for firm, tonnes in wanted:
        # Six per mille for the exchange, each time rounded up to the fen.
        cash = tonnes * programme.base_price * 1_006 // 1_000 + 100 * len(stocks)
        market.deposit(firm.account, cash=cash_format(cash))
    market.open_day(day)
    market.phase("listed")
    for owner, instrument, tonnes in stocks:
        _offered(market, owner, instrument, tonnes, price)
    bought = []
    for firm, tonnes in wanted:
        for instrument, part in _taken(market, firm.account, list(owners), tonnes, price):
            bought.append(Bought(firm, owners[instrument], instrument, part))
    market.close_day()
    _moved(ccer, bought)
    programme.tonnes += sum(each.tonnes for each in bought)
    return bought


def _held(ccer: CcerRegistry, owner: str) -> dict[str, int]:
    """Return instrument -> tonnes of an owner."""
    found: dict[str, int] = {}
    for lot in ccer.accounts.lots(owner):
        tonnes = lot["serial_last"] - lot["serial_first"] + 1
        found[lot["instrument"]] = found.get(lot["instrument"], 0) + tonnes
    return found


def _offered(market: Market, owner: str, instrument: str, tonnes: int, price: str) -> None:
    for number, first in enumerate(range(0, tonnes, ORDER_TONNES_MOST)):
        part = min(ORDER_TONNES_MOST, tonnes - first)
        name = f"{instrument}-{number}"
        market.enter(owner, instrument, Side.SELL, price=price, tonnes=part, order_id=name)


def _taken(
    market: Market, account: str, instruments: Sequence[str], tonnes: int, price: str
) -> Iterator[tuple[str, int]]:
    """Take one instrument after the other until enough is bought; yield each with its tonnes."""
    for instrument in instruments:
        if tonnes == 0:
            return
        asked = min(tonnes, ORDER_TONNES_MOST)
        events = market.enter(
            *(account, instrument, Side.BUY),
            price=price,
            tonnes=asked,
            order_id=instrument,
            tif=Tif.IOC,
        )
        made = sum(event["tonnes"] for event in events if event["event"] == "trade")
        if made:
            yield instrument, made
        tonnes -= made


def _moved(ccer: CcerRegistry, bought: Sequence[Bought]) -> None:
    known = {account for (account,) in ccer.store.execute("SELECT account FROM accounts")}
    with ccer.transaction():
        for each in bought:
            account = each.firm.account
            if account not in known:
                ccer.accounts.open(account, "entity", province=each.firm.province)
                known.add(account)
            ccer.transfers.transfer(
                *("transfer", each.owner, account, each.instrument, each.tonnes),
                document="day's trades of the voluntary market",
            )


def offset(ccer: CcerRegistry, registry: Registry, bought: Sequence[Bought], year: int) -> None:
    """Cancel what was bought, and let the allowance registry count the proofs."""
    with ccer.transaction():
        for each in bought:
            number = ccer.cancellations.apply(
                *(each.firm.account, each.instrument, each.tonnes),
                purpose=PURPOSE,
                beneficiary=each.firm.account,
                compliance_year=year,
            )
            ccer.cancellations.approve(number)
    ccer_talk(ccer, registry)
    with registry.transaction():
        for proof in registry.ccer_proofs.listed("confirmed"):
            registry.ccer_proofs.book(proof["proof"])
    ccer_talk(ccer, registry)
    for each in bought:
        each.firm.owed -= each.tonnes


def ccer_talk(ccer: CcerRegistry, registry: Registry) -> None:
    """Let both registries say to each other what is new of proofs."""
    turns = CcerTurns(registry.ccer_proofs)
    while turns.take(msgspec.msgpack.encode(ccer.link.answer(turns.question()))):
        pass
