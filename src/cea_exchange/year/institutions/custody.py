"""What is done for firms at the registry in a year: accounts, holdings, transfers, surrenders."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import partial

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.compliance.obligation_status import standings
from cea_exchange.registry.control.requests.basics import PayIn, TransferIn, TransferOut
from cea_exchange.registry.control.requests.compliance.surrender import (
    SurrenderAccept,
    SurrenderApply,
    SurrenderRetire,
)
from cea_exchange.registry.registry import Registry
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.filing import works_of
from cea_exchange.year.institutions.systems import AUTHORITY, OPERATOR, Systems, province
from cea_exchange.year.nation.members import Member


def accounts_opened(
    registry: Registry, members: Iterable[Member], groups: dict[str, str]
) -> list[Firm]:
    """Open an account for each enterprise; return the firms in the order of their accounts."""
    firms = []
    with registry.transaction():
        for member in members:
            group = groups.get(member.name, "")
            index = registry.accounts.open(
                account_of(member.name),
                group,
                entity=works_of(member.name),
                credit_code=member.credit_code,
                province=member.province,
                sector=member.sector,
            )
            firms.append(
                Firm(
                    account=account_of(member.name),
                    index=index,
                    sector=member.sector,
                    province=member.province,
                    group=group,
                )
            )
    return firms


def account_of(enterprise: str) -> str:
    """Return an enterprise's account."""
    return f"A-{enterprise}"


def opening_held(registry: Registry, product: str, tonnes: dict[str, int]) -> None:
    """Give accounts what they have banked of earlier years: it is the year's beginning."""
    with registry.transaction():
        for account, held in tonnes.items():
            if held:
                registry.issue(account, product, held)


# -- holdings --------------------------------------------------------------------------------------


def holdings_read(systems: Systems, firms: Sequence[Firm]) -> None:
    """Let each firm know what it has, as the ledger says."""
    balance = systems.balances()
    with systems.registry_read() as registry:
        products = registry.all("SELECT product, product_index FROM products")
    for firm in firms:
        index = firm.index
        firm.cash = balance(Holding(index, CASH_ASSET, Compartment.TRADING))
        firm.registered, firm.at_venue = (
            {
                product: tonnes
                for product, asset in products
                if (tonnes := balance(Holding(index, asset, compartment)))
            }
            for compartment in (Compartment.REGISTRATION, Compartment.TRADING)
        )


def duties_read(systems: Systems, firms: Sequence[Firm], year: int) -> None:
    """Let each firm know what it owes, as the registry says; nobody counts on more to come."""
    with systems.registry_read() as registry:
        found = standings(registry, ComplianceRules.load(), year)
    for firm in firms:
        firm.owed, firm.coming = found[firm.index].due if firm.index in found else 0, 0


def paid_in(systems: Systems, firms: Sequence[Firm], day: date, cash: Mapping[int, int]) -> None:
    """Pay cash in (index of an account -> fen): at the bank, where there is one."""
    if not cash:
        return
    if systems.bank is not None:
        systems.bank.paid_in(day, cash)
        return
    with systems.together("registry"):
        for index, fen in cash.items():
            systems.ask("registry", OPERATOR, PayIn(account=firms[index].account, cash=fen))


def brought(systems: Systems, firms: Iterable[Firm], cash: Mapping[int, int]) -> None:
    """Bring cash that was paid in, and all registered allowances, to the venue.

    Parameters
    ----------
    cash
        Index of an account -> fen.
    """
    ask = partial(systems.ask, "registry", OPERATOR)
    with systems.together("registry"):
        for firm in firms:
            fen = cash.get(firm.index, 0)
            if fen:
                ask(TransferIn(account=firm.account, amount=fen))
            for product, tonnes in firm.registered.items():
                ask(TransferIn(account=firm.account, product=product, amount=tonnes))
        systems.feed()


def called_back(systems: Systems, wanted: Iterable[tuple[Firm, Mapping[str, int]]]) -> None:
    """Let firms call back from the venue what they want to have registered and have not."""
    for firm, tonnes in wanted:
        for product, asked in tonnes.items():
            leaving = asked - firm.registered.get(product, 0)
            if leaving > 0:
                leave = TransferOut(account=firm.account, product=product, amount=leaving)
                systems.ask("registry", OPERATOR, leave)
    systems.feed()


# -- surrender -------------------------------------------------------------------------------------


def surrendered(
    systems: Systems, firms: Sequence[Firm], year: int, products: Sequence[str]
) -> None:
    """Let firms surrender what they owe, or what of it they have; the oldest products go first.

    Each applies, its province accepts, and the authority retires.
    """
    ask = partial(systems.ask, "registry")
    with systems.together("registry"):
        given = [(firm, _given(firm, products)) for firm in firms]
        called_back(systems, given)
        for firm, tonnes in given:
            if not tonnes:
                continue
            applied = SurrenderApply(account=firm.account, compliance_year=year, tonnes=tonnes)
            number = ask(OPERATOR, applied)["surrender_id"]
            accepted = SurrenderAccept(province=firm.province, surrender_id=number)
            ask(province(firm.province), accepted)
            ask(AUTHORITY, SurrenderRetire(surrender_id=number))
            firm.owed -= sum(tonnes.values())


def _given(firm: Firm, products: Sequence[str]) -> dict[str, int]:
    tonnes, missing = {}, firm.owed
    for product in products:
        part = min(missing, firm.registered.get(product, 0) + firm.at_venue.get(product, 0))
        if part:
            tonnes[product] = part
            missing -= part
    return tonnes
