"""Random acts of the compliance cycle against a plain model: who may do what, and where it goes.

The model is told in whole numbers and dictionaries; it says of each act whether it is refused, and
what everybody holds afterwards. The audit queries must find nothing, whatever was done.
"""

import random
from dataclasses import dataclass, field

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from support.registry.audit_queries import audit_findings
from support.registry.compliance_world import BEIJING, SHANGHAI, World, proof

PROVINCE = {"P0": BEIJING, "P1": SHANGHAI, "P2": SHANGHAI}
VINTAGE = {"CEA23": 2023, "CEA24": 2024, "CEA25": 2025}
DAYS = (20251101, 20251231, 20260105, 20260321, 20260611)
DEADLINE = {2024: 20251231, 2025: 20261231}
EXAMPLES = {"sqlite": 15, "postgresql": 3}
ACTS_COUNT = 60


class Refused(Exception):
    """The model says no."""


def must(allowed: bool) -> None:
    if not allowed:
        raise Refused


@dataclass
class Application:
    """A surrender or carryover of the model."""

    account: str
    giver: str
    year: int
    day: int
    tonnes: dict
    state: str = "applied"
    run: int = 0

    @property
    def total(self) -> int:
        return sum(self.tonnes.values())


@dataclass
class Model:
    """What the registry should hold and know."""

    day: int = DAYS[0]
    held: dict = field(default_factory=dict)  # (holder, product) -> tonnes available
    kept: dict = field(default_factory=dict)  # (account, product) -> tonnes its province keeps
    owed: dict = field(default_factory=dict)  # (account, year) -> tonnes
    surrenders: list = field(default_factory=list)
    proofs: dict = field(default_factory=dict)  # number -> [account, year, tonnes, counts]
    booked: dict = field(default_factory=dict)  # number -> day
    carryovers: list = field(default_factory=list)
    deducted: dict = field(default_factory=dict)
    orders: dict = field(default_factory=dict)  # (account, year) -> last day of its term, refused
    position: dict = field(default_factory=dict)  # account -> closed vintages, end of 2025
    notices: dict = field(default_factory=dict)  # account -> limit

    # -- sums -----------------------------------------------------------------------------

    def of(self, account, year, *states):
        return sum(
            each.total
            for each in self.surrenders
            if (each.account, each.year) == (account, year) and each.state in states
        )

    def offset(self, account, year):
        return sum(
            tonnes
            for *of, tonnes, counts in self.proofs.values()
            if of == [account, year] and counts
        )

    def covered(self, account, year):
        return self.of(account, year, "accepted", "retired") + self.offset(account, year)

    def payable(self, account, year):
        open_tonnes = self.of(account, year, "applied") + self.deducted.get((account, year), 0)
        return self.owed[account, year] - self.covered(account, year) - open_tonnes

    def certified(self, account, year):
        is_covered = self.covered(account, year) == self.owed[account, year]
        return is_covered and not self.of(account, year, "accepted")

    def may_pay(self, vintage, year, day):
        if day > DEADLINE[year] and year <= 2024:
            return vintage <= 2026
        return vintage <= year and (vintage > 2024 or year < 2025)

    def give(self, holder, product, tonnes):
        self.held[holder, product] = self.held.get((holder, product), 0) + tonnes

    # -- acts -----------------------------------------------------------------------------

    def move_on(self, day):
        if self.day < 20260101 <= day:
            for (holder, product), tonnes in self.held.items():
                if holder in PROVINCE and VINTAGE[product] <= 2024 and tonnes:
                    self.position[holder] = self.position.get(holder, 0) + tonnes
        self.day = day

    def owe(self, account, year, tonnes):
        must((account, year) not in self.owed)
        self.owed[account, year] = tonnes

    def correct(self, account, year, tonnes):
        must((account, year) in self.owed and self.owed[account, year] != tonnes)
        spent = self.owed[account, year] - self.payable(account, year)
        must(tonnes >= spent and tonnes * 5 // 100 >= self.offset(account, year))
        self.owed[account, year] = tonnes

    def apply(self, account, year, tonnes, giver):
        must((account, year) in self.owed)
        for product, amount in tonnes.items():
            must(self.may_pay(VINTAGE[product], year, self.day))
            must(self.held.get((giver, product), 0) >= amount)
        must(sum(tonnes.values()) <= self.payable(account, year))
        for product, amount in tonnes.items():
            self.give(giver, product, -amount)
        self.surrenders.append(Application(account, giver, year, self.day, tonnes))

    def applied(self, number, state="applied"):
        must(1 <= number <= len(self.surrenders))
        found = self.surrenders[number - 1]
        must(found.state == state)
        return found

    def back(self, application, state):
        for product, tonnes in application.tonnes.items():
            self.give(application.giver, product, tonnes)
        application.state = state

    def withdraw(self, number, giver):
        found = self.applied(number)
        must(found.giver == giver)
        self.back(found, "withdrawn")

    def reject(self, number, province):
        found = self.applied(number)
        must(PROVINCE[found.account] == province)
        self.back(found, "rejected")

    def accept(self, number, province):
        found = self.applied(number)
        must(PROVINCE[found.account] == province)
        found.state = "accepted"

    def retire(self, number):
        found = self.applied(number, "accepted")
        for product, tonnes in found.tonnes.items():
            self.give(Institution.RETIREMENT, product, tonnes)
        found.state = "retired"

    def force(self, account, year, province):
        must((account, year) in self.owed and PROVINCE[account] == province)
        must(not self.of(account, year, "applied"))
        must(any(self.kept.get((account, product)) for product in VINTAGE))
        # All that is kept was kept from the beginning on: of the deadline's day it counts first.
        for day in sorted({min(self.day, DEADLINE[year]), self.day}):
            taken, due = {}, self.payable(account, year)
            for product in sorted(VINTAGE, key=VINTAGE.get):
                kept = self.kept.get((account, product), 0)
                if kept and due and self.may_pay(VINTAGE[product], year, day):
                    taken[product] = min(kept, due)
                    due -= taken[product]
                    self.kept[account, product] = kept - taken[product]
            if taken:
                self.surrenders.append(
                    Application(account, "province", year, day, taken, "accepted")
                )
        owes_more = any(
            self.owed[a, y] - self.covered(a, y) - self.deducted.get((a, y), 0)
            for a, y in self.owed
            if a == account
        )
        if not owes_more:
            for product in VINTAGE:
                self.give(account, product, self.kept.pop((account, product), 0))

    def book(self, number, account, year, tonnes):
        must(number not in self.proofs and (account, year) in self.owed)
        must(self.offset(account, year) + tonnes <= self.owed[account, year] * 5 // 100)
        must(tonnes <= self.payable(account, year))
        self.proofs[number] = [account, year, tonnes, True]
        self.booked[number] = self.day

    def revoke(self, number):
        must(number in self.proofs and self.proofs[number][3])
        self.proofs[number][3] = False

    def deduct(self, account, year, province):
        must((account, year) in self.owed and PROVINCE[account] == province)
        must((account, year) not in self.deducted and not self.of(account, year, "applied"))
        due = self.owed[account, year] - self.covered(account, year)
        must(due > 0 and self.day > DEADLINE[year] and year <= 2024)
        until, is_refused = self.orders.get((account, year), (self.day, False))
        must(self.day > until and is_refused)
        must(
            not any(
                self.kept.get((account, product)) and self.may_pay(vintage, year, self.day)
                for product, vintage in VINTAGE.items()
            )
        )
        self.deducted[account, year] = due

    def is_short(self, account, year, province):
        must((account, year) in self.owed and PROVINCE[account] == province)
        deducted = self.deducted.get((account, year), 0)
        must(self.owed[account, year] - self.covered(account, year) - deducted > 0)

    def order(self, account, year, province, until):
        self.is_short(account, year, province)
        must(self.day > DEADLINE[year] and until > self.day and (account, year) not in self.orders)
        self.orders[account, year] = (until, False)

    def refuse(self, account, year, province):
        self.is_short(account, year, province)
        until, is_refused = self.orders.get((account, year), (self.day, False))
        must(self.day > until and not is_refused)
        self.orders[account, year] = (until, True)

    def complete_in_time(self, account):
        if (account, 2024) not in self.owed:
            return True
        days = [
            each.day
            for each in self.surrenders
            if (each.account, each.year) == (account, 2024)
            and each.state in ("accepted", "retired")
        ]
        days += [
            self.booked[number]
            for number, (*of, _tonnes, counts) in self.proofs.items()
            if of == [account, 2024] and counts
        ]
        is_covered = self.covered(account, 2024) == self.owed[account, 2024]
        return is_covered and max(days) <= DEADLINE[2024]

    def give_notice(self):
        must(self.day > 20251231 and not self.notices)
        for account, tonnes in self.position.items():
            self.notices[account] = min(10_000, tonnes)

    def carry(self, account, tonnes):
        must(account in self.notices and self.complete_in_time(account))
        must(self.day <= 20260610)
        before = sum(
            each.total
            for each in self.carryovers
            if each.account == account and each.state != "withdrawn"
        )
        for product, amount in tonnes.items():
            must(VINTAGE[product] <= 2024 and self.held.get((account, product), 0) >= amount)
        must(before + sum(tonnes.values()) <= self.notices[account])
        for product, amount in tonnes.items():
            self.give(account, product, -amount)
        run = 1 if self.day <= 20260320 else 2
        self.carryovers.append(Application(account, account, 0, self.day, tonnes, run=run))

    def carry_withdraw(self, number, account):
        must(1 <= number <= len(self.carryovers))
        found = self.carryovers[number - 1]
        must(found.state == "applied" and found.account == account)
        self.back(found, "withdrawn")

    def carry_run(self, number):
        must(self.day > (20260320, 20260610, 20260610)[number - 1])
        found = [each for each in self.carryovers if (each.run, each.state) == (number, "applied")]
        must(bool(found))
        for each in found:
            for product, tonnes in each.tonnes.items():
                self.give(Institution.CARRYOVER, product, tonnes)
            self.give(each.account, "CEA25", each.total)
            each.state = "exchanged"


# -- acts on both ----------------------------------------------------------------------------------


def correction_acts(dice, model, registry, account, year, province):
    """Return what may follow a shortfall, as `act_drawn` has it."""
    until = dice.choice((20260110, 20260301, 20260401))
    return {
        "order": (
            lambda: model.order(account, year, province, until),
            lambda: registry.corrections.order(account, year, province, "HB 1", until),
        ),
        "refuse": (
            lambda: model.refuse(account, year, province),
            lambda: registry.corrections.refuse(account, year, province, "HB 2"),
        ),
        "deduct": (
            lambda: model.deduct(account, year, province),
            lambda: registry.compliance.deduct(account, year, province),
        ),
    }


def act_drawn(dice: random.Random, model: Model, world: World):
    """Return a random act as (on the model, on the registry)."""
    registry = world.registry
    account, year = dice.choice(list(PROVINCE)), dice.choice((2024, 2024, 2025))
    province = PROVINCE[account] if dice.random() < 0.8 else dice.choice((BEIJING, SHANGHAI))
    tonnes = {
        product: dice.choice((1, 7, 40, 60, 100))
        for product in dice.sample(list(VINTAGE), dice.choice((1, 1, 2)))
    }
    giver = account if dice.random() < 0.8 else dice.choice(list(PROVINCE))
    why = "" if giver == account else "its bank account is blocked"
    number = dice.randint(1, len(model.surrenders) + 1)
    owner = model.surrenders[number - 1] if number <= len(model.surrenders) else None
    own = PROVINCE[owner.account] if owner and dice.random() < 0.9 else province
    amount, name = dice.choice((40, 100, 140, 200)), f"N{dice.randint(1, 12)}"
    offset = dice.choice((1, 2, 5, 8))
    carried, run = dice.randint(1, len(model.carryovers) + 1), dice.choice((1, 1, 2, 3))
    service, offsets, carryover = registry.surrender, registry.offsets, registry.carryover

    acts = {
        "owe": (
            lambda: model.owe(account, year, amount),
            lambda: world.owe(year, (account, amount)),
        ),
        "correct": (
            lambda: model.correct(account, year, amount),
            lambda: world.owe(year, (account, amount), why="verified anew"),
        ),
        "apply": (
            lambda: model.apply(account, year, tonnes, giver),
            lambda: service.apply(account, year, tonnes, giver=giver, why=why),
        ),
        "withdraw": (
            lambda: model.withdraw(number, giver),
            lambda: service.withdraw(number, giver),
        ),
        "reject": (
            lambda: model.reject(number, own),
            lambda: service.reject(number, own, "disputed"),
        ),
        "accept": (lambda: model.accept(number, own), lambda: service.accept(number, own)),
        "retire": (lambda: model.retire(number), lambda: service.retire(number)),
        "force": (
            lambda: model.force(account, year, province),
            lambda: service.force(account, year, province),
        ),
        "book": (
            lambda: model.book(name, account, year, offset),
            lambda: offsets.book(proof(name, account, offset, year=year)),
        ),
        "revoke": (lambda: model.revoke(name), lambda: offsets.revoke(name, "false")),
        "give_notice": (model.give_notice, carryover.give_notice),
        "carry": (
            lambda: model.carry(account, tonnes),
            lambda: carryover.apply(account, tonnes),
        ),
        "carry_withdraw": (
            lambda: model.carry_withdraw(carried, account),
            lambda: carryover.withdraw(carried, account),
        ),
        "carry_run": (lambda: model.carry_run(run), lambda: carryover.run(run)),
    }
    acts |= correction_acts(dice, model, registry, account, year, province)
    weights = {"apply": 6, "accept": 5, "retire": 5, "book": 3, "give_notice": 2}
    if model.notices:
        weights |= {"carry": 9, "carry_run": 4, "carry_withdraw": 2}
    return dice.choices(list(acts), [weights.get(each, 1) for each in acts])[0], acts


def agree(model: Model, world: World) -> None:
    """Compare what everybody holds, and how every obligation stands."""
    registry = world.registry
    for product in VINTAGE:
        for account, province in PROVINCE.items():
            assert model.held.get((account, product), 0) == world.held(account, product)
            aside = [
                each.tonnes.get(product, 0)
                for each in (*model.surrenders, *model.carryovers)
                if each.giver == account and each.state == "applied"
            ]
            assert sum(aside) == world.held(account, product, Compartment.APPLIED)
            assert 0 == world.held(province_account(province), product, Compartment.APPLIED)
        waiting = [e.tonnes.get(product, 0) for e in model.surrenders if e.state == "accepted"]
        assert sum(waiting) == world.held(Institution.AUTHORITY, product, Compartment.APPLIED)
        for sink in (Institution.RETIREMENT, Institution.CARRYOVER):
            assert model.held.get((sink, product), 0) == world.held(sink, product)
    for (account, year), owed in model.owed.items():
        standing = registry.obligations.standing(account, year)
        assert owed - model.covered(account, year) == standing.due
        assert model.offset(account, year) == standing.status.offset
        is_certified = registry.store.one(
            "SELECT count(*) FROM certificates WHERE revoked_on = 0"
            " AND account_index = ? AND compliance_year = ?",
            (registry.account(account), year),
        )
        assert model.certified(account, year) == is_certified


def begin(dice: random.Random, model: Model, world: World) -> None:
    """Open accounts, each with allowances; P2's province keeps some for it besides."""
    world.products(*VINTAGE)
    for account, province in PROVINCE.items():
        world.entity(account, province, **dict.fromkeys(VINTAGE, 150))
        for product in VINTAGE:
            model.give(account, product, 150)
    for product in VINTAGE:
        world.keep("P2", PROVINCE["P2"], product, 60)
        model.kept["P2", product] = 60
    for account in PROVINCE:
        if dice.random() < 0.6:
            world.owe(2024, (account, 140))
            model.owe(account, 2024, 140)


def is_done_on_both(on_model, on_registry) -> bool:
    """Do an act on both, or see both refuse it."""
    try:
        on_model()
    except Refused:
        with pytest.raises(ActError):
            on_registry()
        return False
    on_registry()
    return True


def acts_run(world: World, seed: int) -> set[str]:
    """Do random acts on both; return which of them were not all refused."""
    dice, model, done = random.Random(seed), Model(), set()
    # One transaction around those of a day: an act that is refused still takes back its own part.
    with world.registry.transaction():
        begin(dice, model, world)
    turns = sorted(dice.sample(range(ACTS_COUNT), len(DAYS) - 1))
    for day, first, last in zip(DAYS, [0, *turns], [*turns, ACTS_COUNT], strict=True):
        if day != model.day:
            world.clock.day = day
            model.move_on(day)
        with world.registry.transaction():
            for _ in range(first, last):
                name, acts = act_drawn(dice, model, world)
                if is_done_on_both(*acts[name]):
                    done.add(name)
    agree(model, world)
    assert [] == list(obligation_differences(world.registry.store))
    assert {} == audit_findings(world.registry.store)
    return done


@pytest.mark.parametrize("database", EXAMPLES)
def test_random_acts_agree_with_a_plain_model(database, tmp_path_factory, request):
    """CEA-SUR-03 to -13, CEA-OFS-01, -05, -07 and -08, CEA-PEN-05, CEA-CRY-03 to CEA-CRY-07."""

    @settings(
        max_examples=EXAMPLES[database],
        derandomize=True,  # few as they are, they are to be of every kind
    )
    @given(seed=st.integers(0, 1 << 32))
    def run(seed):
        address = None
        if database == "postgresql":
            address = emptied(request.getfixturevalue("postgres_address"))
        with World(tmp_path_factory.mktemp("acts"), address) as world:
            done.update(acts_run(world, seed))

    done: set[str] = set()
    run()
    assert {"owe", "apply", "accept"} <= done
    if database == "sqlite":
        assert {"retire", "book", "give_notice"} <= done


def emptied(address: str) -> str:
    """Return the address of a database without tables."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return address
