"""Account statements (日终报表) of every account, and objections to them.

::

    day confirmed --> issued --object--> objection open --resolve--> resolved
                        |
                next day opens --> accepted: no more objections

A statement is no copy: it is read from the entries that its day covers, so it says the same
whenever it is asked for. A day covers all entries since the day before it.
"""

from typing import Any

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind
from cea_exchange.ledger.history import LEGS_MAX, account_as_of
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts

CONTENT_CHARACTERS_MAX = 2_000
OBJECTIONS_MAX = 20
"""Of one account to one day's statement (CEA-STM-03)."""

# The trades that entries of a range post, by asset: what the account bought, sold and paid in fees.
_TRADES = """
SELECT t.product_index,
    sum(CASE WHEN t.buyer_index = :account THEN t.tonnes ELSE 0 END),
    sum(CASE WHEN t.seller_index = :account THEN t.tonnes ELSE 0 END),
    sum(CASE WHEN t.buyer_index = :account THEN t.cash ELSE 0 END),
    sum(CASE WHEN t.seller_index = :account THEN t.cash ELSE 0 END),
    sum(CASE WHEN t.buyer_index = :account THEN t.buy_fee ELSE t.sell_fee END)
FROM (
    SELECT DISTINCT posting_id / :legs AS entry_id FROM postings
    WHERE posting_id >= :legs * :first AND posting_id < :legs * (:last + 1)
        AND account_index = :account
) AS own JOIN entries AS e ON e.entry_id = own.entry_id
JOIN trades AS t ON t.settlement_seq =
    CASE e.reference WHEN '' THEN e.settlement_seq
        ELSE CAST(substr(e.reference, 7) AS BIGINT) END
WHERE e.kind = :trade
GROUP BY t.product_index
"""

_MOVED = """
SELECT p.asset_index, e.kind, sum(p.amount)
FROM postings AS p JOIN entries AS e ON e.entry_id = p.posting_id / :legs
WHERE p.posting_id >= :legs * :first AND p.posting_id < :legs * (:last + 1)
    AND p.account_index = :account AND e.kind <> :trade
GROUP BY p.asset_index, e.kind HAVING sum(p.amount) <> 0
"""

_PLACES = {
    "registration": Compartment.REGISTRATION,
    "transit": Compartment.TRANSIT,
    "trading": Compartment.TRADING,
    "applied": Compartment.APPLIED,
    "frozen": Compartment.JUDICIAL,
    "banking": Compartment.BANKING,
}


class Statements:
    """The service for account statements."""

    def __init__(self, ledger: Ledger, accounts: Accounts) -> None:
        self._ledger = ledger
        accounts.pending_rows(
            "objection {} is open",
            "objection_id FROM objections WHERE account_index = :account AND state = 'open'",
        )

    def statement(self, account: str, business_date: int) -> dict[str, Any]:
        """Return an account's statement of a confirmed day.

        Returns ``cash`` with opening, deposits, withdrawals, bought, sold, fees, other and closing
        (fen: opening + deposits - withdrawals - bought + sold - fees + other = closing);
        ``products`` the same for tonnes; where the closing amounts are; the day's ``state``;
        ``chain_link`` and ``chain_head``, which the day's receipts lead to.

        Raises ActError: the day has no statement yet.

        Rules: CEA-STM-01, CEA-REG-06.
        """
        store = self._ledger.store
        index = self._ledger.store.account_index(account)
        if index is None:
            raise ActError(
                RegistryRefusal.ACCOUNT_UNKNOWN,
                f"account: expected one of the registry, got {account!r}",
            )
        first, last, state, link_id = self._day(business_date)
        trades = self._trades(index, first, last)
        moved = self._moved(index, first, last)
        opening = self._held(index, first - 1)
        closing = self._held(index, last)
        products = store.all("SELECT product_index, product FROM products ORDER BY product_index")
        lines = [
            _line(
                product,
                trades.get(asset, {}),
                moved.get(asset, {}),
                _sum_of(opening, asset),
                _places_of(closing, asset),
            )
            for asset, product in products
        ]
        traded = {
            name: sum(each[name] for each in trades.values()) for name in ("paid", "earned", "fees")
        }
        cash_moved = moved.get(CASH_ASSET, {})
        deposits = cash_moved.pop(int(EntryKind.PAY_IN), 0)
        withdrawals = -cash_moved.pop(int(EntryKind.PAID_OUT), 0)
        return {
            "business_date": business_date,
            "account": account,
            "state": state,
            "cash": {
                **_sum_of(opening, CASH_ASSET),
                "deposits": deposits,
                "withdrawals": withdrawals,
                "bought": traded["paid"],
                "sold": traded["earned"],
                "fees": traded["fees"],
                "other": sum(cash_moved.values()),
                **_places_of(closing, CASH_ASSET),
            },
            "products": [line for line in lines if line is not None],
            "chain_link": link_id,
            "chain_head": store.find("chain", "head", link_id=link_id),
            "objections": self._objections(
                " AND objections.account_index = :account AND business_date = :date",
                {"account": index, "date": business_date, "first": 1, "count": OBJECTIONS_MAX},
            ),
        }

    def object(self, account: str, business_date: int, content: str) -> int:
        """Object to a statement in writing, before the next day opens; return the number.

        Rules: CEA-STM-02, CEA-STM-03 (how many).
        """
        ledger, store = self._ledger, self._ledger.store
        _text_check(content, "content")
        with ledger.transaction():
            index = ledger.account(account)
            _first, _last, state, _link_id = self._day(business_date)
            if state != "issued":
                raise ActError(
                    RegistryRefusal.TOO_LATE,
                    f"objection: expected before the statement of {business_date} is accepted,"
                    " got the day after it opened",
                )
            made = store.one(
                "SELECT count(*) FROM objections WHERE account_index = ? AND business_date = ?",
                (index, business_date),
            )
            if made >= OBJECTIONS_MAX:
                raise ActError(
                    RegistryRefusal.OBJECTIONS_TOO_MANY,
                    f"objections of {account} to the statement of {business_date}: expected at"
                    f" most {OBJECTIONS_MAX}, got one more",
                )
            return store.add(
                "objections (objection_id, account_index, business_date, content, state, answer,"
                " made_date, resolved_date)",
                *(index, business_date, content, "open", "", ledger.business_date(), 0),
            )

    def resolve(self, objection_id: int, answer: str) -> None:
        """Answer an objection; what has to be put right is an act of its own."""
        store = self._ledger.store
        _text_check(answer, "answer")
        with self._ledger.transaction():
            state = store.find("objections", "state", objection_id=objection_id)
            if state != "open":
                raise ActError(
                    RegistryRefusal.OBJECTION_STATE,
                    f"objection {objection_id}: expected an open one, got {state}",
                )
            store.execute(
                "UPDATE objections SET state = 'resolved', answer = ?, resolved_date = ?"
                " WHERE objection_id = ?",
                (answer, self._ledger.business_date(), objection_id),
            )

    def objections(
        self,
        account: str | None = None,
        *,
        state: str | None = None,
        first: int = 1,
        count: int = ALL,
    ) -> list[dict[str, Any]]:
        """Return objections from a number on, of one account or of all, in one state or in any."""
        store = self._ledger.store
        index = None if account is None else store.account_index(account)
        return self._objections(
            (" AND objections.account_index = :account" if account is not None else "")
            + (" AND objections.state = :state" if state is not None else ""),
            {"account": index, "state": state, "first": first, "count": count},
        )

    def _objections(self, where: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        return self._ledger.store.records(
            "SELECT objection_id, account, business_date, content, objections.state AS state,"
            " answer FROM objections"
            " JOIN accounts ON accounts.account_index = objections.account_index"
            f" WHERE objection_id >= :first{where} ORDER BY objection_id LIMIT :count",
            values,
        )

    def _day(self, business_date: int) -> tuple[int, int, str, int]:
        row = self._ledger.store.find(
            "statement_days", "first_entry, last_entry, state, link_id", business_date=business_date
        )
        if row is None:
            raise ActError(
                RegistryRefusal.DAY_NOT_CONFIRMED,
                f"business_date: expected a confirmed day, got {business_date}",
            )
        return row

    def _trades(self, index: int, first: int, last: int) -> dict[int, dict[str, int]]:
        rows = self._ledger.store.all(_TRADES, _entries(index, first, last))
        names = ("bought", "sold", "paid", "earned", "fees")
        return {asset: dict(zip(names, rest, strict=True)) for asset, *rest in rows}

    def _moved(self, index: int, first: int, last: int) -> dict[int, dict[int, int]]:
        """Return what other entries brought or took, by asset and kind."""
        found: dict[int, dict[int, int]] = {}
        rows = self._ledger.store.all(_MOVED, _entries(index, first, last))
        for asset, kind, amount in rows:
            found.setdefault(asset, {})[kind] = amount
        return found

    def _held(self, index: int, entry_id: int) -> dict[tuple[int, int], int]:
        """Return what an account held after an entry, by asset and compartment."""
        held = account_as_of(self._ledger.store.database, index, entry_id)
        return {(holding.asset_index, holding.compartment): amount for holding, amount in held}


def _text_check(text: str, what: str) -> None:
    if not 0 < len(text.strip()) <= CONTENT_CHARACTERS_MAX:
        raise ActError(
            RegistryRefusal.TEXT_UNSOUND,
            f"{what}: expected 1 to {CONTENT_CHARACTERS_MAX} characters, got {len(text)}",
        )


def _entries(account_index: int, first: int, last: int) -> dict[str, int]:
    """Return the values of a query about an account's entries of a range."""
    own = {"account": account_index, "first": first, "last": last}
    return {**own, "legs": LEGS_MAX, "trade": int(EntryKind.TRADE)}


def _line(
    product: str,
    traded: dict[str, int],
    moved: dict[int, int],
    opening: dict[str, int],
    closing: dict[str, int],
) -> dict[str, Any] | None:
    """Return what happened to an account's tonnes of a product; None if it never had any."""
    line = {
        "product": product,
        **opening,
        "bought": traded.get("bought", 0),
        "sold": traded.get("sold", 0),
        "received": sum(amount for amount in moved.values() if amount > 0),
        "given": -sum(amount for amount in moved.values() if amount < 0),
        **closing,
    }
    return line if any(line[name] for name in line if name != "product") else None


def _sum_of(held: dict[tuple[int, int], int], asset: int) -> dict[str, int]:
    places = _PLACES.values()
    return {"opening": sum(held.get((asset, int(place)), 0) for place in places)}


def _places_of(held: dict[tuple[int, int], int], asset: int) -> dict[str, int]:
    places = {name: held.get((asset, int(place)), 0) for name, place in _PLACES.items()}
    return {"closing": sum(places.values()), **places}
