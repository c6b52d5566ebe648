"""Computes by the rules of its year how much an obligation is, and what a deduction takes.

What was surrendered, offset and carried over is compared by the queries of `audit`.
"""

from collections.abc import Iterator

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.ledger.store import Store


def obligation_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each obligation, and each deduction for one, that breaks a rule."""
    rules = ComplianceRules.load()
    yield from _owed_differs(store, rules)
    yield from _deductions_unordered(store, rules)


def _owed_differs(store: Store, rules: ComplianceRules) -> Iterator[str]:
    rows = store.all(
        "SELECT account_index, compliance_year, verified_tonnes, due_tonnes - succeeded_tonnes"
        " FROM obligations"
        " ORDER BY compliance_year, account_index"
    )
    for index, year, verified, due in rows:
        refusal = rules.obligations.refusal(year, verified, due)
        if refusal is not None:
            yield f"{store.account_name(index)}, year {year}: what is owed: {refusal}"


def _deductions_unordered(store: Store, rules: ComplianceRules) -> Iterator[str]:
    """What is deducted for a shortfall was ordered to be corrected before, as its year's law asks.

    Rules: CEA-PEN-04, CEA-PEN-05.
    """
    rows = store.all(
        "SELECT d.decision_id, d.compliance_year, d.account_index, d.decided_on, o.until_date,"
        " r.recorded_on FROM unpaid_deductions d"
        " LEFT JOIN correction_orders o ON o.compliance_year = d.compliance_year"
        " AND o.account_index = d.account_index"
        " LEFT JOIN correction_refusals r ON r.order_id = o.order_id ORDER BY d.decision_id"
    )
    for number, year, account, decided_on, until, refused_on in rows:
        asks_refusal = any(
            law.after == "refusal" and law.first_year <= year <= law.last_year
            for law in rules.penalties.deduction
        )
        is_ordered = until is not None and until < decided_on
        if not is_ordered or (asks_refusal and not (refused_on and refused_on <= decided_on)):
            yield (
                f"{store.account_name(account)}, year {year}: deduction {number}: expected an"
                " order to correct before it, and the refusal its law asks for"
            )
