"""The registry's database: its tables are in ``schema/``, beside those of every institution."""

from importlib.resources import files

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.ledger.database.tables import FirstRows, ForeignKey, Reference, Schema
from cea_exchange.ledger.double_entry import CASH_ASSET
from cea_exchange.ledger.institutions import (
    INSTITUTION_NAMES,
    province_account,
    province_account_name,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.participants.roles import ROLES

SCHEMA_VERSION = 14

_ACCOUNTS, _PRODUCTS = ("accounts", "account_index"), ("products", "product_index")
UNDECLARED = (
    *(
        Reference(ForeignKey("trades", column, *parent))
        for column, parent in (
            ("buyer_index", _ACCOUNTS),
            ("seller_index", _ACCOUNTS),
            ("product_index", _PRODUCTS),
        )
    ),
    *(
        Reference(ForeignKey(table, "asset_index", *_PRODUCTS), f"asset_index = {CASH_ASSET}")
        for table in ("postponed", "transfers", "claims", "defaults", "freezes")
    ),
    Reference(
        ForeignKey("deductions_taken", "distribution_id", "distributions", "distribution_id"),
        "distribution_id = 0",
    ),
    Reference(ForeignKey("default_acts", "entry_id", "entries", "entry_id"), "entry_id = 0"),
    Reference(
        ForeignKey("bank_instructions", "batch_id", "bank_batches", "batch_id"), "batch_id = ''"
    ),
    # A transaction's link is written last, after the day whose receipts it carries.
    Reference(ForeignKey("statement_days", "link_id", "chain", "link_id")),
)


def first_rows() -> FirstRows:
    """Return the rows of a new registry: the accounts of nobody."""
    yield (
        "meta (id, schema_version, log_id, last_seq, confirmed_date, state)",
        [(1, SCHEMA_VERSION, None, 0, 0, "ok")],
    )
    yield (
        "accounts (account_index, account, account_group, kind, entity, credit_code, province,"
        " state, at_risk, bank, bank_account, sector)",
        institution_rows(),
    )


def institution_rows() -> list[tuple[object, ...]]:
    """Return the rows in `accounts` of institutions and provinces."""
    rows: list[tuple[object, ...]] = [
        (int(index), name, "", "institution", name, None, 0, "open", 0, "", "", "")
        for index, name in INSTITUTION_NAMES.items()
    ]
    for code in PROVINCES:
        index, name = province_account(code), province_account_name(code)
        rows.append((index, name, "", "province", name, None, code, "open", 0, "", "", ""))
    return rows


REGISTRY_SCHEMA = Schema(
    institution="registry",
    version=SCHEMA_VERSION,
    own=files(__package__).joinpath("schema"),
    roles=ROLES,
    append_only=(
        *("platform_stream", "platform_items", "platform_listings", "platform_given"),
        "platform_completions",
        *("settlement_runs", "look_alikes", "account_changes"),
        *("allocation_previews", "allocation_units", "distributions", "distribution_lines"),
        *("deductions", "deductions_taken", "recalls", "kept_changes", "issue_reversals"),
        *("obligation_files", "obligation_entries", "surrender_lines"),
        *("borrowings", "correction_orders", "correction_refusals"),
        *("unpaid_deductions", "carryover_notices", "carryover_lines"),
        *("freeze_acts", "public_notices", "default_acts", "claims_paid", "ccer_items"),
        *("reserve_terms", "reserve_contributions", "adjustment_accounts", "proceeds"),
        *("offset_shares", "pay_in_reversals", "deductions_withdrawn"),
    ),
    first_rows=first_rows,
    has_entries=True,
    records_table="settlement_runs",
    undeclared=UNDECLARED,
    # A trade that was posted with its record is what the record says.
    logged_where={"trades": "{row}failure <> ''"},
    logged_from_changes_on=frozenset({"trades"}),
)


class RegistryStore(Store):
    """An open database of a registry."""

    schema = REGISTRY_SCHEMA

    def reached(self) -> tuple[str, int]:
        """Return how far settlement is."""
        return "seq", self.last_seq
