"""Scripts in tests/scripts give the events written beside them, byte for byte, on both cores."""

from pathlib import Path

import pytest

from cea_exchange.matching.events import event_line
from cea_exchange.matching.market import Market
from cea_exchange.matching.script import script_events
from support.market.market_scripts import CORES, SCRIPTS, profile_of

NAMES = sorted(
    path.relative_to(SCRIPTS).as_posix().removesuffix(".events.jsonl")
    for path in SCRIPTS.rglob("*.events.jsonl")
)


def shown(script: Path, core: type) -> bytes:
    """What a script gives, as `cea-exchange run` writes it."""
    market = Market(profile_of(script), core=core)
    with script.open("rb") as lines:
        events = [event for part in script_events(lines, market, script.name) for event in part]
    market.check()
    return b"".join(map(event_line, events))


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str, core: type) -> None:
    """After a change that is meant, the file is written anew and read before it is committed."""
    expected = (SCRIPTS / f"{name}.events.jsonl").read_bytes()
    assert shown(SCRIPTS / f"{name}.jsonl", core).decode() == expected.decode()


def test_each_script_has_its_events() -> None:
    """None is left out; and the folders were found."""
    scripts = {path for path in SCRIPTS.rglob("*.jsonl") if not path.stem.endswith(".events")}
    assert scripts == {SCRIPTS / f"{name}.jsonl" for name in NAMES}
    assert len(NAMES) >= 80
