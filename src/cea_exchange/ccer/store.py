"""The CCER registry's database: its tables are in ``schema/``, beside those it shares."""

from importlib.resources import files

from cea_exchange.ccer.roles import ROLES
from cea_exchange.ledger.database.tables import FirstRows, ForeignKey, Reference, Schema
from cea_exchange.ledger.institutions import INSTITUTION_NAMES, Institution
from cea_exchange.ledger.store import Store

INSTITUTION = "ccer"
SCHEMA_VERSION = 6
ENDS = (Institution.ISSUANCE, Institution.CANCELLATION)
"""Where CCERs come from, and where they end."""


def first_rows() -> FirstRows:
    """Return the rows of a new CCER registry: the accounts of nobody."""
    yield (
        "meta (id, institution, schema_version, log_id, last_seq, confirmed_date, state)",
        [(1, INSTITUTION, SCHEMA_VERSION, None, 0, 0, "ok")],
    )
    yield (
        "accounts (account_index, account, kind, entity, credit_code, province, holder, state,"
        " opened_on)",
        [
            (int(index), name, "institution", name, None, 0, "registry", "open", 0)
            for index, name in INSTITUTION_NAMES.items()
            if index in ENDS
        ],
    )


CCER_SCHEMA = Schema(
    institution=INSTITUTION,
    version=SCHEMA_VERSION,
    own=files(__package__).joinpath("schema"),
    roles=ROLES,
    append_only=(
        *("look_alikes", "account_changes", "products"),
        *("project_steps", "batch_tonnes", "batch_steps", "issues"),
        *("lot_moves", "lot_transfers", "cancellation_lots", "certificates"),
        *("proof_stream", "proof_claims", "freeze_acts", "reversals"),
        *("feed", "listings", "settlement_runs", "trades", "busts", "day_closes"),
    ),
    first_rows=first_rows,
    has_entries=True,
    records_table="settlement_runs",
    undeclared=(
        # A project's table comes after that of its instruments, whose accounts it names.
        Reference(ForeignKey("products", "project_id", "projects", "project_id")),
        Reference(ForeignKey("lot_moves", "parent_id", "lot_moves", "move_id"), "parent_id = 0"),
        *(
            Reference(ForeignKey(table, "entry_id", "entries", "entry_id"), "entry_id = 0")
            for table in ("market_transfers", "deliveries")
        ),
    ),
)


class CcerStore(Store):
    """An open database of a CCER registry."""

    schema = CCER_SCHEMA

    def reached(self) -> tuple[str, int]:
        """Return how far settlement is."""
        return "seq", self.last_seq
