"""Commands made of request structs: what is typed is what the daemon reads."""

import shlex

import msgspec
import pytest

from cea_exchange.cli import registry_texts, venue_asking
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.main import run
from cea_exchange.control_plane.requests import op_of
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.venue.requests import VENUE_REQUESTS
from support.command_tree import below, command_tree

DAEMONS = {
    "venue": (VENUE_REQUESTS, venue_asking.VENUE),
    "registry": (REGISTRY_REQUESTS, registry_texts.REGISTRY),
}
BY_HAND = {
    "venue": {"status", "statement", "history", "bidding_open"},
    "registry": {
        *("status", "freeze", "freeze_all", "receipt", "offset_book"),
        *("allocation_preview", "allocation_show"),
        *("bank_batches", "bank_report", "bank_statement", "bank_fetch"),
    },
}
"""What has a command of its own that is more than one request, or none."""
EVERY = [
    pytest.param(daemon, each, id=f"{daemon}-{op_of(each)}")
    for daemon, (requests, _asker) in DAEMONS.items()
    for each in requests.types
    if each.command
]


@pytest.mark.parametrize("daemon", DAEMONS)
def test_every_request_has_a_command_or_is_known_to_have_none(daemon):
    requests, _asker = DAEMONS[daemon]
    without = {op_of(each) for each in requests.types if not each.command}
    assert without == BY_HAND[daemon]


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Requests that were asked of either daemon, which are all refused."""
    found = []

    def refuse(_data, request, **_other):
        found.append(request)
        raise CommandError("away")

    monkeypatch.setattr("cea_exchange.cli.venue_asking.answer", lambda *a: refuse(a[0], a[2]))
    monkeypatch.setattr("cea_exchange.cli.registry_texts.ask", lambda *a: refuse(a[0], a[2]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CEA_EXCHANGE_DATA", str(tmp_path))
    for name in ("p001", "li"):
        CurveKeys.new().save(tmp_path / "keys", name)
    for name in ("obligations-2025.csv", "new.csv", "proofs.csv"):
        (tmp_path / name).write_bytes(b"a,b\n")
    return found


@pytest.mark.parametrize(("daemon", "request_type"), EVERY)
def test_an_example_is_a_request_that_the_daemon_reads(daemon, request_type, asked, capsys):
    example = request_type.example or request_type.command
    key = (CurveKeys.load("keys", "p001")).public
    words = [key if word.startswith("$(") else word for word in shlex.split(example)]
    assert run([daemon, *words]) == 2
    assert "away" in capsys.readouterr().err
    (request,) = asked
    requests, _asker = DAEMONS[daemon]
    read = requests.decode(msgspec.msgpack.encode(request))
    assert type(read) is request_type


@pytest.mark.parametrize(("daemon", "request_type"), EVERY)
def test_every_option_says_what_it_is(daemon, request_type):
    paths = dict(below(command_tree(daemon), daemon))
    command = paths[f"{daemon} {request_type.command}"]
    assert [each.name for each in command.params if not getattr(each, "help", "")] == []
    assert [each.name for each in command.params][-3:] == ["data", "key", "json"]


@pytest.mark.parametrize(("daemon", "request_type"), EVERY)
def test_what_is_looked_at_has_a_text(daemon, request_type):
    _requests, asker = DAEMONS[daemon]
    assert (op_of(request_type) in asker.texts) == request_type.is_look


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("deduct 7 P002 --cash 5.00 --order 1 --court C", {"amount": 500, "unit": "fen"}),
        ("deduct 7 P002 --tonnes 5 --order 1 --court C", {"amount": 5, "unit": "tonnes"}),
        ("transfer in P001 --cash 1000.00", {"amount": 100_000, "product": None}),
        ("transfer in P001 --product CEA24 --tonnes 5", {"amount": 5, "product": "CEA24"}),
        ("account at-risk P001 --no --why x", {"at_risk": False}),
        ("statement show P001 2025-07-16", {"business_date": 20250716}),
        ("surrender apply P001 2024 CEA23=1 CEA24=2", {"tonnes": {"CEA23": 1, "CEA24": 2}}),
        ("product declare CEA24 97.49", {"reference_price": 9749}),
        ("obligation take new.csv", {"file": "new.csv", "content": b"a,b\n", "province": None}),
        ("notices --first 7", {"first": 7}),
    ],
)
def test_what_is_typed_becomes_what_is_on_the_wire(typed, sent, asked):
    assert run(["registry", *shlex.split(typed)]) == 2
    (request,) = asked
    assert sent.items() <= request.items()
    assert set(request) - {"op"} <= {
        each.encode_name for each in msgspec.structs.fields(REGISTRY_REQUESTS.by_op[request["op"]])
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("transfer in P001 --tonnes 5", "expected --product and --tonnes, or --cash"),
        ("transfer in P001", "expected --product and --tonnes, or --cash"),
        ("transfer in P001 --product CEA24 --cash 5.00", "expected --product and --tonnes"),
        ("deduct 7 P002 --order 1 --court C", "expected --tonnes or --cash"),
        ("release 7 --tonnes 5 --cash 5.00 --order 1 --court C", "not both"),
        ("statement show P001 20250716", "2025-07-16"),
        ("pay in P001 5", "5"),
        ("surrender apply P001 2024 CEA23", "expected PRODUCT=TONNES"),
        ("key revoke nobody.public", "expected a public key or its file"),
        ("entries --count 0", "greater than or equal to 1"),
        ("obligation take lost.csv", "lost.csv: No such file"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_it_is_asked(typed, said, asked, capsys):
    assert run(["registry", *shlex.split(typed)]) == 2
    assert said in capsys.readouterr().err
    assert asked == []
