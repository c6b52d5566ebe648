"""A year again, from what went in and the rules alone: no platform, registry or venue is asked.

What went in are the enterprises' filed months, what they had banked, the trades of the venue, and
on which day a firm chose to surrender. What it surrenders then follows: what is owed, or what there
is, the oldest allowances first. What 2024's plan gives is worked out apart; of other plans as the
systems do, whose formulas have tests of their own.
"""

from collections import Counter, defaultdict

from cea_exchange.domain.compliance.plans import allocate, plan
from cea_exchange.year.nation.members import enterprise_year, members, sizes_of
from cea_exchange.year.opening import banked, opening_products
from support.year.allocated_by_hand import allocated_by_hand
from support.year.plan_units import plan_units
from support.year.tables import table_rows


class Recomputed:
    """What each account must have come to.

    Attributes
    ----------
    allocated, due
        Account -> tonnes.
    given
        (account, product) -> tonnes that were banked or given.
    traded
        Account -> its trades: day, product, tonnes, below 0 what was sold.
    """

    def __init__(self, folder, setting):
        self.year = setting.year
        self.rows = {
            name: _by(table_rows(folder, name), key)
            for name, key in (
                ("allocations", "enterprise"),
                *((name, "account") for name in ("surrender", "entities", "balances")),
            )
        }
        nation = members(sizes_of(setting.entities, is_power_only=setting.year < 2024))
        # One after the other: a whole nation's months fill half a gigabyte.
        units = [
            unit
            for member in nation
            for unit in plan_units(enterprise_year(setting.seed, member, setting.year))
        ]
        if setting.year == 2024 and not setting.plan:
            given, owed = allocated_by_hand(units)
        else:
            found = allocate(plan(setting.year), units).entities
            given = {each.entity: each.final for each in found}
            owed = {each.entity: each.duty for each in found}
        self.allocated = {f"A-{entity}": tonnes for entity, tonnes in given.items()}
        self.due = {f"A-{entity}": tonnes for entity, tonnes in owed.items()}
        products = [name for name, _ in opening_products(setting)]
        self.products = products
        self.given = Counter()
        for account, tonnes in banked(setting, nation).items():
            self.given[account, products[0]] += tonnes
        for account, tonnes in self.allocated.items():
            self.given[account, products[-1]] += tonnes
        self.sectors = {f"A-{member.name}": member.sector for member in nation}
        self.last_day = 0
        self.traded = defaultdict(list)
        for trade in table_rows(folder, "trades"):
            day, product = int(trade["trading_date"]), trade["product"]
            self.last_day = max(self.last_day, day)
            self.traded[trade["buyer"]].append((day, product, int(trade["tonnes"])))
            self.traded[trade["seller"]].append((day, product, -int(trade["tonnes"])))

    def differences(self):
        """Return where the systems' tables say something else, a sentence each."""
        return [
            f"{account}: {what}: expected {expected}, got {got}"
            for account in sorted({*self.allocated, *self.due})
            for what, expected, got in self._of(account)
            if expected != got
        ]

    def _of(self, account):
        enterprise = account.removeprefix("A-")
        (allocation,) = self.rows["allocations"][enterprise]
        yield "allocated", self.allocated[account], int(allocation["tonnes"])
        yield "due", self.due[account], int(allocation["due_tonnes"])
        surrendered, days = Counter(), set()
        for row in self.rows["surrender"].get(account, []):
            surrendered[row["product"]] += int(row["tonnes"])
            days.add(int(row["applied_on"]))
        yield "days of surrender", True, len(days) <= 1
        (entity,) = self.rows["entities"][account]
        yield "due at the registry", self.due[account], int(entity["due_tonnes"])
        missing = self.due[account] - int(entity["offset_tonnes"])
        balances = Counter()
        for row in self.rows["balances"].get(account, []):
            balances[row["asset"]] += int(row["amount"])
        left = {}
        for product in self.products:
            held = self._held(account, product, before=max(days, default=99991231))
            part = min(missing, held)
            missing -= part
            yield f"surrendered of {product}", part, surrendered[product]
            left[product] = self._held(account, product, before=99991231) - part
        carried = dict(self._carried(account, left, is_short=missing > 0))
        for product in self.products:
            yield f"left of {product}", left[product] - carried.get(product, 0), balances[product]
        if self.year == 2024:
            yield "carried over", sum(carried.values()), balances["CEA25"]

    def _carried(self, account, left, *, is_short):
        """Yield product and tonnes that are carried over: T = B + 1.5 x net sales (RB 5.9)."""
        if self.year != 2024 or is_short:
            return
        trades = self.traded[account]
        base = 10_000 if self.sectors[account] == "power" else 100_000
        limit = base + max(0, -sum(tonnes for _, _, tonnes in trades)) * 3 // 2
        for product in self.products:
            # What was bought on the last day is the venue's until another one.
            bought = sum(
                tonnes
                for day, of, tonnes in trades
                if (day, of) == (self.last_day, product) and tonnes > 0
            )
            part = min(limit, left[product] - bought)
            limit -= part
            yield product, part

    def _held(self, account, product, before):
        """Return tonnes that an account had as a day began, had it surrendered nothing."""
        traded = (
            tonnes for day, of, tonnes in self.traded[account] if day < before and of == product
        )
        return self.given[account, product] + sum(traded)


def recomputed(folder, setting):
    """Return what a year must have come to."""
    return Recomputed(folder, setting)


def _by(rows, key):
    found = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found
