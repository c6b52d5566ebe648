"""Whatever is distributed, deducted, recalled and moved about, a few dicts say who has what."""

import random
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import Compartment, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.refusing import refuses
from support.registry.allocation_files import (
    allocation_file,
    bought,
    entities_open,
    registered,
    registry_open,
    sent,
)

ENTITIES = {"P0001": 11, "P0002": 11, "P0003": 31, "P0004": 66, "P0005": 66}
YEARS = (2023, 2024, 2025)
STAGES = ("pre", "final", "adjustment")
ISSUED = 400
STEPS = 40


class Model:
    """What entities, provinces and the authority have, in dicts; no rule is taken from the code."""

    def __init__(self):
        self.held = Counter()  # (account, year)
        self.kept = Counter()  # (account, year)
        self.authority = Counter(dict.fromkeys(YEARS, ISSUED))
        self.recalled = Counter()
        self.determined = {}  # (account, year) -> stage, tonnes
        self.given = Counter()  # (account, year), less what was recalled
        self.deductions = defaultdict(list)  # account -> in their order

    def deduct(self, account, tonnes, year=0):
        deduction = {"year": year, "remaining": tonnes, "taken": Counter()}
        self.deductions[account].append(deduction)

    def plan(self, year, tonnes, at_risk):
        """Return per account what is given, kept, recalled, ... and what of each deduction."""
        return {
            account: self._entity(account, year, determined, account in at_risk)
            for account, determined in tonnes.items()
        }

    def _entity(self, account, year, after, is_at_risk):
        _stage, before = self.determined.get((account, year), (None, 0))
        deductions = self.deductions[account]
        taken = [0] * len(deductions)
        paid = sum(deduction["taken"][year] for deduction in deductions)
        if paid > after:
            left = paid - after
            for place in reversed(range(len(deductions))):
                taken[place] = -min(left, deductions[place]["taken"][year])
                left += taken[place]
        else:
            left = max(0, after - before)
            for place, deduction in enumerate(deductions):
                taken[place] = min(left, deduction["remaining"])
                left -= taken[place]
        change = after - before - sum(taken)
        from_kept = min(max(0, -change), self.kept[account, year])
        from_held = min(max(0, -change) - from_kept, self.held[account, year])
        unrecalled = max(0, -change) - from_kept - from_held
        return {
            "given": 0 if is_at_risk else max(0, change),
            "kept": max(0, change) if is_at_risk else 0,
            "recalled": from_held,
            "recalled_kept": from_kept,
            "unrecalled": unrecalled,
            "given_before": self.given[account, year],
            "before": before,
            "remaining": unrecalled + sum(each["remaining"] for each in deductions) - sum(taken),
            "held_by_province": self.kept[account, year],
            "taken": taken,
        }

    def distribute(self, year, stage, tonnes, plan):
        for account, does in plan.items():
            for deduction, part in zip(self.deductions[account], does["taken"], strict=True):
                deduction["remaining"] -= part
                deduction["taken"][year] += part
            if does["unrecalled"]:
                self.deduct(account, does["unrecalled"], year)
            self.determined[account, year] = (stage, tonnes[account])
            self.authority[year] -= does["given"] + does["kept"]
            self.held[account, year] += does["given"] - does["recalled"]
            self.kept[account, year] += does["kept"] - does["recalled_kept"]
            self.recalled[year] += does["recalled"] + does["recalled_kept"]
            self.given[account, year] += sum(does[name] for name in ("given", "kept"))
            self.given[account, year] -= does["recalled"] + does["recalled_kept"]

    def recall(self, account, year):
        """Take what is there of what was not found; return it."""
        due = [each for each in self.deductions[account] if each["year"] == year and year]
        excess = sum(each["remaining"] for each in due)
        from_kept = min(excess, self.kept[account, year])
        from_held = min(excess - from_kept, self.held[account, year])
        self.kept[account, year] -= from_kept
        self.held[account, year] -= from_held
        self.recalled[year] += from_kept + from_held
        self.given[account, year] -= from_kept + from_held
        left = from_kept + from_held
        for each in due:
            part = min(left, each["remaining"])
            each["remaining"] -= part
            left -= part
        return from_kept + from_held

    def goes_on(self, account):
        """What is still to recall takes what has come, by year; return it (CEA-DIS-11)."""
        return sum(self.recall(account, year) for year in YEARS)

    def remaining(self):
        return sorted(
            (account, each["remaining"])
            for account, deductions in self.deductions.items()
            for each in deductions
            if each["remaining"]
        )


class Both:
    """A registry and the model, doing the same."""

    def __init__(self, data, address, seed):
        self.random = random.Random(seed)
        self.data, self.address = data, address
        self.model = Model()
        self.registry = registry_open(data, address)
        products = [f"CEA{year % 100}" for year in YEARS]
        entities_open(self.registry, ENTITIES, products, issued=ISSUED)
        self.serial = 0
        self.acts = Counter()
        self.sources = []

    @property
    def service(self):
        return self.registry.distribution

    def file(self):
        """Distribute a file; now and then something comes between the preview and that."""
        year, stage = self.random.choice(YEARS), self.random.choice(STAGES)
        chosen = [account for account in ENTITIES if self.may_follow(stage, account, year)]
        chosen = self.random.sample(chosen, self.random.randint(0, len(chosen)))
        if not chosen:
            return
        tonnes = {account: self.random.choice([1, 7, 90, 200]) for account in chosen}
        if stage != "pre":
            tonnes[chosen[0]] = 0
        at_risk = [account for account in chosen if self.random.random() < 0.3]
        terms = {"entities": ENTITIES, "year": year, "at_risk": at_risk}
        source = allocation_file(stage, tonnes, **terms)
        if source.sha256 in {each.sha256 for each in self.sources}:
            return
        preview = self.service.preview(source)
        shown = self.model.plan(year, tonnes, at_risk)
        for line in preview.plan.lines:
            expected = {name: part for name, part in shown[line.account].items() if name != "taken"}
            assert expected == {name: getattr(line, name) for name in expected}
        if self.random.random() < 0.3:
            self.random.choice([self.send, self.buy, self.deduct, self.release, self.restart])()
        plan = self.model.plan(year, tonnes, at_risk)
        needed = sum(does["given"] + does["kept"] for does in plan.values())
        try:
            self.service.distribute(preview.preview_id)
        except ActError as error:
            if "expected competent authority to hold" in str(error):
                assert needed > self.model.authority[year]
                self.acts["too little issued"] += 1
            else:
                assert "as it was shown" in str(error)
                assert self.effects(shown) != self.effects(plan)
                self.acts["changed since"] += 1
        else:
            assert self.effects(shown) == self.effects(plan)
            self.model.distribute(year, stage, tonnes, plan)
            for account in plan:
                self.goes_on(account)
            self.acts[stage] += 1
            self.acts["recalled"] += sum(does["recalled"] > 0 for does in plan.values())
            self.acts["unrecalled"] += sum(does["unrecalled"] > 0 for does in plan.values())
            taken = [part for does in plan.values() for part in does["taken"]]
            self.acts["returned"] += min(taken, default=0) < 0
            self.sources.append(source)

    def file_again(self):
        if self.sources:
            with refuses("DISTRIBUTED_BEFORE: .*a file that was not distributed"):
                self.service.preview(self.random.choice(self.sources))
            self.acts["file again"] += 1

    @staticmethod
    def effects(plan):
        """A deduction that takes no part may have come since."""
        return {
            account: {**does, "taken": [part for part in does["taken"] if part]}
            for account, does in plan.items()
        }

    def may_follow(self, stage, account, year):
        last, _tonnes = self.model.determined.get((account, year), (None, 0))
        if stage == "adjustment":
            return last in ("final", "adjustment")
        return last is None or STAGES.index(stage) >= STAGES.index(last)

    def account_of(self, held):
        """Return an account and a year in which it has something."""
        return self.random.choice(sorted(key for key, part in held.items() if part) or [None])

    def send(self):
        found = self.account_of(self.model.held)
        if found is not None:
            account, year = found
            tonnes = self.random.randint(1, self.model.held[found])
            sent(self.registry, account, tonnes, f"CEA{year % 100}")
            self.model.held[found] -= tonnes

    def buy(self):
        wanted = [
            (account, each["year"])
            for account, deductions in self.model.deductions.items()
            for each in deductions
            if each["remaining"] and each["year"]
        ]
        anything = self.random.choice(list(ENTITIES)), self.random.choice(YEARS)
        account, year = self.random.choice([*wanted, anything])
        tonnes = self.random.choice([1, 50])
        bought(self.registry, account, tonnes, f"CEA{year % 100}")
        self.model.held[account, year] += tonnes
        self.goes_on(account)

    def goes_on(self, account):
        self.acts["recalled by itself"] += self.model.goes_on(account) > 0

    def deduct(self):
        account, tonnes = self.random.choice(list(ENTITIES)), self.random.choice([3, 60, 150])
        self.serial += 1
        self.service.deduct(account, f"HB-{self.serial}", "other", tonnes, 2026_03_01)
        self.model.deduct(account, tonnes)

    def recall(self):
        """Nothing is left that a recall could take by itself, and nothing is at the venue."""
        for account in ENTITIES:
            assert 0 == self.model.goes_on(account)
            for year in YEARS:
                with refuses("NOTHING_TO_RECALL"):
                    self.service.recall_remaining(account, year)

    def release(self):
        found = self.account_of(self.model.kept)
        if found is not None:
            account = found[0]
            released = self.registry.province_holdings.release(account)
            for year in YEARS:
                part = self.model.kept[account, year]
                assert part == released.get(f"CEA{year % 100}", 0)
                self.model.held[account, year] += part
                self.model.kept[account, year] = 0
            self.goes_on(account)

    def restart(self):
        self.registry.close()
        self.registry = registry_open(self.data, self.address)

    def step(self):
        acts = [self.file, self.send, self.buy, self.deduct, self.recall, self.release]
        acts += [self.file_again, self.restart]
        self.random.choices(acts, [12, 4, 4, 2, 4, 1, 1, 1])[0]()

    def agree(self):
        model = self.model
        for year in YEARS:
            product = f"CEA{year % 100}"
            kept = Counter()
            for account, province in ENTITIES.items():
                assert model.held[account, year] == registered(self.registry, account, product)
                kept_for_it = self.registry.province_holdings.kept(account)
                assert model.kept[account, year] == kept_for_it.get(product, 0)
                kept[province] += model.kept[account, year]
            for province in set(ENTITIES.values()):
                assert kept[province] == registered(self.registry, province, product)
            assert model.authority[year] == self.institution(Institution.AUTHORITY, product)
            assert model.recalled[year] == self.institution(Institution.RECALL, product)
        still = self.service.still_to_adjust()
        assert model.remaining() == sorted((each.account, each.remaining) for each in still)

    def institution(self, index, product):
        asset = self.registry.asset(product)
        return self.registry.store.balance(Holding(index, asset, Compartment.REGISTRATION))


def play(data, address, seed, steps=STEPS):
    both = Both(Path(data), address, seed)
    for _ in range(steps):
        both.step()
        both.agree()
    both.registry.close()
    assert [] == check_ledger(data).differences
    return both.acts


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32))
def test_a_few_dicts_agree(seed):
    # CEA-ALC-09, CEA-ALC-10, CEA-ALC-12, CEA-DIS-03, CEA-DIS-04, CEA-DIS-05, CEA-DIS-11
    with tempfile.TemporaryDirectory() as data:
        play(data, None, seed)


def test_every_kind_of_act_is_among_them(tmp_path):
    acts = Counter()
    for seed in range(6):
        acts += play(tmp_path / str(seed), None, seed)
    wanted = {*STAGES, "recalled", "unrecalled", "returned", "recalled by itself"}
    wanted |= {"changed since", "file again", "too little issued"}
    assert set() == {act for act in wanted if not acts[act]}


@pytest.mark.parametrize("seed", [1])
def test_a_few_dicts_agree_on_postgresql(tmp_path, postgres_address, seed):
    play(tmp_path, postgres_address, seed)
