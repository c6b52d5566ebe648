"""The registry's database: its tables are in ``schema/``, beside those of every institution."""

from importlib.resources import files

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.ledger.database.tables import FirstRows, Schema
from cea_exchange.ledger.institutions import (
    INSTITUTION_NAMES,
    province_account,
    province_account_name,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.participants.roles import ROLES

SCHEMA_VERSION = 8


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
    ),
    first_rows=first_rows,
    has_entries=True,
    records_table="settlement_runs",
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
