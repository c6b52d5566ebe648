"""The golden vectors of the control messages, in both directions."""

import json

import msgspec
import pytest

from cea_exchange.protocol.control import (
    AnyControl,
    ControlError,
    control_decode,
    control_encode,
)
from support.places import ROOT

VECTORS = ROOT / "protocol" / "vectors" / "control"
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in VECTORS.glob("*.json")}
GOOD = sorted(name for name, case in CASES.items() if "error" not in case)
BAD = sorted(name for name, case in CASES.items() if "error" in case)


def hex_bytes(name):
    lines = (VECTORS / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


@pytest.mark.parametrize("name", GOOD)
def test_bytes_decode_to_the_message(name):
    assert control_decode(hex_bytes(name)) == msgspec.convert(CASES[name]["fields"], AnyControl)


@pytest.mark.parametrize("name", GOOD)
def test_the_message_encodes_to_the_bytes(name):
    message = msgspec.convert(CASES[name]["fields"], AnyControl)
    assert control_encode(message).hex(" ") == hex_bytes(name).hex(" ")


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_refused(name):
    with pytest.raises(ControlError, match=CASES[name]["error"]):
        control_decode(hex_bytes(name))


def test_there_are_cases_of_both_kinds():
    assert GOOD and BAD
