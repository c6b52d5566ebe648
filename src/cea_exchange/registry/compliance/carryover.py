"""Carryover: closed vintages exchanged for the next one, on notice, by application, in runs.

    authority -notice--> every entity its limit T
    entity    -apply---> its own applied                 SET_ASIDE
    authority -run-----> old vintages to the carryover account   CARRIED_OVER
                         as much of the next to whose they were  ISSUE

The next vintage is issued to the entity itself: authority and province have nothing to decide
about it, so it goes through neither's account.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.carryover import EndPosition, VintageTrade
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding
from cea_exchange.ledger.history import balances_at_date
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.checks import refusals_raised
from cea_exchange.registry.compliance.application_lines import ApplicationLines, Line
from cea_exchange.registry.compliance.obligation_status import standings
from cea_exchange.registry.enforcement.recalls import Recalls
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.mergers import successors, with_taken_over
from cea_exchange.registry.vintages import product_vintages

_POSITION = {
    Compartment.TRADING: "trading",
    Compartment.REGISTRATION: "registration",
    # On its way from the one to the other, and available on both.
    Compartment.TRANSIT: "registration",
    Compartment.JUDICIAL: "frozen",
}
"""What counts at the end of the window, and as what; what is set aside does not."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What an entity may carry over, and from which figures that comes.

    Attributes
    ----------
    trading_tonnes, registration_tonnes, frozen_tonnes
        Its position when the window ended.
    limit_tonnes
        T; 0 where it may carry nothing over.
    refusal
        Why it may not; empty if it may.
    """

    account: str
    net_sales: int
    trading_tonnes: int
    registration_tonnes: int
    frozen_tonnes: int
    limit_tonnes: int
    refusal: str
    noticed_on: int


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a run exchanged."""

    applications: int
    taken: dict[str, int]
    """Product -> tonnes that left circulation."""
    issued: int
    """Tonnes of the next vintage, as many."""


class Carryover:
    """The service for the carryover.

    Rules: CEA-CRY-01 to CEA-CRY-07.
    """

    def __init__(self, ledger: Ledger, accounts: Accounts, recalls: Recalls) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._recalls = recalls
        self._lines = ApplicationLines(ledger, "carryover")
        accounts.pending_rows(
            "carryover {}",
            "carryover_id FROM carryovers WHERE state = 'applied' AND account_index = :account",
        )

    def give_notice(self) -> int:
        """Tell every entity that held closed vintages as the window ended how much it may exchange.

        Net sales and positions are of the trades that exchange and registry agree in, failed ones
        that stand too: settled late they move neither. What an account had and did that was merged
        since counts as that of its successor. The figures stay as they are shown, but for a refusal
        that was its province's delay.

        Returns how many notices there are.

        Raises ActError: the window is not over, or trades of it wait for their settlement, or
        notice was given.

        Rules: CEA-CRY-01 to CEA-CRY-05, CEA-CRY-08.
        """
        store, rules = self._store, self._ledger.rules.carryover
        today = self._ledger.business_date()
        with store.transaction():
            if today <= rules.position_on.number:
                raise ActError(
                    RegistryRefusal.TOO_EARLY,
                    f"notice: expected after {rules.position_on.number}, got on {today}",
                )
            if store.one("SELECT count(*) FROM carryover_notices"):
                raise ActError(
                    RegistryRefusal.NOTICE_GIVEN, "notice: expected once, got a second one"
                )
            self._trades_settled_check()
            into = successors(store)
            net_sales, completed = self._net_sales(into), self._completed(into)
            sectors: dict[int, str] = dict(store.all("SELECT account_index, sector FROM accounts"))
            rows = []
            for index, position in sorted(self._positions(into).items()):
                refusal = rules.ineligibility(completed.get(index, {})) or ""
                sales = net_sales.get(index, 0)
                limit = 0 if refusal else rules.limit(sales, position, sectors[index])
                parts = (position.trading, position.registration, position.frozen)
                rows.append((index, sales, *parts, limit, refusal, today))
            store.insert(
                "carryover_notices (account_index, net_sales, trading_tonnes, registration_tonnes,"
                " frozen_tonnes, limit_tonnes, refusal, noticed_on)",
                rows,
            )
        return len(rows)

    def notice(self, account: str) -> Notice:
        """Return an entity's notice, with those of accounts merged into it since; ActError if none.

        Rules: CEA-CRY-08.
        """
        index = self._ledger.account(account)
        notices = [*self._notices(with_taken_over(self._store, index)).values()]
        if not notices:
            raise ActError(
                RegistryRefusal.NOTICE_MISSING,
                f"{account}: expected a notice of its carryover, got none",
            )
        figures = ("net_sales", "trading_tonnes", "registration_tonnes", "frozen_tonnes")
        return Notice(
            account=account,
            **{
                name: sum(getattr(notice, name) for notice in notices)
                for name in (*figures, "limit_tonnes")
            },
            # Where one of them may carry something over that is left.
            refusal=min(notice.refusal for notice in notices),
            noticed_on=notices[0].noticed_on,
        )

    def apply(self, account: str, tonnes: Mapping[str, int]) -> int:
        """Apply to carry over some allowances; they are set aside.

        Returns the carryover's number.

        Rules: CEA-CRY-04, CEA-CRY-05.

        Parameters
        ----------
        tonnes
            Product -> tonnes, on the registration account.
        """
        ledger, store, rules = self._ledger, self._store, self._ledger.rules.carryover
        with store.transaction():
            index, today = ledger.account(account), ledger.business_date()
            notice = self.notice(account)
            refusal = notice.refusal or self._ineligibility(index, notice.noticed_on)
            if refusal:
                raise ActError(
                    RegistryRefusal.CARRYOVER_BARRED,
                    f"{account}: {refusal}",
                )
            lines = self._lines.asked(tonnes)
            frozen = self._frozen_at_the_end(index)
            with refusals_raised():
                run = rules.run_of(today, notice.noticed_on, was_frozen=bool(frozen))
                is_late = run.number > len(rules.run)
                rules.application(
                    {line.vintage: line.tonnes for line in lines},
                    held={
                        line.vintage: store.balance(
                            Holding(index, line.asset_index, Compartment.REGISTRATION)
                        )
                        for line in lines
                    },
                    applied_before=self._applied_before(index),
                    limit=notice.limit_tonnes,
                    released=self._released(index, frozen) if is_late else None,
                )
            number = store.add(
                "carryovers (carryover_id, account_index, run_number, applied_on, state,"
                " decided_on)",
                *(index, run.number, today, "applied", 0),
            )
            self._lines.add(number, lines)
            self._lines.move(EntryKind.SET_ASIDE, index, index, lines, number)
        return number

    def withdraw(self, carryover_id: int, account: str) -> None:
        """Take an application back before its run, by whom it is of."""
        with self._store.transaction():
            index = self._ledger.account(account)
            row = self._store.find(
                "carryovers", "carryover_id, state", carryover_id=carryover_id, account_index=index
            )
            number, state = row or (0, "none of its")
            if state != "applied":
                raise ActError(
                    RegistryRefusal.CARRYOVER_STATE,
                    f"carryover {carryover_id}: expected one that {account} has applied for, got"
                    f" {state}",
                )
            self._free(number, index)

    def run(self, number: int) -> Exchanged:
        """Exchange what was applied for in a run, all at once: the old leave, the new are issued.

        An application of one who owes a recall of what it is for ends instead: the recall takes it.

        Rules: CEA-CRY-06, CEA-CRY-07, CEA-DIS-11.

        Parameters
        ----------
        number
            1 or 2; the one after the last takes late applications, as often as there are any.
        """
        ledger, store = self._ledger, self._store
        rules = ledger.rules.carryover
        with store.transaction():
            self._run_check(number)
            target = ledger.asset(ledger.rules.vintages.product_of(rules.target_vintage.value))
            applications = store.all(
                "SELECT carryover_id, account_index FROM carryovers"
                " WHERE run_number = ? AND state = 'applied' ORDER BY carryover_id",
                (number,),
            )
            if not applications:
                raise ActError(
                    RegistryRefusal.CARRYOVER_RUN, f"run {number}: expected applications, got none"
                )
            taken: Counter[str] = Counter()
            owed, exchanged = self._recalls.owed(), 0
            for carryover_id, index in applications:
                lines = self._lines.of(carryover_id)
                if any((index, line.asset_index) in owed for line in lines):
                    self._free(carryover_id, index)
                    owed = self._recalls.owed()
                    continue
                exchanged += 1
                self._lines.move(
                    EntryKind.CARRIED_OVER, index, Institution.CARRYOVER, lines, carryover_id
                )
                for line in lines:
                    taken[store.asset_name(line.asset_index)] += line.tonnes
                new = Line(target, rules.target_vintage.value, sum(line.tonnes for line in lines))
                self._lines.move(EntryKind.ISSUE, Institution.ISSUANCE, index, [new], carryover_id)
                self._decide(carryover_id, "exchanged")
        return Exchanged(applications=exchanged, taken=dict(taken), issued=taken.total())

    # -- the notice's figures -----------------------------------------------------------------

    def _closed(self) -> dict[int, int]:
        """Return product index -> vintage of the closed ones."""
        vintages = product_vintages(self._store, self._ledger.rules.vintages)
        last = self._ledger.rules.carryover.last_vintage.value
        return {asset: vintage for asset, vintage in vintages.items() if vintage <= last}

    def _trades_settled_check(self) -> None:
        rules = self._ledger.rules.carryover
        received = self._store.one(
            "SELECT count(*) FROM trades WHERE trading_date <= ? AND state = 'received'",
            (rules.trades_to.number,),
        )
        if received:
            raise ActError(
                RegistryRefusal.TRADES_UNSETTLED,
                f"trades up to {rules.trades_to.number}: expected all settled first, got"
                f" {received} that are not",
            )

    def _net_sales(self, into: Mapping[int, int]) -> dict[int, int]:
        """Return account -> net sales, from the trades that stand."""
        rules, closed = self._ledger.rules.carryover, self._closed()
        window = (rules.trades_from.number, rules.trades_to.number)
        traded: dict[int, list[VintageTrade]] = {}
        for side, of in (("sold", "seller_index"), ("bought", "buyer_index")):
            rows = self._store.all(
                f"SELECT {of}, trading_date, product_index, sum(tonnes) FROM trades"
                " WHERE state <> 'busted' AND trading_date BETWEEN ? AND ?"
                f" GROUP BY {of}, trading_date, product_index",
                window,
            )
            for account, day, asset, tonnes in rows:
                if asset in closed:
                    trade = VintageTrade(trading_date=day, vintage=closed[asset], **{side: tonnes})
                    traded.setdefault(into.get(account, account), []).append(trade)
        return {account: rules.net_sales(trades) for account, trades in traded.items()}

    def _positions(self, into: Mapping[int, int]) -> dict[int, EndPosition]:
        """Return account -> what it held of closed vintages as the window ended.

        Rules: CEA-CRY-03.
        """
        entities = set(
            self._store.column("SELECT account_index FROM accounts WHERE kind = 'entity'")
        )
        parts: dict[int, dict[str, int]] = {}
        day = self._ledger.rules.carryover.position_on.number
        for holding, tonnes in (*self._held_on(day), *self._failed_until(day)):
            part = _POSITION.get(Compartment(holding.compartment))
            if part is not None and holding.account_index in entities:
                whose = into.get(holding.account_index, holding.account_index)
                found = parts.setdefault(whose, {"trading": 0, "registration": 0})
                found[part] = found.get(part, 0) + tonnes
        return {index: EndPosition(**found) for index, found in parts.items()}

    def _held_on(self, day: int) -> Iterator[tuple[Holding, int]]:
        """Yield what everybody held of closed vintages as a day ended."""
        database, closed = self._store.database, self._closed()
        for holding, tonnes in balances_at_date(database, day).items():
            if holding.asset_index in closed:
                yield holding, tonnes

    def _failed_until(self, day: int) -> Iterator[tuple[Holding, int]]:
        """Yield what failed trades that stand would have moved by the end of a day."""
        closed = self._closed()
        rows = self._store.all(
            "SELECT seller_index, buyer_index, product_index, tonnes FROM trades"
            " WHERE state = 'failed' AND trading_date <= ?",
            (day,),
        )
        for seller, buyer, asset, tonnes in rows:
            if asset in closed:
                yield Holding(seller, asset, Compartment.TRADING), -tonnes
                yield Holding(buyer, asset, Compartment.TRADING), tonnes

    def _completed(
        self, into: Mapping[int, int], only: Sequence[int | None] = (None,)
    ) -> dict[int, dict[int, int | None]]:
        """Return account -> year -> day its surrender was complete, of the years that are asked.

        Parameters
        ----------
        into
            Account -> whose obligations its count as; the later day counts.
        only
            Accounts to look at; None: all.
        """
        rules = self._ledger.rules
        found: dict[int, dict[int, int | None]] = {}
        for rule, account in itertools.product(rules.carryover.complete, only):
            for index, standing in standings(self._store, rules, rule.year, account).items():
                if not standing.tonnes:  # its successors owe it all
                    continue
                days = found.setdefault(into.get(index, index), {})
                before, now = days.get(rule.year, 0), standing.completed_on
                days[rule.year] = None if before is None or now is None else max(before, now)
        return found

    def _notices(self, members: Sequence[int]) -> dict[int, Notice]:
        """Return those accounts' own notices, with what was decided late and counts in time."""
        rows = self._store.records(
            "SELECT account_index, account, net_sales, trading_tonnes, registration_tonnes,"
            " frozen_tonnes, limit_tonnes, refusal, noticed_on"
            " FROM carryover_notices JOIN accounts USING (account_index)"
            f" WHERE account_index IN ({', '.join(map(str, members))}) ORDER BY account_index"
        )
        by_index = {row.pop("account_index"): Notice(**row) for row in rows}
        return {index: self._as_it_stands(index, notice) for index, notice in by_index.items()}

    def _as_it_stands(self, index: int, notice: Notice) -> Notice:
        """Return a notice without its refusal and with its limit where it is in time after all.

        That is where a province has decided since on what was applied for in time, or surrendered
        what it held then (CEA-SUR-09, CEA-SUR-13).
        """
        if not notice.refusal:
            return notice
        rules = self._ledger.rules.carryover
        then = successors(self._store, until=notice.noticed_on)
        members = [index, *(account for account, into in then.items() if into == index)]
        completed = self._completed(dict.fromkeys(members, index), members)
        if rules.ineligibility(completed.get(index, {})):
            return notice
        position = EndPosition(
            trading=notice.trading_tonnes,
            registration=notice.registration_tonnes,
            frozen=notice.frozen_tonnes,
        )
        sector = self._store.find("accounts", "sector", account_index=index)
        limit = rules.limit(notice.net_sales, position, sector)
        return msgspec.structs.replace(notice, refusal="", limit_tonnes=limit)

    def _ineligibility(self, index: int, noticed_on: int) -> str | None:
        """Ask again whether those whose notices allow something had surrendered in time.

        Whoever has taken over another since the notice carries over what that one might have; one
        that might not takes nothing from it.
        """
        members = with_taken_over(self._store, index)
        notices, then = self._notices(members), successors(self._store, until=noticed_on)
        asked = [
            member
            for member in members
            if (whose := member if member in notices else then.get(member, member)) in notices
            and not notices[whose].refusal
        ]
        completed = self._completed(dict.fromkeys(asked, index), asked)
        return self._ledger.rules.carryover.ineligibility(completed.get(index, {}))

    # -- applications -------------------------------------------------------------------------

    def _frozen_at_the_end(self, index: int) -> dict[int, int]:
        """Return product index -> closed tonnes a court held as the last day to apply ended.

        Empty until then: who may still apply is not late.
        """
        last = self._last_day()
        if self._ledger.business_date() <= last:
            return {}
        members = with_taken_over(self._store, index)
        frozen: dict[int, int] = {}
        for holding, tonnes in self._held_on(last):
            if holding.account_index in members and holding.compartment == Compartment.JUDICIAL:
                asset = holding.asset_index
                frozen[asset] = frozen.get(asset, 0) + tonnes
        return frozen

    def _released(self, index: int, frozen: Mapping[int, int]) -> dict[int, int]:
        """Return vintage -> tonnes of those frozen then that late applications may still be for.

        Not what the freezes of then hold still, nor what was deducted from them since, nor what
        was applied for late already.
        """
        store, last, closed = self._store, self._last_day(), self._closed()
        members = ", ".join(map(str, with_taken_over(store, index)))
        kept = store.all(
            "SELECT asset_index, sum(in_force) FROM freezes"
            f" WHERE account_index IN ({members}) AND from_date <= ? GROUP BY asset_index",
            (last,),
        )
        kept += store.all(
            "SELECT asset_index, sum(amount) FROM freeze_acts JOIN freezes USING (freeze_id)"
            f" WHERE account_index IN ({members}) AND from_date <= ? AND act = 'deduct'"
            " AND business_date > ? GROUP BY asset_index",
            (last, last),
        )
        kept += store.all(
            "SELECT asset_index, sum(tonnes) FROM carryovers JOIN carryover_lines"
            f" USING (carryover_id) WHERE account_index IN ({members}) AND run_number > ?"
            " AND state <> 'withdrawn' GROUP BY asset_index",
            (len(self._ledger.rules.carryover.run),),
        )
        left = Counter(frozen)
        for asset, tonnes in kept:
            left[asset] -= int(tonnes)
        return {closed[asset]: max(0, tonnes) for asset, tonnes in left.items() if asset in closed}

    def _last_day(self) -> int:
        return date_number(self._ledger.rules.carryover.run[-1].applied_by)

    def _applied_before(self, index: int) -> int:
        tonnes: int = self._store.one(
            "SELECT coalesce(sum(tonnes), 0) FROM carryovers JOIN carryover_lines"
            " USING (carryover_id) WHERE state <> 'withdrawn' AND account_index IN"
            f" ({', '.join(map(str, with_taken_over(self._store, index)))})"
        )
        return tonnes

    def _run_check(self, number: int) -> None:
        runs = self._ledger.rules.carryover.run
        if not 1 <= number <= len(runs) + 1:
            raise ActError(
                RegistryRefusal.CARRYOVER_RUN,
                f"run: expected one within 1..{len(runs) + 1}, got {number}",
            )
        closes = date_number(runs[min(number, len(runs)) - 1].applied_by)
        today = self._ledger.business_date()
        if today <= closes:
            raise ActError(
                RegistryRefusal.TOO_EARLY,
                f"run {number}: expected after its applications end on {closes}, got on {today}",
            )

    def _free(self, carryover_id: int, index: int) -> None:
        """End an application; what was set aside for it is free again."""
        lines = self._lines.of(carryover_id)
        self._lines.move(EntryKind.SET_FREE, index, index, lines, carryover_id)
        self._decide(carryover_id, "withdrawn")

    def _decide(self, carryover_id: int, state: str) -> None:
        self._store.execute(
            "UPDATE carryovers SET state = ?, decided_on = ? WHERE carryover_id = ?",
            (state, self._ledger.business_date(), carryover_id),
        )
