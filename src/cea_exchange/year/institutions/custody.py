"""What is done for firms at the registry in a year: accounts, holdings, transfers, surrenders."""

from collections.abc import Iterable, Mapping, Sequence

from cea_exchange.in_process.exchange import Exchange
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.compliance.obligation_status import standings
from cea_exchange.registry.registry import Registry
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions.filing import works_of
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


def holdings_read(registry: Registry, firms: Sequence[Firm]) -> None:
    """Let each firm know what it has, as the ledger says."""
    balance = registry.store.balance
    products = registry.store.execute("SELECT product, product_index FROM products").fetchall()
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


def duties_read(registry: Registry, firms: Sequence[Firm], year: int) -> None:
    """Let each firm know what it owes, as the registry says; nobody counts on more to come."""
    found = standings(registry.store, registry.ledger.rules, year)
    for firm in firms:
        firm.owed, firm.coming = found[firm.index].due if firm.index in found else 0, 0


def brought(exchange: Exchange, firms: Iterable[Firm], cash: Mapping[int, int]) -> None:
    """Bring cash that was paid in, and all registered allowances, to the venue.

    Parameters
    ----------
    cash
        Index of an account -> fen.
    """
    registry = exchange.registry
    with registry.transaction():
        for firm in firms:
            fen = cash.get(firm.index, 0)
            if fen:
                registry.transfer_in(firm.account, None, fen)
            for product, tonnes in firm.registered.items():
                registry.transfer_in(firm.account, product, tonnes)
        exchange.feed()


# -- surrender -------------------------------------------------------------------------------------


def surrendered(
    exchange: Exchange, firms: Sequence[Firm], year: int, products: Sequence[str]
) -> None:
    """Let firms surrender what they owe, or what of it they have; the oldest products go first.

    Each applies, its province accepts, and the authority retires.
    """
    registry = exchange.registry
    with registry.transaction():
        given = [_given(firm, products) for firm in firms]
        for firm, tonnes in zip(firms, given, strict=True):
            for product, wanted in tonnes.items():
                leaving = wanted - firm.registered.get(product, 0)
                if leaving > 0:
                    registry.transfer_out(firm.account, product, leaving)
        exchange.feed()
        for firm, tonnes in zip(firms, given, strict=True):
            if tonnes:
                number = registry.surrender.apply(firm.account, year, tonnes)
                registry.surrender.accept(number, firm.province)
                registry.surrender.retire(number)
                firm.owed -= sum(tonnes.values())


def _given(firm: Firm, products: Sequence[str]) -> dict[str, int]:
    tonnes, missing = {}, firm.owed
    for product in products:
        part = min(missing, firm.registered.get(product, 0) + firm.at_venue.get(product, 0))
        if part:
            tonnes[product] = part
            missing -= part
    return tonnes
