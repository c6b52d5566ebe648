"""Whether the systems of a year agree: each with itself, and with the next."""

from pathlib import Path

from cea_exchange.ccer.cancellation.books import books_shown
from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.ccer.offset_books import offset_differences
from cea_exchange.domain.records import Method
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import INSTITUTION_NAMES, Institution
from cea_exchange.platform.store import PlatformStore
from cea_exchange.registry.reconciliation.ccer_offsets import offset_books, signature_differences
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.store import RegistryStore
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.outcome.held import SHOWN_MAX, Reconciled, held, published
from cea_exchange.year.outcome.voluntary import voluntary_reconciled


def reconciled(folder: Path, year: int, state: YearState) -> list[Reconciled]:
    """Return what comes of holding a year's systems against each other."""
    ledger = check_ledger(folder)
    found = [
        Reconciled(
            "ledger against its postings, records and the venue's hashes",
            ledger.postings + ledger.checkpoints,
            tuple(ledger.differences[:SHOWN_MAX]),
        )
    ]
    with (
        PlatformStore.open_reader(folder) as platform,
        RegistryStore.open_reader(folder) as registry,
    ):
        found += [
            held(
                "allocations: platform against registry",
                _allocated(platform, year),
                _distributed(registry, year),
            ),
            held(
                "obligations: platform against registry",
                _duties(platform, year),
                _owed(registry, year),
            ),
            held(
                "completions: platform against registry",
                _completed(platform, year),
                _surrendered(registry, year),
            ),
            held(
                "volume and value by day and method: bulletins against settled trades",
                published(state.bulletins),
                _settled(registry),
            ),
            _conserved(registry),
            held(
                "cash of allowances, by account: paid in and traded against the ledger",
                _cash_due(registry),
                _cash_held(registry),
            ),
        ]
        offsets, unsigned = offset_books(registry), [*signature_differences(registry)]
        if registry.one("SELECT count(*) FROM bank_statements"):
            found.append(_banked(registry))
    with CcerStore.open_reader(folder) as ccer:
        found.append(
            Reconciled(
                "offsets: CCER registry against registry, proof by proof",
                len(offsets.counted),
                tuple([*offset_differences(books_shown(ccer), offsets), *unsigned][:SHOWN_MAX]),
            )
        )
        found += voluntary_reconciled(ccer, state.ccer)
    return found


def _cash_due(registry: RegistryStore) -> dict[str, int]:
    """Return what each account must have of what it paid in, and the fees that were taken."""
    due: dict[str, int] = {}
    fees = 0
    for account, fen in registry.execute(
        "SELECT account, sum(amount) FROM entries"
        " JOIN accounts ON accounts.account_index = entries.counter_index"
        " WHERE entries.kind = ? GROUP BY account",
        (int(EntryKind.PAY_IN),),
    ):
        due[account] = int(fen)
    for buyer, seller, cash, buy_fee, sell_fee in registry.execute(
        "SELECT buyer.account, seller.account, sum(cash), sum(buy_fee), sum(sell_fee) FROM trades"
        " JOIN accounts AS buyer ON buyer.account_index = buyer_index"
        " JOIN accounts AS seller ON seller.account_index = seller_index"
        " WHERE trades.state = 'settled' GROUP BY buyer.account, seller.account"
    ):
        due[buyer] = due.get(buyer, 0) - int(cash) - int(buy_fee)
        due[seller] = due.get(seller, 0) + int(cash) - int(sell_fee)
        fees += int(buy_fee) + int(sell_fee)
    due[INSTITUTION_NAMES[Institution.FEES]] = fees
    return {account: fen for account, fen in due.items() if fen}


def _cash_held(registry: RegistryStore) -> dict[str, int]:
    """Return what the ledger says everybody has, the bank's contra account left out."""
    rows = registry.execute(
        "SELECT account, sum(amount) FROM balances"
        " JOIN accounts ON accounts.account_index = balances.account_index"
        " WHERE asset_index = ? AND balances.account_index <> ? GROUP BY account",
        (CASH_ASSET, int(Institution.BANK)),
    )
    return {account: int(fen) for account, fen in rows if fen}


def _banked(registry: RegistryStore) -> Reconciled:
    """Hold each sub-account's last stated balance against the ledger's cash of its account."""
    stated: dict[str, int] = dict(
        registry.execute("SELECT account, closing FROM bank_accounts WHERE closing <> 0").fetchall()
    )
    cash = registry.execute(
        "SELECT CASE bank_account WHEN '' THEN account ELSE bank_account END, sum(amount)"
        " FROM balances JOIN accounts ON accounts.account_index = balances.account_index"
        " WHERE asset_index = ? AND kind = 'entity' GROUP BY 1",
        (CASH_ASSET,),
    )
    kept = {account: amount for account, amount in cash.fetchall() if amount}
    return held("cash: the bank's statements against the ledger", stated, kept)


def _allocated(platform: PlatformStore, year: int) -> dict[str, int]:
    rows = platform.execute(
        "SELECT credit_code, tonnes FROM allocation_lines"
        " JOIN enterprises ON enterprises.enterprise_id = allocation_lines.enterprise_id"
        " WHERE allocation_id IN (SELECT max(allocation_id) FROM allocations"
        "  WHERE compliance_year = ? AND state = 'distributed' GROUP BY province)",
        (year,),
    )
    return dict(rows.fetchall())


def _distributed(registry: RegistryStore, year: int) -> dict[str, int]:
    """Return credit code -> what was given in all, to an entity and to its province for it."""
    rows = registry.execute(
        "SELECT credit_code, sum(given + kept - recalled - recalled_kept) FROM distribution_lines"
        " JOIN distributions"
        " ON distributions.distribution_id = distribution_lines.distribution_id"
        " JOIN accounts ON accounts.account_index = distribution_lines.account_index"
        " WHERE compliance_year = ? GROUP BY credit_code",
        (year,),
    )
    return dict(rows.fetchall())


def _duties(platform: PlatformStore, year: int) -> dict[str, tuple[int, int]]:
    rows = platform.execute(
        "SELECT credit_code, verified_tonnes, due_tonnes FROM obligations AS owed"
        " JOIN enterprises ON enterprises.enterprise_id = owed.enterprise_id"
        " WHERE compliance_year = ? AND due_tonnes > 0 AND version = (SELECT max(version)"
        "  FROM obligations AS later WHERE later.enterprise_id = owed.enterprise_id"
        "  AND later.compliance_year = owed.compliance_year)",
        (year,),
    )
    return {code: (verified, due) for code, verified, due in rows.fetchall()}


def _owed(registry: RegistryStore, year: int) -> dict[str, tuple[int, int]]:
    rows = registry.execute(
        "SELECT credit_code, verified_tonnes, due_tonnes FROM obligations"
        " JOIN accounts ON accounts.account_index = obligations.account_index"
        " WHERE compliance_year = ? AND due_tonnes > 0",
        (year,),
    )
    return {code: (verified, due) for code, verified, due in rows.fetchall()}


def _completed(platform: PlatformStore, year: int) -> dict[str, tuple[int, int]]:
    rows = platform.execute(
        "SELECT credit_code, surrendered, offset_tonnes FROM completions AS completion"
        " JOIN enterprises ON enterprises.enterprise_id = completion.enterprise_id"
        " WHERE compliance_year = ? AND completion_seq = (SELECT max(completion_seq)"
        "  FROM completions AS later WHERE later.enterprise_id = completion.enterprise_id"
        "  AND later.compliance_year = completion.compliance_year)",
        (year,),
    )
    return {code: (surrendered, offset) for code, surrendered, offset in rows.fetchall()}


def _surrendered(registry: RegistryStore, year: int) -> dict[str, tuple[int, int]]:
    rows = registry.execute(
        "SELECT credit_code, coalesce((SELECT sum(tonnes) FROM surrenders"
        "  JOIN surrender_lines ON surrender_lines.surrender_id = surrenders.surrender_id"
        "  WHERE surrenders.account_index = accounts.account_index AND compliance_year = :year"
        "  AND state = 'retired'), 0), coalesce((SELECT sum(tonnes) FROM offset_proofs"
        "  WHERE offset_proofs.account_index = accounts.account_index"
        "  AND compliance_year = :year AND revoked_on = 0), 0)"
        " FROM accounts WHERE account_index >= 0",
        {"year": year},
    )
    return {
        code: (surrendered, offset)
        for code, surrendered, offset in rows.fetchall()
        if surrendered or offset
    }


def _settled(registry: RegistryStore) -> dict[tuple[int, str], tuple[int, int]]:
    rows = registry.execute(
        "SELECT trading_date, method, sum(tonnes), sum(cash) FROM trades"
        " WHERE state = 'settled' GROUP BY trading_date, method"
    )
    return {
        (day, Method(method).name): (tonnes, cash) for day, method, tonnes, cash in rows.fetchall()
    }


def _conserved(registry: RegistryStore) -> Reconciled:
    """Hold what was issued of each product against what is held and what was retired."""
    names: dict[int, str] = dict(
        registry.execute("SELECT product_index, product FROM products").fetchall()
    )
    issued: dict[str, int] = {}
    there: dict[str, int] = {}
    for index, asset, amount in registry.execute(
        "SELECT account_index, asset_index, sum(amount) FROM balances"
        " GROUP BY account_index, asset_index"
    ).fetchall():
        if asset in names:
            if index == Institution.ISSUANCE:
                issued[names[asset]] = -amount
            else:
                there[names[asset]] = there.get(names[asset], 0) + amount
    return held("allowances: issued against held and retired, by product", issued, there)
