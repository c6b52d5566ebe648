"""Market scripts for tests: lines in few words, and what they give on either core."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain import profile as profiles
from cea_exchange.domain.profile import MarketRules, Profile, profile_parse
from cea_exchange.domain.profile_fields import fields_of
from cea_exchange.matching.events import Event, event_line
from cea_exchange.matching.market import Market
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.matching.script import script_events
from support.places import TESTS

CORES = (CompiledMarket, ReferenceMarket)
SCRIPTS = TESTS / "scripts"

Line = dict[str, Any]

OPENING: list[Line] = [
    {"cmd": "product", "product": "CEA23", "reference_price": "100.00"},
    {"cmd": "account", "account": "alice"},
    {"cmd": "account", "account": "bob"},
    {"cmd": "deposit", "account": "alice", "cash": "1000000.00"},
    {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 5000},
    {"cmd": "open_day", "date": "2025-07-16"},
    {"cmd": "phase", "phase": "listed"},
]
"""alice has cash, bob has allowances, listed trading is on, the band is 90.00 to 110.00."""


def buy(id: str, price: str, tonnes: int, account: str = "alice", **more: Any) -> Line:
    """An order to buy."""
    return _enter("buy", id, account, price, tonnes, more)


def restrict(account: str, *barred: str) -> Line:
    """A measure that keeps an account from what it names."""
    return {"cmd": "restrict", "account": account, "barred": [*barred]}


def sell(id: str, price: str, tonnes: int, account: str = "bob", **more: Any) -> Line:
    """An order to sell."""
    return _enter("sell", id, account, price, tonnes, more)


def cancel(id: str, account: str) -> Line:
    """A request to cancel."""
    return {"cmd": "cancel", "id": id, "account": account}


def amend(id: str, account: str, price: str, tonnes: int) -> Line:
    """A request to amend."""
    return {"cmd": "amend", "id": id, "account": account, "price": price, "tonnes": tonnes}


def _enter(side: str, id: str, account: str, price: str, tonnes: int, more: Line) -> Line:
    terms = {"product": "CEA23", "side": side, "price": price, "tonnes": tonnes}
    return {"cmd": "enter", "id": id, "account": account} | terms | more


def script_bytes(lines: Iterable[Line]) -> list[bytes]:
    """The lines of a script as they stand in a file."""
    return [json.dumps(line).encode() + b"\n" for line in lines]


def play(lines: Iterable[Line], profile: Profile | str = "cea") -> list[Event]:
    """Play a script on both cores; they must give the same JSON, which is returned as events."""
    script = script_bytes(lines)
    shown = []
    for core in CORES:
        market = Market(profile, core=core)
        events = [event for part in script_events(script, market, "script") for event in part]
        market.check()
        shown.append(events)
    compiled, reference = ([event_line(event) for event in events] for events in shown)
    assert compiled == reference
    assert [event.seq for event in shown[0]] == list(range(1, len(shown[0]) + 1))
    return shown[0]


def play_more(lines: Iterable[Line], profile: Profile | str = "cea") -> list[Event]:
    """Play lines after `OPENING`; return the events of these lines only."""
    opening = len(play(OPENING, profile))
    return play([*OPENING, *lines], profile)[opening:]


def cea_with(**values: int | str) -> Profile:
    """The profile `cea` with other values."""
    text = (Path(profiles.__file__).parent / "profiles" / "cea.toml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        name = line.partition(" = ")[0]
        if name in values:
            value = values.pop(name)
            written = str(value).lower() if isinstance(value, bool) else value
            rule = line.partition("rule = ")[2]
            line = f"{name} = {{value = {written}, rule = {rule}"
        lines.append(line)
    # What the profile leaves out has its first value; each says which rule it is of.
    rules = {field.name: field.says.rule for field in fields_of(MarketRules)}
    place = next(number for number, line in enumerate(lines) if line.startswith("calendar"))
    for name, value in values.items():
        assert name in rules, f"no such value in a profile: {name}"
        written = str(value).lower() if isinstance(value, bool) else value
        lines.insert(place + 1, f'{name} = {{value = {written}, rule = "{rules[name]}"}}')
    return profile_parse("\n".join(lines), "cea with other values")


PROFILE = "# profile: "


def profile_of(script: Path) -> Profile | str:
    """What a script is played under: `cea`, with what its line `# profile: NAME = VALUE` says."""
    if script.parent.name == "pilots":
        return script.stem
    if script.stem.startswith("ccer_"):
        return "ccer"
    lines = script.read_text(encoding="utf-8").splitlines()
    changes = [line.removeprefix(PROFILE) for line in lines if line.startswith(PROFILE)]
    values = dict(value.split(" = ") for line in changes for value in line.split(", "))
    return cea_with(**values) if values else "cea"


def script_lines(script: Path) -> list[Line]:
    """A script's commands, without its comments."""
    lines = script.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line and not line.startswith("#")]
