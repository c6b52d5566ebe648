"""A profile's values as a reader reads them: named, in percent, yuan, tonnes and days."""

from typing import NamedTuple

from cea_exchange.domain.profile import Setting
from cea_exchange.screens.texts.catalogue import texts
from cea_exchange.screens.visit import Visit

NOT_SET = (
    *("fee_bp", "fee_min_fen", "holding_limit_tonnes", "large_holder_tonnes"),
    *("bidder_cap_bp", "bidder_group_cap_bp"),
)
"""What nothing bounds where it is 0."""
WORKING_DAYS = ("bidding_apply_days", "bidding_review_days", "bidding_place_days")


class Read(NamedTuple):
    """A value of a profile: its key, its name, the value in the reader's form, rule and notice."""

    key: str
    name: str
    value: str
    rule: str
    by: str


def setting_read(visit: Visit, setting: Setting) -> Read:
    """Return a value as the reader's language has it; what that has no word for stays as it is."""
    kind, _, rest = setting.name.partition(" ")
    since = rest.removeprefix("from ")
    known = texts(visit.language)
    name = known.get(f"setting.{kind}", setting.name).format(
        time=rest, day=visit.reading.day(since) if since != rest else ""
    )
    return Read(setting.name, name, _valued(visit, setting), setting.rule, setting.by)


def _valued(visit: Visit, setting: Setting) -> str:
    value, name, known = setting.value, setting.name, texts(visit.language)
    if isinstance(value, bool):
        return known["chosen.yes" if value else "chosen.no"]
    if isinstance(value, str):
        return known.get(f"phase.{value}", known.get(f"chosen.{value}", value))
    if value == 0 and name in NOT_SET:
        return known["chosen.not_set"]
    if name.endswith("_bp"):
        return f"{value / 100:g}%"
    if name.endswith("_fen"):
        return f"{visit.reading.yuan(value)} {known['unit.yuan']}"
    if name.endswith("_days"):
        kind = "working_days" if name in WORKING_DAYS else "days"
        return visit.text(f"amount.{kind}", n=value)
    is_tonnes = "tonnes" in name
    return f"{value:,} {known['unit.tonnes']}" if is_tonnes else f"{value:,}"
