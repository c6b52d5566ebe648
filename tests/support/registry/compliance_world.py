"""A registry whose day the tests set, with entities of provinces, and files they hand in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Method, Side
from cea_exchange.files.writing import table_bytes
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Holding
from cea_exchange.registry.files import (
    CANCELLATION_PROOFS,
    OBLIGATIONS,
    CancellationProof,
    Obligation,
    SourceFile,
)
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.allocation_files import allocation_file
from support.registry.settlement_records import LOG_ID, Venue

BEIJING, SHANGHAI = 11, 31


ORDER = {"order": "E 1", "court": "Wuhan Court"}


class Clock:
    """Noon in Shanghai of a day that tests set."""

    def __init__(self, day: int) -> None:
        self.day = day

    def __call__(self) -> int:
        year, month, day = self.day // 10_000, self.day // 100 % 100, self.day % 100
        return int(datetime(year, month, day, 4, tzinfo=UTC).timestamp()) * 1_000_000_000


class World:
    """A registry in its folder, on a day.

    Parameters
    ----------
    folder, database
        As of `RegistryStore.open`.
    day
        yyyymmdd.
    """

    def __init__(self, folder: Path, database: str | None = None, day: int = 20251101) -> None:
        self.clock = Clock(day)
        self.registry = Registry(RegistryStore.open(folder, database), self.clock, admission="open")
        self._venue = Venue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.registry.close()

    # -- who and what there is ----------------------------------------------------------------

    def products(self, *names: str) -> None:
        for name in names:
            self.registry.product_declare(name, 9_000)

    def entity(self, name: str, province: int = BEIJING, **tonnes: int) -> int:
        """Open an entity's account and issue allowances to it, product by product."""
        index = self.registry.account_open(name)
        with self.registry.transaction():
            self.registry.store.execute(
                "UPDATE accounts SET province = ? WHERE account_index = ?", (province, index)
            )
        for product, amount in tonnes.items():
            self.registry.issue(name, product, amount)
        return index

    def keep(self, name: str, province: int, product: str, tonnes: int) -> None:
        """Let a distribution give an entity at risk allowances, which its province keeps."""
        service = self.registry.distribution
        source = allocation_file(
            "final",
            {name: tonnes},
            entities={name: province},
            year=self.registry.ledger.rules.vintages.of_product(product),
            product=product,
            at_risk=[name],
        )
        service.issue(product, tonnes)
        service.distribute(service.preview(source).preview_id)

    def traded(
        self,
        seller: str,
        buyer: str,
        product: str,
        day: int,
        tonnes: int,
        price: int,
        *,
        frozen: bool = False,
    ):
        """Let an allowance be sold on a day at the venue, from what is not there yet.

        Where a court freezes all the seller has of it in between, the trade fails.
        """
        registry, venue = self.registry, self._venue
        today, self.clock.day = self.clock.day, day
        sold, asset = registry.account(seller), registry.asset(product)
        bought = registry.account(buyer)
        registry.pay_in(buyer, tonnes * price)
        cash_seq = registry.transfer_in(buyer, None, tonnes * price)
        tonnes_seq = registry.transfer_in(seller, product, tonnes)
        done = len(venue.rows)
        venue._row(
            kind=EventKind.DEPOSITED,
            account_index=bought,
            client_order_id=cash_seq,
            cash=tonnes * price,
            trading_date=day,
        )
        venue._row(
            kind=EventKind.DEPOSITED,
            account_index=sold,
            product_index=asset,
            client_order_id=tonnes_seq,
            tonnes=tonnes,
            trading_date=day,
        )
        Settlement(registry.store).apply(LOG_ID, venue.records[done:])
        done = len(venue.rows)
        if frozen:
            registry.enforcement.freeze(seller, product, None, until=20991231, **ORDER)
        venue.trade_id += 1
        venue._row(
            kind=EventKind.TRADE,
            side=Side.BUY,
            method=Method.LISTED,
            trade_id=venue.trade_id,
            account_index=bought,
            counter_account_index=sold,
            product_index=asset,
            price=price,
            tonnes=tonnes,
            cash=price * tonnes,
            trading_date=day,
        )
        Settlement(registry.store).apply(LOG_ID, venue.records[done:])
        self.clock.day = today

    def settled_late(self) -> None:
        """Let the court release what it has frozen, and what failed for it be settled today."""
        for freeze in self.registry.enforcement.freezes():
            if freeze["state"] == "asked":
                self.registry.enforcement.release(freeze["freeze_id"], **ORDER)
        assert self.registry.defaults.retry()

    def come_home(self, account: str) -> None:
        """Let all that an account has at the venue come back to its registration account."""
        registry, venue = self.registry, self._venue
        done, index = len(venue.rows), registry.account(account)
        for asset, where, amount in registry.store.balances.of_account(index):
            if where != Compartment.TRADING:
                continue
            product = None if asset == CASH_ASSET else registry.store.asset_name(asset)
            venue._row(
                kind=EventKind.WITHDRAWN,
                account_index=index,
                product_index=PRODUCT_NONE if product is None else asset,
                client_order_id=registry.transfer_out(account, product, amount),
                trading_date=self.clock.day,
                **{"cash" if product is None else "tonnes": amount},
            )
        Settlement(registry.store).apply(LOG_ID, venue.records[done:])

    def busted(self, day: int) -> None:
        """Let the last trade be undone on a day."""
        done = len(self._venue.rows)
        self._venue.busted(self._venue.trade_id, trading_date=day)
        Settlement(self.registry.store).apply(LOG_ID, self._venue.records[done:])

    # -- files --------------------------------------------------------------------------------

    def owe(self, year: int, *entries: tuple[str, int], why: str = "") -> int:
        """Hand in an obligation file, or with a reason a correction."""
        source = obligation_file(self.registry, year, *entries)
        if why:
            return self.registry.obligations.correct(source, why)
        return self.registry.obligations.take(source)

    def refused(self, account: str, year: int, province: int, until: int) -> None:
        """Let an entity be ordered to correct a shortfall by a day; the day after, it refuses."""
        self.registry.corrections.order(account, year, province, "HB 1", until)
        self.clock.day = until + 1
        self.registry.corrections.refuse(account, year, province, "HB 2")

    # -- what is held -------------------------------------------------------------------------

    def held(self, holder: str | int, product: str, where=Compartment.REGISTRATION) -> int:
        registry = self.registry
        index = registry.account(holder) if isinstance(holder, str) else holder
        return registry.store.balance(Holding(index, registry.asset(product), where))

    def entries(self, reference: str) -> list[tuple[str, int, int, int]]:
        """Return kind, from whom, to whom and tonnes of the entries of an act."""
        rows = self.registry.store.execute(
            "SELECT kind, account_index, counter_index, amount FROM entries WHERE reference = ?"
            " ORDER BY entry_id",
            (reference,),
        )
        return [(EntryKind(kind).name, *ends) for kind, *ends in rows.fetchall()]


def obligation_file(registry: Registry, year: int, *entries: tuple[str, int]) -> SourceFile:
    """Return a file of accounts and the tonnes they owe, which are what they emitted."""
    provinces = dict(registry.store.execute("SELECT account, province FROM accounts").fetchall())
    rows = [
        Obligation(
            compliance_year=year,
            province=provinces[account],
            account=account,
            verified_tonnes=tonnes,
            due_tonnes=tonnes,
        )
        for account, tonnes in entries
    ]
    return SourceFile("obligations.csv", table_bytes(OBLIGATIONS, rows, ".csv"))


def proof(
    number: str, account: str, tonnes: int, *, year: int = 2024, **other: object
) -> CancellationProof:
    """Return a proof that counts, of a project of its own."""
    fields = {
        "project": f"CCER-{number}",
        "serial_first": 1,
        "serial_last": tonnes,
        "registered_on": 20250306,
        "cancelled_on": 20251010,
        "quota_managed": "no",
        "project_started_on": 20200101,
        "applied_on": 20241101,
        "produced_from": 20210101,
        "produced_to": 20231231,
    }
    fields |= other
    return CancellationProof(
        proof=number, compliance_year=year, account=account, tonnes=tonnes, **fields
    )


def proof_file(*proofs: CancellationProof) -> SourceFile:
    """Return a file of proofs."""
    return SourceFile("proofs.csv", table_bytes(CANCELLATION_PROOFS, proofs, ".csv"))
