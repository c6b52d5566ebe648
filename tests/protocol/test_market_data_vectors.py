"""The golden vectors of the public stream's messages, in both directions."""

import json

import msgspec
import pytest

from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol.framing import (
    CutHeader,
    DepthRequest,
    MarketRequest,
    SnapshotHeader,
    SnapshotRequest,
    StreamPlace,
    cut_header_decode,
    market_data_request_decode,
    snapshot_header_decode,
    stream_place_decode,
)
from support.places import ROOT

VECTORS = ROOT / "protocol" / "vectors" / "market_data_stream"
CASES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in VECTORS.glob("*.json")}
GOOD = sorted(name for name, case in CASES.items() if "error" not in case)
BAD = sorted(name for name, case in CASES.items() if "error" in case)
MESSAGES = {
    "cut": (cut_header_decode, CutHeader),
    "heartbeat": (stream_place_decode, StreamPlace),
    "snapshot": (snapshot_header_decode, SnapshotHeader),
    "request": (market_data_request_decode, SnapshotRequest | MarketRequest | DepthRequest),
}


def hex_bytes(name):
    lines = (VECTORS / f"{name}.hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def message_of(name):
    """The message that a case's fields name; a snapshot's tag is no field of it."""
    case = CASES[name]
    fields = case["fields"] | ({"op": "snapshot"} if case["message"] == "snapshot" else {})
    return msgspec.convert(fields, MESSAGES[case["message"]][1])


@pytest.mark.parametrize("name", GOOD)
def test_bytes_decode_to_the_message(name):
    decode, _ = MESSAGES[CASES[name]["message"]]
    assert decode(hex_bytes(name)) == message_of(name)


@pytest.mark.parametrize("name", GOOD)
def test_the_message_encodes_to_the_bytes(name):
    assert msgspec.msgpack.encode(message_of(name)).hex(" ") == hex_bytes(name).hex(" ")


@pytest.mark.parametrize("name", BAD)
def test_bad_bytes_are_refused(name):
    decode, _ = MESSAGES[CASES[name]["message"]]
    with pytest.raises(FrameError, match=CASES[name]["error"]):
        decode(hex_bytes(name))


def test_every_message_has_a_vector():
    assert {CASES[name]["message"] for name in GOOD} == set(MESSAGES)
    asked = {type(message_of(name)) for name in GOOD if CASES[name]["message"] == "request"}
    assert asked == {SnapshotRequest, MarketRequest, DepthRequest}
    assert BAD
