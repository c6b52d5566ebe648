"""Markets whose profile has notices, and short ways to act on them: for the tests of both."""

from datetime import date
from importlib import resources

from cea_exchange.domain.profile import profile_parse

CEA_TEXT = (
    resources.files("cea_exchange.domain").joinpath("profiles/cea.toml").read_text(encoding="utf-8")
)
FIRST, SECOND, THIRD = "2025-02-27", "2025-03-03", "2025-03-04"


def notice(since=date(2025, 3, 1), why="relief", rule="CEA-NTC-01", **values):
    """Return a notice as profile text."""
    lines = [f"from = {since}", f'why = "{why}"', f'rule = "{rule}"']
    for name, value in values.items():
        if isinstance(value, dict):
            value = "{" + ", ".join(f'"{k}" = "{v}"' for k, v in value.items()) + "}"
        lines.append(f"{name} = {value}")
    return "\n[[notice]]\n" + "\n".join(lines) + "\n"


def profile_with(*notices, text=CEA_TEXT):
    return profile_parse(text + "".join(notices), "noticed")


def listed(market, day):
    """Close the day that is open and open another, in its listed phase."""
    if market.core.day_is_open:
        market.close_day()
    events = market.open_day(day)
    market.phase("listed")
    return events


def reason(events):
    """Return why a command was refused; None if it was not."""
    return next((event.reason for event in events if event.event.endswith("_rejected")), None)


def enter(market, account, side, price, tonnes, order_id):
    return market.enter(account, "CEA24", side, price=price, tonnes=tonnes, order_id=order_id)
