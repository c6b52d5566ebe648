"""The opening state of a year: products, what firms have banked, who belongs to which group."""

from collections.abc import Iterable

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.year.firms.draws import Draws
from cea_exchange.year.institutions.custody import account_of
from cea_exchange.year.nation.members import Member
from cea_exchange.year.published import opening_price
from cea_exchange.year.setting import YearSetting

GROUPS = ("Huarun", "Longyuan", "Datong", "Guohua", "Zhongdian")
"""Made-up names: half of all power enterprises belong to one of five."""
BANKED_TONNES = {"power": 100_000, "steel": 120_000, "cement": 20_000, "aluminium": 15_000}
"""Most that an enterprise of a sector has banked: some 4% of what its like emits in a year."""


def opening_products(setting: YearSetting) -> list[tuple[str, int]]:
    """Return the products that pay for a year, oldest first, each with its first reference price.

    What was banked is of the year before, as long as that may pay for this one: what is left of
    2024 had been carried over into 2025.
    """
    rules, price = ComplianceRules.load().vintages, opening_price(setting.year)
    own = rules.product_of(setting.year)
    before = setting.year - 1
    if rules.may_pay(before, setting.year):
        return [(rules.product_of(before), price), (own, price)]
    return [(own, price)]


def banked(setting: YearSetting, members: Iterable[Member]) -> dict[str, int]:
    """Return account -> tonnes that it has of earlier years; it is the model's own."""
    return {
        account_of(member.name): Draws(setting.seed, "banked", member.name).below(
            BANKED_TONNES[member.sector] + 1
        )
        for member in members
    }


def groups(seed: int, members: Iterable[Member]) -> dict[str, str]:
    """Return enterprise -> group, for those that belong to one."""
    found = {}
    for member in members:
        place = Draws(seed, "group", member.name).below(2 * len(GROUPS))
        if member.sector == "power" and place < len(GROUPS):
            found[member.name] = GROUPS[place]
    return found
