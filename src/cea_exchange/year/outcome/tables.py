"""The tables of a year, read from the systems' own databases, as CSV and Parquet.

A table's rows have an order of their own, and no column says when or where it was written: the same
year gives the same bytes.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.documents.bulletin_forms import bulletins_csv, bulletins_parquet
from cea_exchange.domain.records import Method
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.platform.store import PlatformStore
from cea_exchange.registry.store import RegistryStore

FOLDER = "tables"
BULLETINS = "bulletins"


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


def tables_written(folder: Path, bulletins: Sequence[Bulletin]) -> list[Path]:
    """Write the tables of a year into ``tables/``, and return the files.

    Parquet needs pyarrow; without it there is CSV only.
    """
    out = folder / FOLDER
    out.mkdir(exist_ok=True)
    written: list[Path] = []
    for table, rows in _read(folder):
        written += _write(out, table, rows)
    (out / f"{BULLETINS}.csv").write_text(bulletins_csv(bulletins), encoding="utf-8", newline="")
    written.append(out / f"{BULLETINS}.csv")
    if has_parquet():
        (out / f"{BULLETINS}.parquet").write_bytes(bulletins_parquet(bulletins))
        written.append(out / f"{BULLETINS}.parquet")
    return sorted(written)


def has_parquet() -> bool:
    """Tell whether Parquet can be written."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return False
    return True


def _read(folder: Path) -> Iterator[tuple[Table, list[tuple[Any, ...]]]]:
    stores: tuple[tuple[type[RecordStore], tuple[Table, ...]], ...] = (
        (PlatformStore, _OF_PLATFORM),
        (RegistryStore, (*_OF_REGISTRY, *_AFTER)),
    )
    for opened, tables in stores:
        with opened.open_reader(folder) as store:
            for table in tables:
                yield table, store.execute(table.query).fetchall()


def _write(out: Path, table: Table, rows: list[tuple[Any, ...]]) -> Iterator[Path]:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(rows)
    path = out / f"{table.name}.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    yield path
    if has_parquet():
        import pyarrow
        from pyarrow import parquet

        columns = zip(*rows, strict=True) if rows else [()] * len(table.columns)
        arrays = {
            name: pyarrow.array(list(values)) if rows else pyarrow.array([], pyarrow.null())
            for name, values in zip(table.columns, columns, strict=True)
        }
        path = out / f"{table.name}.parquet"
        parquet.write_table(pyarrow.table(arrays), path)
        yield path
