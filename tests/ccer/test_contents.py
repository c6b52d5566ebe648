"""What contradicts itself in a CCER registry that somebody rewrote, its hashes too."""

import json
from shutil import copytree

import msgspec
import numpy as np
import pytest

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.ccer.control.service import CcerService
from cea_exchange.ccer.store import CcerStore
from cea_exchange.cli.main import run
from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Reason
from cea_exchange.institution.maintenance.store_check import store_check
from cea_exchange.institution.maintenance.venue_books import VenueBooks
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.protocol import control
from cea_exchange.protocol.links.ccer import BEFORE_ALL, ProofIssued, head_after, item_decode
from cea_exchange.venue.registry_link import ledger_books
from support.ccer.ccer_and_exchange import LOG_ID, CcerAndExchange, P
from support.ccer.programme import DayClock, registry_open
from support.ccer.programme_service import in_process
from support.ledger_attacks.attacker import rewrite, rewritten
from support.registry.ledger_by_hand import changed

KEY = "k" * 40
CHECKS = checks()
CHANGES = [
    # Certificates and cancellations.
    (
        "certificate CC-2024-000001",
        'UPDATE certificates SET content = replace(content, \'"holder": "A"\','
        ' \'"holder": "B"\') WHERE cancellation_id = 1',
    ),
    (
        "certificate CC-2024-000001",
        "UPDATE certificates SET content = replace(content, '\"tonnes\": 100', '\"tonnes\": 900')"
        " WHERE cancellation_id = 1",
    ),
    ("certificate CC-2024-000001", "UPDATE certificates SET content = '{}'"),
    ("certificate CC-2024-000001", "UPDATE certificates SET issued_on = issued_on - 1"),
    (
        "certificate CC-2023-000001",
        "UPDATE certificates SET certificate = 'CC-2023-000001' WHERE cancellation_id = 1;"
        " UPDATE cancellations SET certificate = 'CC-2023-000001' WHERE cancellation_id = 1",
    ),
    ("cancellation 1: its entry of kind 11", "UPDATE cancellations SET account_index = 4"),
    (
        "cancellation 2: its entry of kind 12",
        "UPDATE cancellations SET account_index = 4 WHERE cancellation_id = 2",
    ),
    ("cancellation 1: its entry of kind 15", "UPDATE cancellations SET decided_on = 20240101"),
    (
        "cancellation 2: its entry of kind 12",
        "UPDATE cancellations SET decided_on = decided_on + 1 WHERE cancellation_id = 2",
    ),
    ("cancellation 1: its entry of kind 11", "UPDATE cancellations SET applied_on = 20240101"),
    (
        "item 1 of the proofs",
        "UPDATE cancellations SET beneficiary = 'P002' WHERE cancellation_id = 1;"
        " UPDATE proofs SET beneficiary = 'P002'",
    ),
    ("item 2 of the proofs", "UPDATE reversals SET document = 'order 9'"),
    # What courts and the supervisor ordered.
    ("freeze 1: its entries leave 300 t", "UPDATE freezes SET in_force = 200"),
    ("freeze 1: its orders are of 400 t", "UPDATE freezes SET ordered = ordered + 1"),
    (
        "freeze 1: its orders are of 400 t",
        "UPDATE freeze_acts SET tonnes = 99 WHERE act = 'release'",
    ),
    ("freeze 1: it is of another account", "UPDATE freezes SET account_index = 4"),
    ("order order 3: returned are", "UPDATE restitutions SET cancelled = cancelled - 1"),
    ("order order 9: returned are", "UPDATE restitutions SET document = 'order 9'"),
    # What the exchange traded.
    ("trade 1 of accounts", "UPDATE trades SET price = price + 1 WHERE trade_id = 1"),
    ("trade 1 of accounts", "UPDATE trades SET cash = cash + 1 WHERE trade_id = 1"),
    ("trade 1 of accounts", "UPDATE trades SET buy_fee = 0 WHERE trade_id = 1"),
    ("trade 1 of accounts", "UPDATE trades SET sell_fee = 0 WHERE trade_id = 1"),
    ("trade 1 of accounts", "UPDATE trades SET method = 2 WHERE trade_id = 1"),
    (
        "trade 1 of accounts",
        "UPDATE trades SET trading_date = trading_date - 1 WHERE trade_id = 1",
    ),
    ("trade 1: its delivery is missing", "UPDATE deliveries SET business_date = 20240101"),
    ("trade 1 of accounts", "UPDATE trades SET trade_id = 99 WHERE trade_id = 1"),
    ("busts (settlement_seq", "UPDATE busts SET reason = reason + 1 WHERE reason > 0"),
    ("busts (settlement_seq", "DELETE FROM busts WHERE reason > 0"),
    ("day_closes (trading_date", "DELETE FROM day_closes WHERE settlement_seq > 0"),
    ("day_closes (trading_date", "UPDATE day_closes SET settlement_seq = settlement_seq + 1"),
    (
        "day_closes (trading_date",
        "INSERT INTO day_closes SELECT 20240101, market_index, 1 FROM listings",
    ),
    ("market_days (trading_date", "UPDATE market_days SET opened_seq = opened_seq + 1"),
    ("checkpoints (settlement_seq", "UPDATE checkpoints SET trading_date = 20240101"),
    (
        "checkpoints (settlement_seq",
        "UPDATE checkpoints SET venue_hash = 'f', registry_hash = 'f'",
    ),
    (
        "deliveries WHERE kind <> 'trade'",
        "UPDATE deliveries SET business_date = 20240101 WHERE kind <> 'trade'",
    ),
    (
        "no answer of the venue caused it",
        "UPDATE entries SET business_date = 20240101 WHERE kind = 4",
    ),
    # What it was sent.
    (
        "instrument 'WIND-1-2022': venue was sent (0, 'WIND-1-2022', 8000, 0)",
        "UPDATE listings SET reference_price = 1",
    ),
    ("instrument 'WIND-1-2022': venue was sent", "UPDATE listings SET listing_date = 20240101"),
    ("instrument WIND-1-2022: its first transfer", "UPDATE listings SET account_index = 4"),
    ("instrument WIND-1-2022: its first transfer", "UPDATE listings SET business_date = 20240101"),
    (
        "of account SEAWIND: venue was sent",
        "UPDATE market_transfers SET tonnes = tonnes + 1 WHERE transfer_seq ="
        " (SELECT min(transfer_seq) FROM market_transfers WHERE state = 'completed')",
    ),
    (
        "of account SEAWIND: venue was sent",
        "UPDATE market_transfers SET tonnes = tonnes - 1 WHERE direction = 'recall'",
    ),
    (
        "is missing, or of other terms",
        "UPDATE market_transfers SET entry_id = 1 WHERE state = 'completed' AND direction = 'in'",
    ),
    (
        "the venue's answer gives",
        "UPDATE market_transfers SET state = 'rejected' WHERE direction = 'out'",
    ),
    ("the venue's answer gives", "UPDATE market_transfers SET reason = 1 WHERE direction = 'out'"),
    (
        "key of account 'A': venue was sent",
        f"UPDATE keys SET revoked = 0 WHERE public_key = '{KEY}'",
    ),
    ("key of account 'B': venue was sent", "UPDATE keys SET account_index = 4"),
    ("suspension of accounts", "UPDATE accounts SET state = 'open' WHERE account = 'B'"),
    ("account 'A': venue was sent", "UPDATE accounts SET holder = 'staff' WHERE account = 'A'"),
    ("feed item 3 is missing", "DELETE FROM feed WHERE transfer_seq = 3"),
    ("feed item 3", "UPDATE feed SET item = x'00' WHERE transfer_seq = 3"),
    (
        "transfer 1: its entry of kind 20",
        "UPDATE lot_transfers SET counter_index = 4 WHERE transfer_id = 1",
    ),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of a CCER registry with every kind of row that is compared; to be copied."""
    folder = tmp_path_factory.mktemp("eventful")
    with CcerAndExchange(folder) as world:
        eventful(world)
    return folder


def eventful(world):
    """Let CCERs be traded, given back, cancelled and recalled; leave one transfer under way."""
    ccer = world.listed().ccer
    for account in ("A", "B"):
        world.pay_in(account, 50_000_000_00)
    ccer.trading_keys.grant(KEY, "A", 1, "canceller")
    ccer.trading_keys.revoke(KEY)
    ccer.accounts.restrict("B", "false licence")
    ccer.transfers.transfer("transfer", "SEAWIND", "A", P, 1_000, document="contract")
    decided(world)
    court = {"order": "(2024) 1", "court": "Beijing"}
    ccer.freezes.release(ccer.freezes.freeze("A", P, 400, **court).freeze_id, 90, **court)
    ccer.freezes.deduct(1, 10, "P001", **court)
    trade = world.trade("SEAWIND", "A", 1_000)
    back = world.trade("SEAWIND", "A", 10)
    assert world.bust(world.trade("SEAWIND", "A", 20)) is Reason.NONE
    world.next_day()
    assert world.bust(back) is Reason.NONE
    ccer.market_transfers.from_market("A", P, 500)
    world.meet()
    assert world.bust(trade) is Reason.ALLOWANCES_INSUFFICIENT
    ccer.supervision.restitution_order("WIND-1", 6_000, "order 3")
    world.feed()
    # The answer is settled on a later day than the venue's.
    world.clock.days_on(1)
    world.next_day()
    ccer.market_transfers.to_market("A", P, 50)


def decided(world):
    """Approve one cancellation, refuse another, and reverse the proof of the first."""
    cancellations = world.ccer.cancellations
    use = {"purpose": "national_ets", "beneficiary": "P001", "compliance_year": 2024}
    first, second = (cancellations.apply("A", P, tonnes, **use) for tonnes in (100, 60))
    (proof,) = cancellations.approve(first)["proofs"]
    cancellations.refuse(second, "not needed")
    world.ccer.proofs.reverse(proof, "order 1")


def found(data):
    with CcerStore.open_reader(data) as store, store.view():
        return differences(store)


def differences(store):
    return store_check(store, CHECKS, content_differences(store)).differences


def test_an_honest_registry_contradicts_nothing(tmp_path, database_address):
    """CCER-STL-01, CCER-CAN-03, CCER-LNK-01: on both databases; and a changed price does."""
    with CcerAndExchange(tmp_path, database_address) as world:
        eventful(world)
        store = world.ccer.store
        for table in ("busts", "day_closes", "certificates", "reversals", "lot_transfers"):
            assert store.one(f"SELECT count(*) FROM {table}"), table
        with store.view():
            assert differences(store) == []
        rewrite(store, "UPDATE trades SET price = price + 1 WHERE trade_id = 1")
        with store.view():
            assert any("trade 1 of accounts" in each for each in differences(store))


@pytest.mark.parametrize(("words", "statement"), CHANGES)
def test_what_was_rewritten_consistently_is_found(data, tmp_path, words, statement):
    """CCER-STL-01, CCER-CAN-03, CCER-LNK-01: though log, chain and head agree with it."""
    copied = copytree(data, tmp_path / "copied")
    rewritten(copied, CcerStore, *statement.split("; "))
    assert any(words in each for each in found(copied)), found(copied)


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        (control.TransferIn, {"amount": 7}, "of account SEAWIND: venue was sent"),
        (control.ProductDeclared, {"reference_price": 7}, "sent (0, 'WIND-1-2022', 7, 0)"),
        (control.AccountDeclared, {"holder": "staff"}, "sent (0, 'SEAWIND', 'staff')"),
        (control.KeyGranted, {"role": "reader"}, "key of account 'A': venue was sent"),
    ],
)
def test_an_item_of_the_feed_that_was_rewritten_is_found(data, tmp_path, kind, changed, words):
    """CCER-PRD-02, CCER-ACC-01: the tables say otherwise."""
    copied = copytree(data, tmp_path / "copied")
    with CcerStore.open_reader(copied) as store:
        items = map(
            control.control_decode, store.column("SELECT item FROM feed ORDER BY transfer_seq")
        )
        item = next(each for each in items if isinstance(each.command, kind))
    command = msgspec.structs.replace(item.command, **changed)
    encoded = control.control_encode(msgspec.structs.replace(item, command=command))
    rewritten(
        copied,
        CcerStore,
        f"UPDATE feed SET item = x'{encoded.hex()}' WHERE transfer_seq = {item.transfer_seq}",
    )
    assert any(words in each for each in found(copied))


def test_a_head_in_the_feed_contradicts_a_chain_that_was_made_anew(data, tmp_path):
    """CEA-REG-05."""
    copied = copytree(data, tmp_path / "copied")
    rewritten(copied, CcerStore, "UPDATE projects SET title = 'Onshore wind'")
    assert any("the venue was sent" in each for each in found(copied))


def test_a_record_that_was_rewritten_with_its_trade_contradicts_the_days_totals(data, tmp_path):
    """CCER-STL-01: and a transfer's answer of other tonnes contradicts what was asked."""
    for kind, words in (
        (EventKind.TRADE, "the venue closed with"),
        (EventKind.DEPOSITED, "the venue's answer says"),
    ):
        copied = copytree(data, tmp_path / kind.name)
        rewritten(copied, CcerStore, *records_changed(copied, kind))
        assert any(words in each for each in found(copied)), words


def records_changed(data, kind):
    """Return statements that change the first record of a kind, and the trade that it is."""
    with CcerStore.open_reader(data) as store:
        for first, records in store.all("SELECT first_seq, records FROM settlement_runs"):
            run = np.frombuffer(records, EVENT_DTYPE).copy()
            places = np.flatnonzero((run["kind"] == kind) & (run["product_index"] == 0))
            if not len(places):
                continue
            record = run[places[0] : places[0] + 1]
            if kind == EventKind.DEPOSITED:
                record["tonnes"] += 1
            else:
                record["price"] += 1
                record["cash"] += record["tonnes"]
            content = run.tobytes().hex()
            yield f"UPDATE settlement_runs SET records = x'{content}' WHERE first_seq = {first}"
            if kind == EventKind.TRADE:
                seq = record["settlement_seq"][0]
                yield (
                    "UPDATE trades SET price = price + 1, cash = cash + tonnes"
                    f" WHERE settlement_seq = {seq}"
                )
            return


def test_a_proof_that_was_sent_otherwise_is_found(data, tmp_path):
    """CCER-LNK-01: though its head, and those behind it, were computed anew."""
    copied = copytree(data, tmp_path / "copied")
    with CcerStore.open_reader(copied) as store:
        items = store.all("SELECT proof_seq, item FROM proof_stream ORDER BY proof_seq")
    statements, head = [], BEFORE_ALL
    for seq, payload in items:
        item = item_decode(payload)
        if isinstance(item, ProofIssued):
            item = msgspec.structs.replace(item, account="P002")
        encoded = msgspec.msgpack.encode(item)
        head = head_after(head, encoded)
        statements.append(
            f"UPDATE proof_stream SET item = x'{encoded.hex()}', head = '{head}'"
            f" WHERE proof_seq = {seq}"
        )
    rewritten(copied, CcerStore, *statements)
    assert any("item 1 of the proofs" in each for each in found(copied))
    spoiled = copytree(data, tmp_path / "spoiled")
    rewritten(spoiled, CcerStore, "UPDATE proof_stream SET head = 'f' WHERE proof_seq = 1")
    assert any("its head is not that of its bytes" in each for each in found(spoiled))


@pytest.mark.parametrize(
    ("words", "statement"),
    [
        ("certificates: the rows can not be read", "DELETE FROM products"),
        (
            "settlement records: the rows can not be read",
            "UPDATE settlement_runs SET records = zeroblob(160 * record_count)",
        ),
        ("item 2 of the proofs", "UPDATE proof_stream SET item = x'00' WHERE proof_seq = 2"),
    ],
)
def test_rows_that_can_not_be_read_are_a_difference(data, tmp_path, words, statement):
    """CEA-REG-05: and no traceback."""
    copied = copytree(data, tmp_path / "copied")
    with CcerStore.open(copied) as store:
        changed(store, statement)
    assert any(words in each for each in found(copied)), found(copied)


@pytest.mark.parametrize("command", ["reconcile", "verify", "verify --venue .", "audit"])
def test_the_commands_name_what_was_rewritten(data, tmp_path, monkeypatch, capsys, command):
    """CCER-CAN-03: and pass an honest registry; in JSON too."""
    copied = copytree(data, tmp_path / "copied")
    monkeypatch.setattr(ledger_books, "venue_books", lambda _folder: books_of_venue(data))
    line = ["ccer", *command.split(), "--data", str(copied)]
    assert run(line) == 0
    rewritten(copied, CcerStore, "UPDATE certificates SET issued_on = issued_on - 1")
    capsys.readouterr()
    for form in ([], ["--json"]):
        assert run([*line, *form]) == 1
        said = capsys.readouterr()
        assert "certificate CC-2024-000001: its cancellation gives" in said.out
        assert "All is well" not in said.out and "ccer" in said.err.lower()
    if command == "audit":
        assert json.loads(said.out)["summary"]["all_well"] is False
        assert run([*line, "--show", "entries_caused"]) == 0


def books_of_venue(data):
    """Return what the folder of the venue has after it took all that an honest registry sent."""
    with CcerStore.open_reader(data) as store:
        items = store.column("SELECT item FROM feed ORDER BY transfer_seq")
        taken = [*map(control.control_decode, items)]
        return VenueBooks(LOG_ID, 0, taken, [*records_from(store)])


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A folder of a CCER registry in which persons asked for two cancellations."""
    folder, clock = tmp_path_factory.mktemp("asked"), DayClock()
    with registry_open(folder, clock) as ccer:
        staff = in_process(CcerService(ccer, proposal_s=10_000_000), clock)
        staff.accounts()
        staff.project_registered()
        staff.batch_issued({"2022": 10_000})
        staff.cancelled(10, purpose="company_offset", beneficiary="Wind Fair")
        asked = {"account": "SEAWIND", "instrument": P, "purpose": "public_benefit", "tonnes": 5}
        number = staff.of_two("li", "wang", "cancellation_apply", **asked)["cancellation_id"]
        refused = {"cancellation_id": number, "why": "not needed"}
        staff.of_two("gu", "ma", "cancellation_refuse", **refused)
    assert found(folder) == []
    return folder


@pytest.mark.parametrize(
    ("words", "statement"),
    [
        (
            "cancellation_apply asked for beneficiary",
            "UPDATE cancellations SET beneficiary = 'Sea Fair' WHERE cancellation_id = 1;"
            " UPDATE certificates SET content = replace(content, 'Wind Fair', 'Sea Fair')",
        ),
        (
            "cancellation_apply asked for purpose",
            "UPDATE cancellations SET purpose = 'event_neutrality' WHERE cancellation_id = 2",
        ),
        (
            "cancellation_refuse asked for why",
            "UPDATE cancellations SET why = 'no reason' WHERE cancellation_id = 2",
        ),
    ],
)
def test_a_cancellation_that_nobody_asked_for_so_is_found(asked, tmp_path, words, statement):
    """CCER-CAN-02, CCER-CAN-03: by the request that was kept with the act."""
    copied = copytree(asked, tmp_path / "copied")
    rewritten(copied, CcerStore, *statement.split("; "))
    assert any(words in each for each in found(copied)), found(copied)
