"""Entities of some provinces, allocation files for them, and all that a registry's tables say."""

from datetime import UTC, datetime

from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding
from cea_exchange.ledger.institutions import province_account
from cea_exchange.registry.files import ALLOCATION, Allocation, SourceFile, table_bytes
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore

ENTITIES = {"P0001": 11, "P0002": 11, "P0003": 31}
TABLES = (
    *("entries", "postings", "balances", "allocation_previews", "distributions"),
    *("distribution_lines", "deductions", "deductions_taken", "recalls", "kept_changes"),
)
NOON_2026_03_02 = int(datetime(2026, 3, 2, 4, tzinfo=UTC).timestamp()) * 10**9


def registry_open(data, database_address, clock_ns=lambda: NOON_2026_03_02):
    return Registry(RegistryStore.open(data, database_address), clock_ns, admission="open")


def entities_open(registry, entities, products=("CEA24",), issued=10_000_000):
    """Open accounts, and issue some of each product to the authority."""
    with registry.transaction():
        for product in products:
            registry.product_declare(product, 9749)
            if issued:
                registry.distribution.issue(product, issued)
        for account, province in entities.items():
            registry.accounts.open(account, province=province)


def allocation_file(stage, tonnes, *, entities=None, year=2024, product=None, at_risk=()):
    """Return a file that gives each account of `tonnes` so much."""
    entities = entities or ENTITIES
    rows = [
        Allocation(
            compliance_year=year,
            product=product or f"CEA{year % 100}",
            stage=stage,
            province=entities[account],
            account=account,
            tonnes=amount,
            at_risk=account in at_risk,
        )
        for account, amount in tonnes.items()
    ]
    return SourceFile(f"{year}-{stage}.csv", table_bytes(ALLOCATION, rows, ".csv"))


def distributed(registry, stage, tonnes, **terms):
    """Preview a file and distribute it; return the lines by account."""
    preview = registry.distribution.preview(allocation_file(stage, tonnes, **terms))
    done = registry.distribution.distribute(preview.preview_id)
    return {line.account: line for line in done.plan.lines}


def registered(registry, account, product="CEA24"):
    """Return what an entity, or a province by its code, has in its registration account."""
    known = isinstance(account, int)
    index = province_account(account) if known else registry.account(account)
    return registry.store.balance(Holding(index, registry.asset(product), Compartment.REGISTRATION))


def sent(registry, account, tonnes, product="CEA24"):
    """Let allowances leave the registration account for the venue, where they may be sold."""
    registry.transfer_in(account, product, tonnes)


def bought(registry, account, tonnes, product="CEA24"):
    """Let an account have allowances that no distribution gave it."""
    registry.issue(account, product, tonnes)


def tables(registry):
    """Return every row there is about distribution, and every entry and balance."""
    return {
        table: sorted(map(tuple, registry.store.execute(f"SELECT * FROM {table}").fetchall()))
        for table in TABLES
    }


def ways(registry, reference):
    """Return what an act moved: (kind, from, to, tonnes) in order."""
    rows = registry.store.execute(
        "SELECT entries.kind, a.account, b.account, amount FROM entries"
        " JOIN accounts a ON a.account_index = entries.account_index"
        " JOIN accounts b ON b.account_index = entries.counter_index"
        " WHERE reference = ? ORDER BY entry_id",
        (reference,),
    )
    return [(EntryKind(kind).name.lower(), *rest) for kind, *rest in rows.fetchall()]
