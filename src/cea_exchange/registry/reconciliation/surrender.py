"""What was surrendered and carried over is what was posted: the offices' tables against entries."""

from collections import Counter
from collections.abc import Iterator

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.ledger.store import Store
from cea_exchange.registry.compliance.obligation_status import standings

_Way = tuple[int, int, int, int, str]
"""kind, from whom, to whom, asset, reference"""

_AUTHORITY = int(Institution.AUTHORITY)


def surrender_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place where they differ, or where a rule of them is broken."""
    yield from _entries_differ(store)
    yield from _coverage_differs(store)
    yield from _deductions_unordered(store)


def _entries_differ(store: Store) -> Iterator[str]:
    """Each entry of a surrender or carryover has its line, and each line its entries."""
    due = _surrenders_due(store) + _carryovers_due(store)
    kinds = (EntryKind.SURRENDERED, EntryKind.RETIRED, EntryKind.CARRIED_OVER)
    rows = store.execute(
        "SELECT kind, account_index, counter_index, asset_index, reference, sum(amount)"
        " FROM entries WHERE kind IN (?, ?, ?) OR reference LIKE 'surrender %'"
        " OR reference LIKE 'carryover %' GROUP BY 1, 2, 3, 4, 5",
        tuple(map(int, kinds)),
    )
    posted = {tuple(way): amount for *way, amount in rows.fetchall()}
    for way in sorted({*due, *posted}):
        if due[way] != posted.get(way, 0):
            kind, source, target, asset, reference = way
            yield (
                f"{reference or 'no act'}: {EntryKind(kind).name.lower()} from"
                f" {store.account_name(source)} to {store.account_name(target)} must be"
                f" {due[way]} of {store.asset_name(asset)}, is {posted.get(way, 0)}"
            )


def _surrenders_due(store: Store) -> Counter[_Way]:
    """Return the tonnes that surrenders say went each way."""
    due: Counter[_Way] = Counter()
    rows = store.execute(
        "SELECT surrender_id, state, giver_index, province, asset_index, tonnes"
        " FROM surrenders JOIN surrender_lines USING (surrender_id)"
    )
    for number, state, giver, province, asset, tonnes in rows.fetchall():
        reference = f"surrender {number}"
        ways = [(EntryKind.SET_ASIDE, giver, giver)]
        if state in ("withdrawn", "rejected"):
            ways.append((EntryKind.SET_FREE, giver, giver))
        if state in ("accepted", "retired"):
            through = province_account(province)
            ways.append((EntryKind.SURRENDERED, through, _AUTHORITY))
            if giver != through:
                ways.append((EntryKind.SURRENDERED, giver, through))
        if state == "retired":
            ways.append((EntryKind.RETIRED, _AUTHORITY, int(Institution.RETIREMENT)))
        for kind, source, target in ways:
            due[int(kind), source, target, asset, reference] += tonnes
    return due


def _carryovers_due(store: Store) -> Counter[_Way]:
    """Return the tonnes that carryovers say went each way."""
    due: Counter[_Way] = Counter()
    rules = ComplianceRules.load()
    target = store.product_index(
        rules.vintages.product_of(rules.carryover.target_vintage.value)
    )
    rows = store.execute(
        "SELECT carryover_id, state, account_index, asset_index, tonnes"
        " FROM carryovers JOIN carryover_lines USING (carryover_id)"
    )
    for number, state, account, asset, tonnes in rows.fetchall():
        reference = f"carryover {number}"
        due[int(EntryKind.SET_ASIDE), account, account, asset, reference] += tonnes
        if state == "withdrawn":
            due[int(EntryKind.SET_FREE), account, account, asset, reference] += tonnes
        elif state == "exchanged" and target is not None:
            sink, source = int(Institution.CARRYOVER), int(Institution.ISSUANCE)
            due[int(EntryKind.CARRIED_OVER), account, sink, asset, reference] += tonnes
            due[int(EntryKind.ISSUE), source, account, target, reference] += tonnes
    return due


def _coverage_differs(store: Store) -> Iterator[str]:
    """All emitted is owed, no more is covered, CCERs keep to their share, certificates are true."""
    rules = ComplianceRules.load()
    certified = {
        tuple(row)
        for row in store.execute(
            "SELECT compliance_year, account_index FROM certificates WHERE revoked_on = 0"
        ).fetchall()
    }
    years = store.execute("SELECT DISTINCT compliance_year FROM obligation_entries").fetchall()
    for (year,) in sorted(years):
        for index, standing in standings(store, rules, year).items():
            whose = f"{store.account_name(index)}, year {year}"
            cap = rules.offsets.cap(standing.tonnes)
            refusal = rules.obligations.refusal(year, standing.verified, standing.tonnes)
            if refusal is not None:
                yield f"{whose}: what is owed: {refusal}"
            if standing.payable < 0:
                yield f"{whose}: {standing.tonnes} t are owed, {-standing.payable} t more are paid"
            if standing.status.offset > cap:
                yield f"{whose}: CCERs: expected at most {cap} t, got {standing.status.offset}"
            is_complete = standing.due == 0 and not standing.unretired
            if is_complete != ((year, index) in certified):
                yield f"{whose}: a certificate must be in force if all is covered and retired"


def _deductions_unordered(store: Store) -> Iterator[str]:
    """What is deducted for a shortfall was ordered to be corrected before, as its year's law asks.

    Notes
    -----
    Rules: CEA-PEN-04, CEA-PEN-05.
    """
    laws = ComplianceRules.load().penalties
    rows = store.execute(
        "SELECT d.decision_id, d.compliance_year, d.account_index, d.decided_on, o.until_date,"
        " r.recorded_on FROM unpaid_deductions d"
        " LEFT JOIN correction_orders o ON o.compliance_year = d.compliance_year"
        " AND o.account_index = d.account_index"
        " LEFT JOIN correction_refusals r ON r.order_id = o.order_id ORDER BY d.decision_id"
    )
    for number, year, account, decided_on, until, refused_on in rows.fetchall():
        asks_refusal = any(
            law.after == "refusal" and law.first_year <= year <= law.last_year
            for law in laws.deduction
        )
        is_ordered = until is not None and until < decided_on
        if not is_ordered or (asks_refusal and not (refused_on and refused_on <= decided_on)):
            yield (
                f"{store.account_name(account)}, year {year}: deduction {number} must follow an"
                " order to correct, and the refusal its law asks for"
            )
