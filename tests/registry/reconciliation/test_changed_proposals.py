"""A waiting proposal that somebody rewrote in the database is not carried out by an honest person.

The attacker has a connection of his own, knows the code, and leaves triggers as they were.
"""

from hashlib import sha256

import msgspec
import pytest

from cea_exchange.ledger.chain import BEFORE_ALL, LINK_COLUMNS, Link, content_hash, head_of
from cea_exchange.ledger.database.row_log import logged_tables
from cea_exchange.registry.store import REGISTRY_SCHEMA
from support.registry.ledger_by_hand import guards_off, guards_on
from support.registry.service_callers import Staff

PROPOSED = {"op": "pay_in", "account": "P001", "cash": 5}
FORGED = msgspec.msgpack.encode({**PROPOSED, "cash": 5_000_000})
FORGED_HASH = sha256(FORGED).hexdigest()


@pytest.fixture
def staff(registry):
    registry.product_declare("CEA24", 9_749)
    registry.account_open("P001")
    return Staff(registry, second_person=("pay_in",))


@pytest.fixture
def store(staff):
    return staff.registry.store


def forge(store, number):
    """Rewrite a proposal and its hash while nothing guards and logs the rows."""
    guards_off(store)
    store.execute(
        "UPDATE proposals SET request = ?, request_hash = ? WHERE proposal_id = ?",
        (FORGED, FORGED_HASH, number),
    )
    guards_on(store)


def log_forge(store, number):
    """Make the log of rows agree with the forged proposal."""
    (table,) = (each for each in logged_tables(REGISTRY_SCHEMA) if each.name == "proposals")
    image = store.one(f"SELECT {table.image()} FROM proposals WHERE proposal_id = ?", (number,))
    guards_off(store)
    store.execute(
        "UPDATE row_changes SET image = ? WHERE table_name = 'proposals' AND row_key = ?",
        (image, str(number)),
    )
    guards_on(store)


def chain_forge(store, *, is_last_kept=False):
    """Hash the chain anew, so that it agrees with the forged log."""
    links = [Link(*row) for row in store.all(f"SELECT {LINK_COLUMNS} FROM chain ORDER BY link_id")]
    before, guard = BEFORE_ALL, links[-1].link_id
    guards_off(store)
    for link in links:
        reached = link[1:4]
        content = content_hash(store.database, store.schema, before, reached)
        head = head_of(link.link_id, before.head, reached, content, link.receipt_root)
        before = link._replace(content_hash=content, head=head)
        if not (is_last_kept and link.link_id == guard):
            store.execute(
                "UPDATE chain SET content_hash = ?, head = ? WHERE link_id = ?",
                (content, head, link.link_id),
            )
    guards_on(store)


def proposed(staff):
    number = staff.an(**PROPOSED)["proposal"]
    # Acts of others follow, so that the proposal is not in the last link.
    for name in ("P002", "P003"):
        staff.registry.account_open(name)
    return number


def nothing_paid(staff):
    assert 0 == staff.registry.store.one("SELECT count(*) FROM entries WHERE kind = 2")
    assert 0 == staff.registry.store.one("SELECT count(*) FROM decisions")


def test_a_proposal_as_it_was_made_is_approved(staff):
    number = proposed(staff)
    assert staff.bo("approve", proposal=number)["approved"] == "pay_in"


def test_a_rewritten_row_is_not_approved_and_may_be_rejected(staff, store):
    """CEA-REG-02, CEA-REG-05: 5 fen do not become 5,000,000."""
    number = proposed(staff)
    forge(store, number)
    (shown,) = staff.bo("proposals")["proposals"]
    assert shown["request"]["cash"] == 5_000_000
    error = staff.bo.error("approve", proposal=number, request_hash=shown["request_hash"])
    assert error.startswith(f"PROPOSAL_CHANGED: proposal {number}: expected the proposal as an")
    nothing_paid(staff)
    assert staff.bo("reject", proposal=number, why="changed")["rejected"] == "pay_in"


def test_a_rewritten_row_and_log_is_not_approved(staff, store):
    number = proposed(staff)
    forge(store, number)
    log_forge(store, number)
    error = staff.bo.error("approve", proposal=number)
    assert error.startswith("PROPOSAL_CHANGED: ") and "of the chain is broken" in error
    nothing_paid(staff)


def test_a_rewritten_row_log_and_chain_is_not_approved(staff, store):
    number = proposed(staff)
    forge(store, number)
    log_forge(store, number)
    chain_forge(store)
    assert staff.bo.error("approve", proposal=number).startswith("LEDGER_BROKEN: ")
    nothing_paid(staff)


def test_a_chain_that_was_rewritten_up_to_its_last_link_is_not_approved_upon(staff, store):
    number = proposed(staff)
    forge(store, number)
    log_forge(store, number)
    chain_forge(store, is_last_kept=True)
    error = staff.bo.error("approve", proposal=number)
    assert error.startswith("PROPOSAL_CHANGED: ") and "of the chain is broken" in error
    nothing_paid(staff)


def test_a_slipped_in_proposal_is_not_approved(staff, store):
    proposed(staff)
    guards_off(store)
    store.execute(
        "INSERT INTO proposals (proposal_id, op, request, request_hash, proposer, proposer_key,"
        " body, made_at_ns, expires_at_ns) SELECT 2, op, ?, ?, proposer, proposer_key, body,"
        " made_at_ns, expires_at_ns FROM proposals",
        (FORGED, FORGED_HASH),
    )
    guards_on(store)
    assert staff.bo.error("approve", proposal=2).startswith("PROPOSAL_CHANGED: ")
    nothing_paid(staff)


@pytest.mark.parametrize(
    ("column", "value"),
    [("proposer", "mo"), ("body", "registry "), ("expires_at_ns", 2**62), ("op", "transfer_in")],
)
def test_no_column_of_a_proposal_may_differ(staff, store, column, value):
    number = proposed(staff)
    guards_off(store)
    store.execute(f"UPDATE proposals SET {column} = ?", (value,))
    guards_on(store)
    error = staff.bo.error("approve", proposal=number)
    expected = "PROPOSAL_OF_OTHERS: " if column == "body" else "PROPOSAL_CHANGED: "
    assert error.startswith(expected)
    nothing_paid(staff)
