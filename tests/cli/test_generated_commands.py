"""Commands made of request structs: what is typed is what the daemon reads."""

import shlex
from hashlib import sha256

import msgspec
import pytest
import typer

from cea_exchange.ccer.control.admin import CCER_REQUESTS
from cea_exchange.cli.acts import bank, ccer, platform, registry, venue
from cea_exchange.cli.acts.parameters import parameters_of
from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.main import run
from cea_exchange.cli.readable import DATE_SUFFIXES, DATES, YUAN
from cea_exchange.control_plane.fields import fields_of
from cea_exchange.control_plane.requests import op_of
from cea_exchange.platform.control.admin import PLATFORM_REQUESTS
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.requests import BANK_REQUESTS
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.venue.operations.admin_client import ActRefused
from cea_exchange.venue.requests import VENUE_REQUESTS
from support.command_tree import below, command_tree
from support.supervision.alert_line import ALERT_LINE

DAEMONS = {
    "venue": (VENUE_REQUESTS, venue.VENUE),
    "registry": (REGISTRY_REQUESTS, registry.REGISTRY),
    "platform": (PLATFORM_REQUESTS, platform.PLATFORM),
    "ccer": (CCER_REQUESTS, ccer.CCER),
    "bank": (BANK_REQUESTS, bank.BANK),
}
BY_HAND = {
    "venue": {"status", "history", "cluster_handover"},
    "registry": {"status", "offset_book"},
    "platform": {"status"},
    "ccer": {"status"},
    "bank": {"batch", "status", "statement"},
}
"""A page that is shown again and again, a part of another command, or what only daemons ask; a
handover is asked of whoever leads, by `cluster handover`."""
OF_THE_DAEMON = {"due", "stop", "kill"}
LISTED_PARTS = {
    *("applications", "deliveries", "differences", "proofs", "scores", "statements", "statistics"),
    *("shares", "transfers"),
}
"""Of a noun that a look shows."""
COMMANDS = {
    daemon: [each for each in requests.types if each.command]
    for daemon, (requests, _asker) in DAEMONS.items()
}

of_each_daemon = pytest.mark.parametrize("daemon", DAEMONS)


@of_each_daemon
def test_every_request_has_a_command_or_is_known_to_have_none(daemon):
    requests, _asker = DAEMONS[daemon]
    without = {op_of(each) for each in requests.types if not each.command}
    assert without == BY_HAND[daemon]


def is_noun_then_verb(request_type):
    """The verb alone where the noun is the daemon; lists are those of one noun."""
    words = request_type.command.split()
    if len(words) != 2 and request_type.command not in OF_THE_DAEMON:
        return False
    noun_is_one = not words[0].endswith("s") or words[0] == "bank"
    is_list = request_type.is_look and words[-1].endswith("s")
    return noun_is_one and (words[-1] in LISTED_PARTS or not is_list)


@of_each_daemon
def test_a_command_is_a_noun_and_then_a_verb(daemon):
    others = [each.command for each in COMMANDS[daemon] if not is_noun_then_verb(each)]
    assert others == []


PLAIN_NUMBERS = {
    "block_id",
    *("tonnes", "count", "first", "after", "since", "as_of", "as_of_settlement"),
    *("act", "disposition_id", "entry_id", "freeze_id", "number", "preview_id", "trade_id"),
    *("unapplied_id", "operator_index", "province", "compliance_year", "year"),
    *("allocation", "case", "city", "compliance", "finding", "link_seq", "missing", "objection"),
    *("decision", "message", "misreported", "of", "quality", "timeliness", "traded_tonnes"),
    "verification",
    *("batch_number", "cancellation", "first_serial", "last_serial", "licence_id", "owner_days"),
    *("sector", "serial", "measure", "step", "adjustment", "share_bp"),
}
"""Whole numbers that a person types as the daemons have them: tonnes, counts, numbers of things."""
ON_THE_WIRE = {
    "yuan_typed": "100000",
    "price_typed": "9749",
    "date_typed": "20250716",
    "month_typed": "202507",
    "period_typed": "202507",
}


@of_each_daemon
def test_nobody_types_fen_or_yyyymmdd(daemon):
    """A whole number is one of those that are no money and no day; money and days are read so."""
    for request_type in COMMANDS[daemon]:
        for parameter in parameters_of(request_type):
            if parameter.kind not in (int, int | None):
                continue
            parser = parameter.info.parser
            if parser is None:
                assert parameter.name in PLAIN_NUMBERS, request_type
                continue
            wire = ON_THE_WIRE[parser.__name__.replace("cash_or_all", "yuan")]
            with pytest.raises(typer.BadParameter):
                parser(wire)


def test_fields_that_are_money_or_days_are_typed_so():
    """By their names, as answers are printed by theirs."""
    untyped = [
        (op_of(each), field.name)
        for requests, _asker in DAEMONS.values()
        for each in requests.types
        for field in fields_of(each)
        if each.command and field.kind is int and field.terms.typed is None
        if field.name in YUAN | DATES or field.name.endswith(DATE_SUFFIXES)
    ]
    assert untyped == []


@pytest.mark.parametrize(
    "alias", ["venue halt", "venue resume", "registry issue", "registry cancel"]
)
def test_words_that_users_learned_first_are_taken_and_not_listed(alias):
    daemon, word = alias.split()
    group = command_tree(daemon)
    assert group.commands[word].hidden
    assert f"Also: cea-exchange {alias}" in group.commands[word].help


def test_allocate_is_another_word_for_its_noun():
    commands = command_tree("registry").commands
    assert commands["allocate"].hidden
    assert list(commands["allocate"].commands) == list(commands["allocation"].commands)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Requests that were asked of a daemon, which are all refused."""
    found = []

    def refuse(_data, request, **_other):
        found.append(request)
        raise CommandError("away")

    monkeypatch.setattr("cea_exchange.cli.acts.venue.answer", lambda *a: refuse(a[0], a[2]))
    monkeypatch.setattr("cea_exchange.registry.control.admin_client.REGISTRY.ask", refuse)
    monkeypatch.setattr("cea_exchange.platform.control.admin_client.PLATFORM.ask", refuse)
    monkeypatch.setattr("cea_exchange.ccer.control.admin_client.CCER.ask", refuse)
    monkeypatch.setattr("cea_exchange.cli.acts.bank.ask", lambda *a: refuse(a[0], a[2]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CEA_EXCHANGE_DATA", str(tmp_path))
    for name in ("p001", "li", "seawind"):
        CurveKeys.new().save(tmp_path / "keys", name)
    for name in (
        *("obligations-2025.csv", "new.csv", "proofs.csv", "registry/bank/in/20260715-1.xml"),
        *("allocation-2024-final.xlsx", "units-2024.xlsx"),
        *("coal-ledger-2025-07.pdf", "july.csv", "plan-2026.csv", "calendar-2027.toml"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a,b\n")
    (tmp_path / "report.pdf").write_bytes(b"x")
    (tmp_path / "alerts.jsonl").write_bytes(ALERT_LINE)
    monkeypatch.setattr(
        "cea_exchange.cli.acts.case_papers.gain_of_case",
        lambda *_: {"realised": 0, "marked": 0},
    )
    (tmp_path / "a.csv").write_bytes(b"u\n")
    (tmp_path / "registry/bank/in/a.xml").write_bytes(b"<x/>")
    return found


@of_each_daemon
def test_an_example_is_a_request_that_the_daemon_reads(daemon, asked, capsys):
    requests, _asker = DAEMONS[daemon]
    key = CurveKeys.load("keys", "p001").public
    for request_type in COMMANDS[daemon]:
        example = request_type.example or request_type.command
        words = [key if word.startswith("$(") else word for word in shlex.split(example)]
        assert run([daemon, *words]) == 2, example
        assert "away" in capsys.readouterr().err, example
        (request,) = asked
        asked.clear()
        read = requests.decode(msgspec.msgpack.encode(request))
        assert type(read) is request_type, example


@of_each_daemon
def test_every_option_says_what_it_is(daemon):
    paths = dict(below(command_tree(daemon), daemon))
    for each in COMMANDS[daemon]:
        path = f"{daemon} {each.command}"
        options = paths[path].params
        assert [option.name for option in options if not getattr(option, "help", "")] == [], path
        assert [option.name for option in options][-3:] == ["data", "key", "json"], path


@of_each_daemon
def test_what_is_looked_at_has_a_text(daemon):
    _requests, asker = DAEMONS[daemon]
    looks = {op_of(each) for each in COMMANDS[daemon] if each.is_look}
    assert looks - {*asker.texts} == set()


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("freeze deduct 7 P002 --cash 5.00 --order 1 --court C", {"amount": 500, "unit": "fen"}),
        ("freeze deduct 7 P002 --tonnes 5 --order 1 --court C", {"amount": 5, "unit": "tonnes"}),
        ("transfer in P001 --cash 1000.00", {"amount": 100_000, "product": None}),
        ("transfer in P001 --product CEA24 --tonnes 5", {"amount": 5, "product": "CEA24"}),
        ("account at-risk P001 --no --why x", {"at_risk": False}),
        ("statement show P001 2025-07-16", {"business_date": 20250716}),
        ("surrender apply P001 2024 CEA23=1 CEA24=2", {"tonnes": {"CEA23": 1, "CEA24": 2}}),
        ("product declare CEA24 97.49", {"reference_price": 9749}),
        ("obligation take new.csv", {"file": "new.csv", "content": b"a,b\n", "province": None}),
        ("notice list --first 7", {"first": 7}),
        ("receipt show --account P001 --date 2025-07-16", {"business_date": 20250716}),
        ("bank fetch --date 2025-07-16", {"business_date": 20250716}),
        ("bank read-report a.xml", {"file": "a.xml", "sha256": sha256(b"<x/>").hexdigest()}),
        (
            "allocation preview new.csv --units a.csv",
            {"units_file": "a.csv", "units_content": b"u\n", "content": b"a,b\n"},
        ),
        *(
            (f"freeze place P001 {of} --order 1 --court C --until 2027-06-30", sent)
            for of, sent in (
                ("--product CEA24 --tonnes 5", {"product": "CEA24", "amount": 5}),
                ("--product CEA24", {"product": "CEA24"}),
                ("--cash 5.00", {"product": None, "amount": 500}),
                ("--cash all", {"product": None, "amount": None}),
            )
        ),
    ],
)
def test_what_is_typed_becomes_what_is_on_the_wire(typed, sent, asked):
    assert run(["registry", *shlex.split(typed)]) == 2
    (request,) = asked
    assert sent.items() <= request.items()
    assert set(request) - {"op"} <= {
        each.encode_name for each in msgspec.structs.fields(REGISTRY_REQUESTS.by_op[request["op"]])
    }


def test_a_payment_has_a_new_id_and_several_accounts_are_asked_one_by_one(
    asked, capsys, monkeypatch
):
    monkeypatch.setattr("cea_exchange.cli.acts.bank.ask", lambda *a: asked.append(a[2]) or {})
    assert run(["bank", "account", "open", "P001", "P002"]) == 0
    assert [each["account"] for each in asked] == ["P001", "P002"]
    for _ in range(2):
        assert run(["bank", "account", "pay-in", "P001", "1000.00", "2025-07-16"]) == 0
    first, second = asked[2:]
    assert first["cash"] == 100_000 and first["reference"] is None
    assert first["payment_id"] != second["payment_id"]
    assert run(shlex.split("bank account pay-in P001 1.00 2025-07-16 --payment-id A")) == 0
    assert asked[-1]["payment_id"] == "A"
    capsys.readouterr()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("freeze place P001 --order 1 --court C --until 2027-06-30", "or --cash"),
        ("freeze place P001 --tonnes 5 --order 1 --court C --until 2027-06-30", "--product and"),
        ("receipt show --account P001 --date 20250716", "2025-07-16"),
        ("bank read-report lost.xml", "lost.xml: expected a file, No such file"),
        ("transfer in P001 --tonnes 5", "expected --product and --tonnes, or --cash"),
        ("transfer in P001", "expected --product and --tonnes, or --cash"),
        ("transfer in P001 --product CEA24 --cash 5.00", "expected --product and --tonnes"),
        ("freeze deduct 7 P002 --order 1 --court C", "expected --tonnes or --cash"),
        ("freeze release 7 --tonnes 5 --cash 5.00 --order 1 --court C", "not both"),
        ("statement show P001 20250716", "2025-07-16"),
        ("cash pay-in P001 5", "5"),
        ("surrender apply P001 2024 CEA23", "expected PRODUCT=TONNES"),
        ("key revoke nobody.public", "expected a public key or its file"),
        ("entry list --count 0", "in the range 1<=x<=1000"),
        ("obligation take lost.csv", "lost.csv: expected a file, No such file"),
    ],
)
def test_what_can_not_be_meant_is_refused_before_it_is_asked(typed, said, asked, capsys):
    assert run(["registry", *shlex.split(typed)]) == 2
    assert said in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    ("form", "is_printed"), [("--json", True), ("--format=json", True), ("--format=text", False)]
)
def test_a_refusal_is_printed_as_json_where_the_answer_would_be(
    form, is_printed, monkeypatch, capsys
):
    words = {"expected": "an account", "got": "P9", "where": "account"}
    answer = {"op": "refused", "code": "ACCOUNT_UNKNOWN", **words}

    def refuse(*_asked, **_more):
        raise ActRefused(answer)

    monkeypatch.setattr("cea_exchange.venue.operations.admin_client.admin_ask", refuse)
    assert run(["venue", "account", "statement", "P9", "--data", "nowhere", form]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        "cea-exchange: refused ACCOUNT_UNKNOWN: account: expected an account, got P9\n"
    )
    assert printed.out == (f"{msgspec.json.encode(answer).decode()}\n" if is_printed else "")
