"""The voluntary market's side of a year: projects, their batches, a market for them, offsets.

January   designs published       --20 working days--> registered, batches published
then      --20 working days--> verified, issued to their owners
autumn    monthly a day's market: owners sell, entities buy, cancel, and offset what they owe
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from typing import Literal, NamedTuple

from msgspec import Struct

from cea_exchange.ccer.control.requests.accounts import AccountOpen, HoldingList
from cea_exchange.ccer.control.requests.batches import (
    BatchApply,
    BatchIssue,
    BatchPublish,
    BatchVerificationBegin,
    BatchVerify,
)
from cea_exchange.ccer.control.requests.cancellations import (
    CancellationApply,
    CancellationApprove,
)
from cea_exchange.ccer.control.requests.lots import TransferMake
from cea_exchange.ccer.control.requests.projects import (
    ProjectApply,
    ProjectDraft,
    ProjectPublish,
    ProjectRegister,
    ProjectValidate,
    ProjectValidationBegin,
)
from cea_exchange.ccer.control.requests.vvbs import LicenceGrant
from cea_exchange.ccer.roles import account_body
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.records import Side, Tif
from cea_exchange.domain.units import cash_format, price_format
from cea_exchange.matching.market import Market
from cea_exchange.registry.control.requests.compliance.offset import OffsetConfirm
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.systems import OPERATOR as REGISTRY
from cea_exchange.year.institutions.systems import Actor, Systems

FIRST_YEAR = 2024
"""In which the voluntary market began again: before it there are no CCERs of its registry."""
PROJECTS = ("WIND-1", "WIND-2", "WIND-3", "WIND-4")
METHODOLOGY = "CCER-01-002"
VALIDATOR, VERIFIER = "CQC", "CCSC"
YEARS_BEFORE = 3
"""Whose reductions a batch has: of so many years before."""
BATCH = 1
TONNES_EACH = 1_750
"""A year's reductions of a project, for each enterprise of the nation: some 0.2% of what is due."""
DOCUMENT = "ab" * 32
PRICE = 7_076
"""Fen: the first base price, and the mean of 2025."""
PURPOSE: Literal["national_ets"] = "national_ets"
ORDER_TONNES_MOST = 99_999
"""Of a listed order: a block's tonnes are no listed order's."""
OPERATOR = Actor("operator", "ccer")


class Programme(Struct, kw_only=True):
    """How far the programme is.

    Attributes
    ----------
    step
        Of `programme_step`: how many were taken.
    public_until
        Day (yyyymmdd) until which what was published is before the public.
    base_price
        Fen, of the market.
    """

    step: int = 0
    public_until: int = 0
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


def programme_step(systems: Systems, programme: Programme, day: date, entities: int) -> None:
    """Take the next step of all projects, if its day has come."""
    tonnes = entities * TONNES_EACH // len(PROJECTS)
    if programme.step > 2 or date_number(day) <= programme.public_until:
        return
    with systems.together("ccer"):
        if programme.step == 0:
            programme.public_until = _designs_published(systems)
        elif programme.step == 1:
            programme.public_until = _registered(systems, day.year, tonnes)
        else:
            _issued(systems, day.year, tonnes)
    programme.step += 1


def _designs_published(systems: Systems) -> int:
    """Publish all designs; return until when they are before the public."""
    ask, until = partial(systems.ask, "ccer"), 0
    for vvb in (VALIDATOR, VERIFIER):
        ask(OPERATOR, AccountOpen(account=vvb, kind="vvb"))
        ask(OPERATOR, LicenceGrant(vvb=vvb, sector=1, from_date=2024_01_22, document="notice 1"))
    for project in PROJECTS:
        owner = _representative(owner_of(project))
        ask(OPERATOR, AccountOpen(account=owner_of(project), kind="owner"))
        ask(
            owner,
            ProjectDraft(
                project=project,
                owner=owner_of(project),
                title="Offshore wind",
                methodology=METHODOLOGY,
                started_on=2020_03_01,
                crediting_from=2020_09_23,
                crediting_to=2030_09_22,
            ),
        )
        published = ProjectPublish(project=project, validator=VALIDATOR, document=DOCUMENT)
        until = ask(owner, published)["until"]
    return until


def _registered(systems: Systems, year: int, tonnes: int) -> int:
    """Register all projects, and publish their batches; return until when."""
    ask, vvb, until = partial(systems.ask, "ccer"), _representative(VALIDATOR), 0
    for project in PROJECTS:
        owner = _representative(owner_of(project))
        ask(vvb, ProjectValidationBegin(project=project))
        ask(vvb, ProjectValidate(project=project, document=DOCUMENT))
        ask(owner, ProjectApply(project=project, document=DOCUMENT))
        ask(OPERATOR, ProjectRegister(project=project))
        published = BatchPublish(
            project=project,
            verifier=VERIFIER,
            tonnes=_tonnes(year, tonnes),
            produced_from=10_000 * (year - YEARS_BEFORE) + 101,
            produced_to=10_000 * (year - 1) + 1231,
            document=DOCUMENT,
        )
        until = ask(owner, published)["until"]
    return until


def _issued(systems: Systems, year: int, tonnes: int) -> None:
    ask, vvb = partial(systems.ask, "ccer"), _representative(VERIFIER)
    for project in PROJECTS:
        owner = _representative(owner_of(project))
        ask(vvb, BatchVerificationBegin(project=project, batch_number=BATCH))
        ask(
            vvb,
            BatchVerify(
                project=project,
                batch_number=BATCH,
                tonnes=_tonnes(year, tonnes),
                document=DOCUMENT,
            ),
        )
        ask(owner, BatchApply(project=project, batch_number=BATCH, document=DOCUMENT))
        ask(OPERATOR, BatchIssue(project=project, batch_number=BATCH))


def _tonnes(year: int, tonnes: int) -> dict[str, int]:
    return {str(each): tonnes for each in range(year - YEARS_BEFORE, year)}


def _representative(account: str) -> Actor:
    return Actor("initiator", account_body(account))


# -- the market, and what becomes of what was bought -----------------------------------------------


def market_day(
    systems: Systems, programme: Programme, day: date, wanted: Sequence[tuple[Firm, int]]
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
        for instrument, tonnes in _held(systems, owner).items()
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
    _moved(systems, bought)
    programme.tonnes += sum(each.tonnes for each in bought)
    return bought


def _held(systems: Systems, owner: str) -> dict[str, int]:
    """Return instrument -> tonnes of an owner."""
    found: dict[str, int] = {}
    # Its owner sells from the beginning of each: what is left of it is one lot.
    for lot in systems.ask("ccer", OPERATOR, HoldingList(account=owner))["lots"]:
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


def _moved(systems: Systems, bought: Sequence[Bought]) -> None:
    with systems.ccer_read() as ccer:
        known = {*ccer.column("SELECT account FROM accounts")}
    with systems.together("ccer"):
        for each in bought:
            account = each.firm.account
            if account not in known:
                opened = AccountOpen(account=account, kind="entity", province=each.firm.province)
                systems.ask("ccer", OPERATOR, opened)
                known.add(account)
            moved = TransferMake(
                account=each.owner,
                to=account,
                instrument=each.instrument,
                document="day's trades of the voluntary market",
                tonnes=each.tonnes,
            )
            systems.ask("ccer", _representative(each.owner), moved)


def offset(systems: Systems, bought: Sequence[Bought], year: int) -> None:
    """Cancel what was bought, and let the allowance registry count the proofs."""
    if not bought:
        return
    with systems.together("ccer"):
        for each in bought:
            applied = CancellationApply(
                account=each.firm.account,
                instrument=each.instrument,
                purpose=PURPOSE,
                tonnes=each.tonnes,
                beneficiary=each.firm.account,
                compliance_year=year,
            )
            answer = systems.ask("ccer", _representative(each.firm.account), applied)
            approved = CancellationApprove(cancellation_id=answer["cancellation_id"])
            systems.ask("ccer", OPERATOR, approved)
    systems.proofs_talk()
    with systems.registry_read() as registry:
        proofs = registry.column(
            "SELECT proof FROM ccer_proofs WHERE state = 'confirmed' ORDER BY proof_seq"
        )
    with systems.together("registry"):
        for proof in proofs:
            systems.ask("registry", REGISTRY, OffsetConfirm(proof=proof))
    systems.proofs_talk()
    for each in bought:
        each.firm.owed -= each.tonnes
