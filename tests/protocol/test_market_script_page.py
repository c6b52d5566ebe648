"""`protocol/market_script.md` has every command with its fields, and every event."""

import re

from cea_exchange.domain.records import Phase, Restriction
from cea_exchange.matching.events import Event
from cea_exchange.matching.script import COMMANDS
from support.places import ROOT

PAGE = (ROOT / "protocol" / "market_script.md").read_text(encoding="utf-8")
COMMANDS_PART, _, EVENTS_PART = PAGE.partition("## Events")
NAME = re.compile(r"`([a-z_]+)`")
ROW = re.compile(r"^\| (`[^|]*) \|(.*)\|$", re.MULTILINE)
# What stands in the cells beside fields' names.
VALUES = {"buy", "sell", "day", "ioc", "fok", "uniform", "pay_as_bid"}
VALUES |= {each.name.lower() for each in (*Phase, *Restriction)}


def rows(part):
    return {name: cells for names, cells in ROW.findall(part) for name in NAME.findall(names)}


def test_every_command_has_its_fields():
    shown = rows(COMMANDS_PART)
    del shown["cmd"]
    assert shown.keys() == COMMANDS.keys()
    for name, command in COMMANDS.items():
        required, optional = shown[name].split(" | ") if " | " in shown[name] else (shown[name], "")
        assert set(NAME.findall(required)) - VALUES == command.required.keys() - VALUES, name
        assert set(NAME.findall(optional)) - VALUES == command.optional.keys() - VALUES, name


def subclasses(cls):
    for each in cls.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_event_has_its_fields():
    shown = rows(EVENTS_PART)
    tags = {
        each.__struct_config__.tag: set(each.__struct_fields__) - {"seq"}
        for each in subclasses(Event)
        if not each.__subclasses__() and each.__struct_config__.tag is not None
    }
    assert tags.keys() <= shown.keys(), tags.keys() - shown.keys()
    assert len(tags) > 30
    # Fields that are listed once for several events stand there, or in the row before.
    for tag, fields in tags.items():
        missing = {name for name in fields if f"`{name}`" not in EVENTS_PART}
        assert not missing, (tag, missing)
