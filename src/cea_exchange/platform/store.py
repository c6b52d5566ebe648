"""The platform's database: its tables are in ``schema/``, beside those of every institution."""

from collections.abc import Iterator
from importlib.resources import files
from secrets import token_hex

from cea_exchange.ledger.database.tables import FirstRows, ForeignKey, Reference, Schema
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.platform.roles import ROLES

SCHEMA_VERSION = 4


def first_rows() -> FirstRows:
    """Return the rows of a new platform."""
    # Unlike any other platform's: its stream's numbers mean its acts alone.
    row = (1, "platform", SCHEMA_VERSION, token_hex(16))
    yield "meta (id, institution, schema_version, link_log_id)", [row]


def _none_is_zero(parent: str, parent_column: str, *columns: str) -> Iterator[Reference]:
    for column in columns:
        table, name = column.split(".")
        yield Reference(ForeignKey(table, name, parent, parent_column), f"{name} = 0")


PLATFORM_SCHEMA = Schema(
    institution="platform",
    version=SCHEMA_VERSION,
    own=files(__package__).joinpath("schema"),
    roles=ROLES,
    append_only=(
        *("look_alikes", "enterprise_facts", "units", "unit_facts", "successions"),
        *("complex_members", "account_parts", "inspections", "irregularities"),
        *("list_changes", "list_publications"),
        *("evidence", "evidence_pages", "filings", "filing_steps"),
        *("reminders", "messages", "message_reads"),
        *("engagements", "engagement_withdrawals", "firm_ties", "firm_tie_ends"),
        *( "conclusions", "verified_results", "verifier_scores"),
        *("balance_values", "cap_factors", "allocation_totals", "allocation_lines"),
        "allocation_left_out",
        *("allocation_recalls", "link_resends", "link_allocations", "completions"),
        *("link_items", "link_verdicts", "obligations", "registry_days"),
        *("case_steps", "case_decisions", "case_persons", "case_rulings"),
        *("case_parts", "case_payments"),
    ),
    first_rows=first_rows,
    undeclared=(
        *_none_is_zero("enterprises", "enterprise_id", "enterprises.successor_id"),
        *_none_is_zero("enterprises", "enterprise_id", "unit_facts.enterprise_id"),
        *_none_is_zero("units", "unit_id", "filings.unit_id", "documents.unit_id"),
        *_none_is_zero("units", "unit_id", "findings.unit_id", "irregularities.unit_id"),
        *_none_is_zero("filings", "filing_id", "documents.accepted_id"),
        *_none_is_zero("verified_results", "result_id", "obligations.result_id"),
        *_none_is_zero("enterprises", "enterprise_id", "cases.enterprise_id"),
        *_none_is_zero("enterprises", "enterprise_id", "firm_ties.enterprise_id"),
        *_none_is_zero("service_firms", "firm_id", "cases.firm_id", "person_bans.firm_id"),
        *_none_is_zero("case_decisions", "decision_id", "case_steps.decision_id"),
        Reference(ForeignKey("person_bans", "decision_id", "case_decisions", "decision_id")),
        *(
            Reference(ForeignKey("objections", "subject_id", *parent), f"against <> '{against}'")
            for against, parent in (
                ("verification", ("verified_results", "result_id")),
                ("allocation", ("allocations", "allocation_id")),
            )
        ),
    ),
)


class PlatformStore(RecordStore):
    """An open database of the platform."""

    schema = PLATFORM_SCHEMA
