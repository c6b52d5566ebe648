"""Surrender: entities apply, provinces review, the authority retires.

    entity ---apply--> its own applied        SET_ASIDE
    province -accept-> province -> authority  SURRENDERED, twice
    authority -retire-> retirement account    RETIRED, and the certificate

Allowances are out of an entity's hands from its application on. The province's acceptance passes
them on to the authority in one transaction; retiring is the authority's own act (RB 5.4.3).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from cea_exchange.domain.compliance.surrender import ForcedSurrender, forced, surrendered
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, amount_checked, words_checked
from cea_exchange.institution.paging import SCAN_COUNT
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.registry.checks import refusals_raised
from cea_exchange.registry.compliance.application_lines import ApplicationLines, Line
from cea_exchange.registry.compliance.certificates import (
    Certificate,
    certificate_in_force,
    certificate_issue_if_covered,
)
from cea_exchange.registry.compliance.obligation_status import Standing, owed_standings, standing_of
from cea_exchange.registry.compliance.province_custody import ProvinceHoldings
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.entities import entity_province, province_checked
from cea_exchange.registry.participants.mergers import with_successor
from cea_exchange.registry.vintages import product_vintages, vintage_checked


class _Surrender(NamedTuple):
    """A row of `surrenders`."""

    surrender_id: int
    compliance_year: int
    account_index: int
    giver_index: int
    why: str
    applied_on: int
    state: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A surrender as the lists of those who decide have it."""

    surrender_id: int
    account: str
    compliance_year: int
    giver: str
    """Whose allowances: the account's, another's, or its province's where it was forced."""
    why: str
    applied_on: int
    state: str
    tonnes: dict[str, int]
    """Product -> tonnes."""


_OF_STATE = (
    "SELECT surrender_id, account_index, compliance_year, giver_index, why, applied_on, state"
    " FROM surrenders WHERE state = :state AND surrender_id >= :first"
    " ORDER BY surrender_id LIMIT :scan"
)


class Surrender:
    """The service for surrenders.

    Rules: CEA-SUR-03 to CEA-SUR-09, CEA-SUR-11.

    Attributes
    ----------
    after_covering : list of callable
        Each takes an account's index and a year of which something was surrendered, or is applied
        for or not any more, in the same transaction.
    """

    def __init__(self, ledger: Ledger, accounts: Accounts, custody: ProvinceHoldings) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._holdings = custody
        self._lines = ApplicationLines(ledger, "surrender")
        self.after_covering: list[Callable[[int, int], None]] = []
        accounts.pending_rows(
            "surrender {}",
            "surrender_id FROM surrenders WHERE state IN ('applied', 'accepted')"
            " AND (account_index = :account OR giver_index = :account)",
        )
        accounts.passing_checks.append(self._owed)

    def apply(
        self,
        account: str,
        compliance_year: int,
        tonnes: Mapping[str, int],
        *,
        giver: str | None = None,
        why: str = "",
    ) -> int:
        """Apply to surrender allowances for an obligation; they are set aside.

        Returns the surrender's number.

        Raises ActError: a vintage may not pay for that year, more is given than is due or than is
        there.

        Parameters
        ----------
        account
            Who owes; of a merged account another owes.
        tonnes
            Product -> tonnes, on the registration account of whoever gives them.
        giver
            Another firm that gives for one whose bank account is blocked; None: who owes gives.
            The allowances go straight to the province, so nobody can seize them on the way.
        why
            Of giving for another: what keeps the entity from buying. The province decides on it.
        """
        ledger, store = self._ledger, self._store
        with store.transaction():
            index, debtor = with_successor(ledger, account)
            entity_province(store, index)
            giver_index = self._giver(debtor, giver, why)
            lines = self._lines.asked(tonnes)
            standing = standing_of(store, ledger.rules, index, compliance_year)
            today = ledger.business_date()
            self._payable_check(standing, lines, today, is_own=giver_index == debtor)
            number = self._row_add(compliance_year, index, giver_index, lines, why=why)
            self._lines.move(EntryKind.SET_ASIDE, giver_index, giver_index, lines, number)
            self._covered(index, compliance_year)
        return number

    def withdraw(self, surrender_id: int, giver: str) -> None:
        """Take an application back that the province has not decided, by whose allowances it is."""
        with self._store.transaction():
            own = self._ledger.account(giver)
            surrender = self._found(surrender_id)
            if surrender is None or surrender.giver_index != own:
                # Of others' surrenders nobody learns anything, not even whether there are any.
                raise ActError(
                    RegistryRefusal.SURRENDER_UNKNOWN,
                    f"surrender: expected one that {giver} gives, got {surrender_id}",
                )
            self._free(_in_state(surrender, "applied"))
            self._decide(surrender_id, "withdrawn")
            self._covered(surrender.account_index, surrender.compliance_year)

    def reject(self, surrender_id: int, province: int, why: str) -> None:
        """Refuse an application of an entity of the province's own; the allowances go back."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._store.transaction():
            surrender = _in_state(self._of_province(surrender_id, province), "applied")
            self._free(surrender)
            self._decide(surrender_id, "rejected", province, why)
            self._covered(surrender.account_index, surrender.compliance_year)

    def accept(self, surrender_id: int, province: int) -> None:
        """Accept an application of an entity of the province's own, and pass it on.

        It counts of the day it was made: a late review harms nobody. What it may pay for was asked
        then, and nothing since can have taken its place.

        Rules: CEA-SUR-09.
        """
        with self._store.transaction():
            surrender = _in_state(self._of_province(surrender_id, province), "applied")
            self._pass_on(surrender, province_account(province))
            self._decide(surrender_id, "accepted", province)
            self._covered(surrender.account_index, surrender.compliance_year)

    def _pass_on(self, surrender: _Surrender, through: int) -> None:
        number = surrender.surrender_id
        for line in self._lines.of(number):
            for ends in ((surrender.giver_index, through), (through, Institution.AUTHORITY)):
                self._lines.move(EntryKind.SURRENDERED, *ends, [line], number)

    def _covered(self, account_index: int, compliance_year: int) -> None:
        for follow in self.after_covering:
            follow(account_index, compliance_year)

    def retire(self, surrender_id: int) -> str | None:
        """Retire what was surrendered, and certify the obligation if that was the last of it.

        Returns the certificate's number, if there is one now.
        """
        ledger, store = self._ledger, self._store
        with store.transaction():
            surrender = self._found(surrender_id)
            if surrender is None:
                raise ActError(
                    RegistryRefusal.SURRENDER_UNKNOWN,
                    f"surrender: expected one there is, got {surrender_id}",
                )
            _in_state(surrender, "accepted")
            ends, number = (Institution.AUTHORITY, Institution.RETIREMENT), surrender.surrender_id
            self._lines.move(EntryKind.RETIRED, *ends, self._lines.of(number), number)
            today = ledger.business_date()
            store.change(
                "surrenders", {"surrender_id": surrender_id}, state="retired", retired_on=today
            )
            standing = standing_of(
                store, ledger.rules, surrender.account_index, surrender.compliance_year
            )
            return certificate_issue_if_covered(store, standing, today)

    def force(self, account: str, compliance_year: int, province: int) -> ForcedSurrender:
        """Surrender for an entity at risk what its province keeps for it, the oldest first.

        What is left goes to the entity once it owes nothing, of this year and of others; where
        nothing is due any more, all of it. What the province held as the deadline passed counts of
        that day: that it surrenders it later is not the entity's doing.

        Returns by vintage, what was taken and what was released; what is still due.

        Rules: CEA-SUR-07, CEA-SUR-08, CEA-SUR-13.
        """
        ledger, store = self._ledger, self._store
        with store.transaction():
            index, debtor = with_successor(ledger, account)
            holder, today = store.account_name(debtor), ledger.business_date()
            province_checked(store, index, province)
            standing = standing_of(store, ledger.rules, index, compliance_year)
            if standing.applied:
                raise ActError(
                    RegistryRefusal.APPLICATIONS_OPEN,
                    f"applications of {account} for {compliance_year}: expected all decided"
                    f" first, got {standing.applied} t that are not",
                )
            kept = self._by_vintage(self._holdings.kept(holder))
            if not kept:
                raise ActError(
                    RegistryRefusal.NOT_KEPT,
                    f"province {province}: expected allowances kept for {holder}, got none",
                )
            obligation = standing.status.obligation
            in_time = self._by_vintage(self._holdings.kept_since(holder, obligation.deadline))
            owed = replace(obligation, tonnes=standing.tonnes - standing.deducted)
            with refusals_raised():
                plan = forced(
                    replace(standing.status, obligation=owed),
                    {vintage: tonnes for vintage, (_asset, tonnes) in kept.items()},
                    today,
                    ledger.rules.vintages,
                    {vintage: tonnes for vintage, (_asset, tonnes) in in_time.items()},
                )
            late = {v: tonnes - plan.in_time.get(v, 0) for v, tonnes in plan.taken.items()}
            for day, taken in ((obligation.deadline, plan.in_time), (today, late)):
                lines = [Line(kept[v][0], v, tonnes) for v, tonnes in taken.items() if tonnes]
                if lines:
                    self._forced_pass_on(holder, index, compliance_year, province, lines, day)
            if plan.due or self._owes_another(debtor, index, compliance_year):
                return ForcedSurrender(taken=plan.taken, released={}, due=plan.due)
            self._holdings.release(holder)
        return plan

    def by_province(
        self,
        index: int,
        compliance_year: int,
        province: int,
        asset_index: int,
        tonnes: int,
    ) -> int:
        """Surrender for an obligation what a province was given for that; return its number.

        Within the transaction that gave it to the province, which has asked what may pay.

        Raises ActError: the province is not the account's, the account has no obligation of the
        year, the product has no vintage, or the province has fewer tonnes of it.

        Rules: CEA-BOR-02.
        """
        tonnes = amount_checked(tonnes, "tonnes")
        store, rules = self._store, self._ledger.rules
        province_checked(store, index, province)
        standing_of(store, rules, index, compliance_year)
        vintage = vintage_checked(store, rules.vintages, asset_index)
        line = Line(asset_index, vintage, tonnes)
        return self._from_province(index, compliance_year, province, [line])

    def listed(
        self, state: str, province: int | None = None, first: int = 1, count: int = SCAN_COUNT
    ) -> tuple[list[Listed], int | None]:
        """Return the surrenders of a state, of a province's entities or of all, oldest first.

        So many from a number on, and the number to go on from; None: there are no more. Some of the
        state are read, whosever they are: a page may have none of the province's, and there is
        more.
        """
        store = self._store
        values = {
            "state": state,
            "province": province,
            "first": first,
            "scan": count if province is None else SCAN_COUNT,
            "count": count,
        }
        last = store.one(f"SELECT max(surrender_id) FROM ({_OF_STATE}) AS read", values)
        rows = store.records(
            "SELECT surrender_id, account.account AS account, compliance_year,"
            " giver.account AS giver, why, applied_on, read.state AS state"
            f" FROM ({_OF_STATE}) AS read"
            " JOIN accounts AS account ON account.account_index = read.account_index"
            " JOIN accounts AS giver ON giver.account_index = read.giver_index"
            + ("" if province is None else " WHERE account.province = :province")
            + " ORDER BY surrender_id LIMIT :count",
            values,
        )
        if len(rows) == count:
            last = rows[-1]["surrender_id"]
        within = (rows[0]["surrender_id"], last) if rows else (0, 0)
        tonnes = self._tonnes_of(*within)
        is_more = last is not None and store.one(
            "SELECT 1 FROM surrenders WHERE state = ? AND surrender_id > ? LIMIT 1", (state, last)
        )
        found = [Listed(**row, tonnes=tonnes[row["surrender_id"]]) for row in rows]
        return found, last + 1 if is_more else None

    def history(
        self, account: str, compliance_year: int, *, first: int, count: int
    ) -> list[dict[str, Any]]:
        """Return all applications for an account's obligation of a year, from a number on."""
        index, _successor = with_successor(self._ledger, account)
        rows = self._store.records(
            "SELECT surrender_id, giver.account AS giver, why, applied_on, surrenders.state AS"
            " state, decided_on, rejection, retired_on FROM surrenders"
            " JOIN accounts AS giver ON giver.account_index = giver_index"
            " WHERE compliance_year = ? AND surrenders.account_index = ? AND surrender_id >= ?"
            " ORDER BY surrender_id LIMIT ?",
            (compliance_year, index, first, count),
        )
        if not rows:
            return []
        tonnes = self._tonnes_of(rows[0]["surrender_id"], rows[-1]["surrender_id"])
        return [{**row, "tonnes": tonnes[row["surrender_id"]]} for row in rows]

    def _tonnes_of(self, first: int, last: int) -> dict[int, dict[str, int]]:
        """Return surrender -> product -> tonnes, of all between two numbers."""
        found: dict[int, dict[str, int]] = {}
        for number, product, tonnes in self._store.all(
            "SELECT surrender_id, product, tonnes FROM surrender_lines"
            " JOIN products ON product_index = asset_index"
            " WHERE surrender_id BETWEEN ? AND ? ORDER BY surrender_id, asset_index",
            (first, last),
        ):
            found.setdefault(number, {})[product] = tonnes
        return found

    def certificate(self, account: str, compliance_year: int) -> Certificate:
        """Return the certificate in force of an obligation; ActError if there is none."""
        index, _successor = with_successor(self._ledger, account)
        found = certificate_in_force(self._store, index, compliance_year)
        if found is None:
            raise ActError(
                RegistryRefusal.CERTIFICATE_MISSING,
                f"{account}: expected a certificate of {compliance_year}, got none",
            )
        return found

    # -- what is checked ----------------------------------------------------------------------

    def _giver(self, debtor: int, giver: str | None, why: str) -> int:
        """Return who gives; another one than who owes says why.

        Rules: CEA-SUR-11.
        """
        giver_index = debtor if giver is None else self._ledger.account(giver)
        if giver_index != debtor:
            entity_province(self._store, giver_index)
            words_checked(why, "why", WHY_LENGTH_MAX)
        elif why:
            raise ActError(
                RegistryRefusal.BAD_REQUEST,
                f"why: expected only where one gives for another, got {why!r:.80}",
            )
        return giver_index

    def _payable_check(
        self, standing: Standing, lines: list[Line], on: int, *, is_own: bool
    ) -> None:
        """Refuse vintages that may not pay, and more than nobody has applied for yet."""
        with refusals_raised():
            surrendered(
                standing.status,
                {line.vintage: line.tonnes for line in lines},
                on,
                self._ledger.rules.vintages,
            )
        total = sum(line.tonnes for line in lines)
        if total > standing.payable and not is_own:
            # How much of it is under way, another one has no business to know.
            raise ActError(
                RegistryRefusal.NOT_DUE,
                f"surrender: expected at most what is due and not under way, got {total}",
            )
        if total > standing.payable:
            raise ActError(
                RegistryRefusal.NOT_DUE,
                f"surrender: expected at most {standing.payable} t, of {standing.due} t due"
                f" {standing.applied} are applied for and {standing.deducted} deducted, got"
                f" {total}",
            )

    def _owed(self, account_index: int) -> Iterator[str]:
        """Yield what an account owes, which keeps it from being closed."""
        for owing, year, standing in owed_standings(self._store, self._ledger.rules, account_index):
            if standing.owed:
                own = owing == self._store.account_name(account_index)
                yield f"obligation of {year}" + ("" if own else f" for {owing}")

    def _owes_another(self, debtor: int, index: int, compliance_year: int) -> bool:
        """Tell whether a debtor owes anything but that account's obligation of that year."""
        this = (self._store.account_name(index), compliance_year)
        owed = owed_standings(self._store, self._ledger.rules, debtor)
        return any(standing.owed for *which, standing in owed if tuple(which) != this)

    # -- rows and entries ---------------------------------------------------------------------

    def _by_vintage(self, kept: Mapping[str, int]) -> dict[int, tuple[int, int]]:
        """Return vintage -> product index and tonnes of what a province keeps, by product."""
        vintages = product_vintages(self._store, self._ledger.rules.vintages)
        found = {self._ledger.asset(product): tonnes for product, tonnes in kept.items()}
        return {vintages[asset]: (asset, tonnes) for asset, tonnes in found.items()}

    def _forced_pass_on(
        self,
        holder: str,
        index: int,
        compliance_year: int,
        province: int,
        lines: list[Line],
        counts_of: int,
    ) -> None:
        """Surrender for an account's obligation what is kept for a holder, who owes for it."""
        reference = f"surrender {self._store.next_id('surrenders', 'surrender_id')}"
        for line in lines:
            product = self._store.asset_name(line.asset_index)
            used = self._holdings.kept_use(holder, product, line.tonnes, reference)
            if [*used] != [province]:
                raise ActError(
                    RegistryRefusal.NOT_KEPT,
                    f"what is kept for {holder}: expected all with province {province}, got some"
                    f" with {', '.join(map(str, used))}",
                )
        self._from_province(index, compliance_year, province, lines, counts_of)

    def _from_province(
        self, index: int, compliance_year: int, province: int, lines: list[Line], counts_of: int = 0
    ) -> int:
        """Surrender for an account's obligation what is on its province's own account."""
        through = province_account(province)
        number = self._row_add(
            compliance_year, index, through, lines, province=province, counts_of=counts_of
        )
        for line in lines:
            self._lines.move(EntryKind.SET_ASIDE, through, through, [line], number)
            ends = (through, Institution.AUTHORITY)
            self._lines.move(EntryKind.SURRENDERED, *ends, [line], number)
        self._covered(index, compliance_year)
        return number

    def _row_add(
        self,
        compliance_year: int,
        index: int,
        giver_index: int,
        lines: list[Line],
        *,
        why: str = "",
        province: int = 0,
        counts_of: int = 0,
    ) -> int:
        """Note an application, or with a province what that surrenders by force, of which day."""
        today = self._ledger.business_date()
        state, decided_on = ("accepted", today) if province else ("applied", 0)
        number = self._store.add(
            "surrenders (surrender_id, compliance_year, account_index, giver_index, why,"
            " applied_on, state, province, decided_on, rejection, retired_on)",
            *(compliance_year, index, giver_index, why, counts_of or today),
            *(state, province, decided_on, "", 0),
        )
        self._lines.add(number, lines)
        return number

    def _of_province(self, surrender_id: int, province: int) -> _Surrender:
        """Return a surrender for an entity of a province; of others' it learns nothing."""
        surrender = self._found(surrender_id)
        if surrender is None or entity_province(self._store, surrender.account_index) != province:
            raise ActError(
                RegistryRefusal.PROVINCE_OTHER,
                f"surrender: expected one for an entity of province {province}, got {surrender_id}",
            )
        return surrender

    def _found(self, surrender_id: int) -> _Surrender | None:
        row = self._store.one(
            "SELECT surrender_id, compliance_year, account_index, giver_index, why, applied_on,"
            " state FROM surrenders WHERE surrender_id = ?",
            (surrender_id,),
        )
        return None if row is None else _Surrender(*row)

    def _free(self, surrender: _Surrender) -> None:
        giver, number = surrender.giver_index, surrender.surrender_id
        self._lines.move(EntryKind.SET_FREE, giver, giver, self._lines.of(number), number)

    def _decide(
        self, surrender_id: int, state: str, province: int = 0, rejection: str = ""
    ) -> None:
        self._store.execute(
            "UPDATE surrenders SET state = ?, province = ?, decided_on = ?, rejection = ?"
            " WHERE surrender_id = ?",
            (state, province, self._ledger.business_date(), rejection, surrender_id),
        )


def _in_state(surrender: _Surrender, state: str) -> _Surrender:
    """Return a surrender; ActError unless it is in a state."""
    if surrender.state != state:
        raise ActError(
            RegistryRefusal.SURRENDER_STATE,
            f"surrender {surrender.surrender_id}: expected {state}, got {surrender.state}",
        )
    return surrender
