"""What was distributed is what was posted: the office's tables against the ledger's entries."""

from collections import Counter
from collections.abc import Iterator

from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.ledger.store import Store
from cea_exchange.registry.enforcement.recalls import Recalls, by_place
from cea_exchange.registry.reconciliation.platform_link import platform_differences

_Way = tuple[int, int, int, int, str]
"""kind, from whom, to whom, asset, reference"""


def distribution_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place where they differ.

    Notes
    -----
    Rules: CEA-DIS-07.
    """
    yield from _entries_differ(store)
    yield from _kept_differs(store)
    yield from _deductions_differ(store)
    yield from _recalls_differ(store)
    yield from _borrowings_differ(store)
    yield from platform_differences(store)


def _entries_differ(store: Store) -> Iterator[str]:
    """Each entry of a distribution, recall or release has its line, and each line its entry."""
    due = _due(store)
    rows = store.execute(
        "SELECT kind, account_index, counter_index, asset_index, reference, sum(amount)"
        " FROM entries WHERE kind IN (?, ?) GROUP BY 1, 2, 3, 4, 5",
        (int(EntryKind.DISTRIBUTED), int(EntryKind.RECALLED)),
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


def _due(store: Store) -> Counter[_Way]:
    """Return the tonnes that distributions, recalls and releases say went each way."""
    due: Counter[_Way] = Counter()

    def give(code: int, account: int, asset: int, tonnes: int, reference: str) -> None:
        due[EntryKind.DISTRIBUTED, province_account(code), account, asset, reference] += tonnes

    def recall(
        code: int, account: int, asset: int, tonnes: int, kept: int, reference: str
    ) -> None:
        province = province_account(code)
        for source, target, part in (
            (account, province, tonnes),
            (province, int(Institution.AUTHORITY), tonnes + kept),
            (int(Institution.AUTHORITY), int(Institution.RECALL), tonnes + kept),
        ):
            due[EntryKind.RECALLED, source, target, asset, reference] += part

    for number, account, code, asset, given, kept, recalled, recalled_kept in store.execute(
        "SELECT distribution_id, account_index, province, product_index, given, kept, recalled,"
        " recalled_kept FROM distribution_lines JOIN distributions USING (distribution_id)"
    ):
        reference = f"distribution {number}"
        way = (int(Institution.AUTHORITY), province_account(code), asset, reference)
        due[EntryKind.DISTRIBUTED, *way] += given + kept
        give(code, account, asset, given, reference)
        recall(code, account, asset, recalled, recalled_kept, reference)
    for number, account, code, asset, recalled, recalled_kept in store.execute(
        "SELECT recall_id, account_index, province, product_index, recalled, recalled_kept"
        " FROM recalls"
    ):
        recall(code, account, asset, recalled, recalled_kept, f"recall {number}")
    for code, account, asset, tonnes, reference in store.execute(
        "SELECT province, account_index, product_index, tonnes, reference FROM kept_changes"
        " WHERE reference LIKE 'release %'"
    ):
        give(code, account, asset, -tonnes, reference)
    for number, code, asset, tonnes in store.execute(
        "SELECT borrowing_id, province, product_index, tonnes FROM borrowings"
    ):
        way = (int(Institution.AUTHORITY), province_account(code), asset, f"borrowing {number}")
        due[EntryKind.DISTRIBUTED, *way] += tonnes
    return due


def _kept_differs(store: Store) -> Iterator[str]:
    """What a province has on its account it holds for somebody, and never less than nothing."""
    kept: Counter[tuple[int, int]] = Counter()
    for code, account, asset, tonnes in store.execute(
        "SELECT province, account_index, product_index, sum(tonnes) FROM kept_changes"
        " GROUP BY province, account_index, product_index"
    ):
        kept[province_account(code), asset] += tonnes
        if tonnes < 0:
            yield (
                f"{store.account_name(province_account(code))} holds {tonnes} of"
                f" {store.asset_name(asset)} for {store.account_name(account)}"
            )
    for province, asset, held in store.execute(
        "SELECT account_index, asset_index, amount FROM balances WHERE compartment = ?"
        " AND account_index IN (SELECT account_index FROM accounts WHERE kind = 'province')",
        (int(Compartment.REGISTRATION),),
    ):
        kept[province, asset] -= held
    for (province, asset), tonnes in sorted(kept.items()):
        if tonnes:
            held = store.balance(Holding(province, asset, Compartment.REGISTRATION))
            yield (
                f"{store.account_name(province)} holds {held} of {store.asset_name(asset)},"
                f" {held + tonnes} of them for entities"
            )


def _deductions_differ(store: Store) -> Iterator[str]:
    """Of a deduction no more is taken than it has, and no more goes back than was taken."""
    rows = store.execute(
        "SELECT d.deduction_id, d.account_index, d.tonnes, sum(t.tonnes) FROM deductions_taken t"
        " JOIN deductions d ON d.deduction_id = t.deduction_id"
        " GROUP BY d.deduction_id, d.account_index, d.tonnes"
        " HAVING sum(t.tonnes) < 0 OR sum(t.tonnes) > d.tonnes"
    )
    for number, account, tonnes, taken in rows.fetchall():
        yield (
            f"deduction {number} of {store.account_name(account)}: taken must be within"
            f" 0..{tonnes}, is {taken}"
        )


def _recalls_differ(store: Store) -> Iterator[str]:
    """What recalls took is what is noted as taken, and nobody keeps here what is recalled.

    Notes
    -----
    Rules: CEA-DIS-11.
    """
    rows = store.execute(
        "SELECT recall_id, recalled + recalled_kept, coalesce(sum(tonnes), 0) FROM recalls"
        " LEFT JOIN deductions_taken ON reference = 'recall ' || recall_id"
        " GROUP BY recall_id, recalled, recalled_kept"
        " HAVING recalled + recalled_kept <> coalesce(sum(tonnes), 0) ORDER BY recall_id"
    )
    for number, recalled, taken in rows.fetchall():
        yield f"recall {number}: {recalled} were recalled, {taken} are taken off what is owed"
    rows = store.execute(
        "SELECT reference, sum(tonnes) FROM deductions_taken WHERE distribution_id = 0"
        " AND NOT EXISTS (SELECT 1 FROM recalls WHERE 'recall ' || recall_id = reference)"
        " GROUP BY reference ORDER BY reference"
    )
    for reference, taken in rows.fetchall():
        yield f"{reference}: {taken} are taken off what is owed, by no recall there is"
    owed_of_all = Recalls(store).all_by_sums()
    unfilled = [(each.deduction_id,) for each in owed_of_all]
    if unfilled != store.execute("SELECT deduction_id FROM recalls_open ORDER BY 1").fetchall():
        yield "recalls_open must be the recalls that are not filled, and no others"
    for (account, asset), owed in sorted(by_place(owed_of_all).items()):
        held = store.balance(Holding(account, asset, Compartment.REGISTRATION))
        if held:
            yield (
                f"account {store.account_name(account)} owes a recall of {owed} of"
                f" {store.asset_name(asset)}, holds {held} in registration"
            )
    rows = store.execute(
        "SELECT transfer_seq, account_index, asset_index FROM transfers WHERE direction = 'recall'"
        " AND NOT EXISTS (SELECT 1 FROM distributions JOIN deductions"
        " ON deductions.compliance_year = distributions.compliance_year"
        " WHERE cause = 'recall' AND product_index = asset_index)"
        " ORDER BY transfer_seq"
    )
    for number, account, asset in rows.fetchall():
        yield (
            f"transfer {number} of account {store.account_name(account)} is for a recall of"
            f" {store.asset_name(asset)}, there is none"
        )


def _borrowings_differ(store: Store) -> Iterator[str]:
    """What was borrowed was surrendered for that obligation, and is deducted, tonne for tonne.

    Notes
    -----
    Rules: CEA-BOR-02.
    """
    rows = store.execute(
        "SELECT borrowing_id, b.tonnes, coalesce(s.state, ''), coalesce(l.tonnes, 0),"
        " coalesce(d.cause, ''), coalesce(d.tonnes, 0) FROM borrowings b"
        " LEFT JOIN surrenders s ON s.surrender_id = b.surrender_id"
        " AND s.account_index = b.account_index AND s.compliance_year = b.compliance_year"
        " LEFT JOIN surrender_lines l ON l.surrender_id = s.surrender_id"
        " AND l.asset_index = b.product_index"
        " LEFT JOIN deductions d ON d.deduction_id = b.deduction_id ORDER BY borrowing_id"
    )
    for number, tonnes, state, surrendered, cause, deducted in rows.fetchall():
        is_surrendered = state in ("accepted", "retired") and surrendered == tonnes
        if not is_surrendered or (cause, deducted) != ("borrowed", tonnes):
            yield (
                f"borrowing {number}: {tonnes} must be surrendered and deducted, are"
                f" {surrendered} and {deducted}"
            )
    rows = store.execute(
        "SELECT deduction_id FROM deductions WHERE cause = 'borrowed' AND deduction_id NOT IN"
        " (SELECT deduction_id FROM borrowings) ORDER BY deduction_id"
    )
    for (number,) in rows.fetchall():
        yield f"deduction {number} is of no borrowing there is"
