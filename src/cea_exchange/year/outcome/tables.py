"""The tables of a year, read from the systems' own databases, as CSV and Parquet.

A table's rows have an order of their own, and no column says when or where it was written: the same
year gives the same bytes.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.documents.bulletin_forms import bulletins_csv, bulletins_parquet
from cea_exchange.domain.records import Method
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.platform.store import PlatformStore
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.institutions.systems import ExchangeCash

FOLDER = "tables"
BULLETINS = "bulletins"
GROUP_ROWS = 65_536


class Table(NamedTuple):
    """A table's name, columns, and the query that its rows come from."""

    name: str
    columns: tuple[str, ...]
    query: str


_OF_PLATFORM = (
    Table(
        "units",
        ("enterprise", "unit", "sector", "province", "facts", "verified_tonnes"),
        "SELECT enterprise, unit, sector, province, facts, coalesce(("
        "  SELECT json_extract(unit_emissions, '$.\"' || unit || '\"') FROM verified_results"
        "  WHERE verified_results.enterprise_id = enterprises.enterprise_id"
        "  ORDER BY version DESC LIMIT 1), '')"
        " FROM units JOIN unit_facts ON unit_facts.unit_id = units.unit_id"
        " JOIN enterprises ON enterprises.enterprise_id = unit_facts.enterprise_id"
        " ORDER BY unit",
    ),
    Table(
        "filings",
        (
            *("enterprise", "unit", "kind", "period", "version", "tonnes"),
            *("due_on", "entered_on", "state"),
        ),
        "SELECT enterprise, coalesce(unit, ''), filings.kind, filings.period, version, emission,"
        " due_on, entered_on, state FROM filings"
        " JOIN enterprises ON enterprises.enterprise_id = filings.enterprise_id"
        " JOIN documents ON documents.filing_id = filings.filing_id"
        " LEFT JOIN units ON units.unit_id = filings.unit_id"
        " ORDER BY enterprise, filings.kind, unit, filings.period",
    ),
    Table(
        "allocations",
        (
            *("enterprise", "province", "compliance_year", "stage", "verified_tonnes"),
            *("tonnes", "due_tonnes", "distributed_on"),
        ),
        "SELECT enterprise, allocations.province, compliance_year, stage, emissions,"
        " allocation_lines.tonnes, duty, distributed_on FROM allocation_lines"
        " JOIN allocations ON allocations.allocation_id = allocation_lines.allocation_id"
        " JOIN enterprises ON enterprises.enterprise_id = allocation_lines.enterprise_id"
        " ORDER BY enterprise, allocations.allocation_id",
    ),
    Table(
        "fines",
        (
            *("case_id", "enterprise", "province", "compliance_year", "short_tonnes"),
            *("fine_fen", "paid_fen", "state"),
        ),
        "SELECT case_id, enterprise, cases.province, compliance_year, shortfall, fine_fen,"
        " paid_fen, state FROM cases"
        " JOIN enterprises ON enterprises.enterprise_id = cases.enterprise_id ORDER BY case_id",
    ),
)
_NAMES = " ".join(
    (
        "CASE compartment",
        *(f"WHEN {int(each)} THEN '{each.name.lower()}'" for each in Compartment),
        "END",
    )
)
_METHODS = " ".join(
    ("CASE method", *(f"WHEN {int(each)} THEN '{each.name.lower()}'" for each in Method), "END")
)
_OF_REGISTRY = (
    Table(
        "entities",
        (
            *("account", "entity", "credit_code", "sector", "province", "account_group"),
            *("due_tonnes", "surrendered_tonnes", "offset_tonnes"),
        ),
        "SELECT account, entity, credit_code, sector, province, account_group,"
        " coalesce((SELECT sum(due_tonnes) FROM obligations"
        "  WHERE obligations.account_index = accounts.account_index), 0),"
        " coalesce((SELECT sum(tonnes) FROM surrenders JOIN surrender_lines"
        "  ON surrender_lines.surrender_id = surrenders.surrender_id"
        "  WHERE surrenders.account_index = accounts.account_index AND state = 'retired'), 0),"
        " coalesce((SELECT sum(tonnes) FROM offset_proofs"
        "  WHERE offset_proofs.account_index = accounts.account_index AND revoked_on = 0), 0)"
        " FROM accounts WHERE account_index >= 0 ORDER BY account",
    ),
    Table(
        "trades",
        (
            *("trade_id", "trading_date", "method", "buyer", "seller"),
            *("product", "price_fen", "tonnes", "cash_fen", "state"),
        ),
        f"SELECT trade_id, trading_date, {_METHODS}, buyer.account,"
        " seller.account, product, price, tonnes, cash, trades.state FROM trades"
        " JOIN accounts AS buyer ON buyer.account_index = buyer_index"
        " JOIN accounts AS seller ON seller.account_index = seller_index"
        " JOIN products ON products.product_index = trades.product_index"
        " ORDER BY settlement_seq",
    ),
    Table(
        "balances",
        ("account", "asset", "compartment", "amount"),
        f"SELECT account, CASE asset_index WHEN {CASH_ASSET} THEN 'cash_fen' ELSE product END,"
        f" {_NAMES}, amount FROM balances"
        " JOIN accounts ON accounts.account_index = balances.account_index"
        " LEFT JOIN products ON product_index = asset_index"
        " WHERE amount <> 0 ORDER BY account, 2, 3",
    ),
    Table(
        "surrender",
        (
            *("surrender_id", "account", "compliance_year", "product", "tonnes"),
            *("applied_on", "retired_on", "state"),
        ),
        "SELECT surrenders.surrender_id, account, compliance_year, product, tonnes, applied_on,"
        " retired_on, surrenders.state FROM surrenders"
        " JOIN surrender_lines ON surrender_lines.surrender_id = surrenders.surrender_id"
        " JOIN products ON products.product_index = asset_index"
        " JOIN accounts ON accounts.account_index = surrenders.account_index"
        " ORDER BY surrenders.surrender_id, product",
    ),
)


_AFTER = (
    Table(
        "carryover",
        ("account", "net_sales", "limit_tonnes", "refusal", "product", "tonnes", "state"),
        "SELECT account, net_sales, limit_tonnes, refusal, coalesce(product, ''),"
        " coalesce(tonnes, 0), coalesce(carryovers.state, '') FROM carryover_notices AS notice"
        " JOIN accounts ON accounts.account_index = notice.account_index"
        " LEFT JOIN carryovers ON carryovers.account_index = notice.account_index"
        " LEFT JOIN carryover_lines ON carryover_lines.carryover_id = carryovers.carryover_id"
        " LEFT JOIN products ON product_index = asset_index ORDER BY account, product",
    ),
    Table(
        "offsets",
        ("proof", "account", "compliance_year", "project", "serial_first", "serial_last", "tonnes"),
        "SELECT proof, account, compliance_year, project, serial_first, serial_last, tonnes"
        " FROM offset_proofs"
        " JOIN accounts ON accounts.account_index = offset_proofs.account_index"
        " WHERE revoked_on = 0 ORDER BY project, serial_first",
    ),
)


_OF_CCER = (
    Table(
        "ccer_trades",
        (
            *("trade_id", "trading_date", "method", "buyer", "seller", "instrument"),
            *("price_fen", "tonnes", "cash_fen", "buy_fee_fen", "sell_fee_fen", "state"),
        ),
        f"SELECT trade_id, trading_date, {_METHODS}, buyer.account, seller.account, product,"
        " price, trades.tonnes, cash, buy_fee, sell_fee, deliveries.state FROM trades"
        " JOIN deliveries ON deliveries.settlement_seq = trades.settlement_seq"
        " JOIN accounts AS buyer ON buyer.account_index = buyer_index"
        " JOIN accounts AS seller ON seller.account_index = seller_index"
        " JOIN products ON product_index = trades.asset_index ORDER BY trades.settlement_seq",
    ),
    Table(
        "ccer_balances",
        ("account", "instrument", "compartment", "tonnes"),
        f"SELECT account, product, {_NAMES}, amount FROM balances"
        " JOIN accounts ON accounts.account_index = balances.account_index"
        " JOIN products ON product_index = asset_index"
        " WHERE amount <> 0 ORDER BY account, product, compartment",
    ),
)
_CASH = ("market", "holder", "place", "fen")


def tables_written(folder: Path, state: YearState, *, csv_alone: bool = False) -> list[Path]:
    """Write the tables of a year into ``tables/``, and return the files.

    Parquet needs pyarrow; without it there is CSV only.
    """
    out = folder / FOLDER
    out.mkdir(exist_ok=True)
    is_columnar = not csv_alone and has_parquet()
    bulletins = state.bulletins
    written = list(_write_all(folder, out, is_columnar=is_columnar))
    cash = Table("cash", _CASH, "")
    written += _write(out, cash, cash_rows(folder, state.ccer.cash), is_columnar=is_columnar)
    (out / f"{BULLETINS}.csv").write_text(bulletins_csv(bulletins), encoding="utf-8", newline="")
    written.append(out / f"{BULLETINS}.csv")
    if is_columnar:
        (out / f"{BULLETINS}.parquet").write_bytes(bulletins_parquet(bulletins))
        written.append(out / f"{BULLETINS}.parquet")
    return sorted(written)


def cash_rows(folder: Path, ccer: ExchangeCash) -> Iterator[tuple[str, str, str, int]]:
    """Yield what cash there is at the end: market, whose, where, and fen.

    The bank's line of a market is what it took in; the others' sum.
    """
    with RegistryStore.open_reader(folder) as registry:
        rows = registry.all(
            "SELECT CASE WHEN accounts.account_index >= 0 THEN 'participants' ELSE account END,"
            f" {_NAMES}, sum(amount) FROM balances"
            " JOIN accounts ON accounts.account_index = balances.account_index"
            " WHERE asset_index = ? GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1, 2",
            (CASH_ASSET,),
        )
    for holder, place, fen in rows:
        yield "allowances", holder, place, int(fen)
    exchange = (
        ("bank account", "contra", -ccer.booked),
        ("fee account", "trading", ccer.fees),
        ("participants", "trading", sum(ccer.held.values())),
    )
    for holder, place, fen in exchange:
        if fen:
            yield "ccers", holder, place, fen


def has_parquet() -> bool:
    """Tell whether Parquet can be written."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def _write_all(folder: Path, out: Path, *, is_columnar: bool) -> Iterator[Path]:
    stores: tuple[tuple[type[RecordStore], tuple[Table, ...]], ...] = (
        (PlatformStore, _OF_PLATFORM),
        (RegistryStore, (*_OF_REGISTRY, *_AFTER)),
        (CcerStore, _OF_CCER),
    )
    for opened, tables in stores:
        with opened.open_reader(folder) as store:
            for table in tables:
                rows = iter(store.execute(table.query))
                yield from _write(out, table, rows, is_columnar=is_columnar)


def _write(
    out: Path, table: Table, rows: Iterator[tuple[Any, ...]], *, is_columnar: bool
) -> list[Path]:
    """Write a table row group by row group: a nation's trades are never in memory together."""
    paths = [out / f"{table.name}.csv"]
    with ExitStack() as opened:
        file = opened.enter_context(paths[0].open("w", encoding="utf-8", newline=""))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        columnar = None
        if is_columnar:
            paths.append(out / f"{table.name}.parquet")
            columnar = opened.enter_context(_Columnar(paths[1], table.columns))
        while True:
            group = list(islice(rows, GROUP_ROWS))
            writer.writerows(group)
            if columnar is not None and (group or columnar.is_empty):
                columnar.write(group)
            if len(group) < GROUP_ROWS:
                return paths


class _Columnar(AbstractContextManager["_Columnar"]):
    """A Parquet file whose columns are whole numbers or text, as the first row has them."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, columns
        self._writer: Any = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written yet."""
        return self._writer is None

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write a row group."""
        import pyarrow
        from pyarrow import parquet

        if self._writer is None:
            first = rows[0] if rows else ("",) * len(self._columns)
            kinds = (pyarrow.int64() if type(value) is int else pyarrow.string() for value in first)
            schema = pyarrow.schema([*zip(self._columns, kinds, strict=True)])
            self._writer = parquet.ParquetWriter(self._path, schema)
        schema = self._writer.schema
        columns = zip(*rows, strict=True) if rows else [()] * len(self._columns)
        arrays = [
            pyarrow.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()
