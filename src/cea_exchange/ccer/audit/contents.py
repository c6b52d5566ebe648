"""Checks of a CCER registry that no query can make: feed, venue's records, certificates, proofs.

These are bytes and JSON. Each certificate and proof is made again, by the function that made it,
from the rows that it must follow from.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from cea_exchange.ccer.audit.market_records import record_differences
from cea_exchange.ccer.cancellation.cancellations import (
    CANCELLATION_COLUMNS,
    Cancellation,
    Certificate,
    certificate_of,
)
from cea_exchange.ccer.cancellation.proofs import issued_item
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.institution.maintenance.feed_books import (
    FeedSent,
    sent_heads_differ,
    table_differs,
)
from cea_exchange.institution.maintenance.store_check import UNREADABLE
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links.ccer import (
    BEFORE_ALL,
    Claim,
    ClaimAnswer,
    Item,
    ProofReversed,
    head_after,
    item_decode,
)

_PROOFS = """SELECT s.proof_seq, s.kind, s.item, s.head, p.proof, p.issue_number, p.serial_first,
    p.serial_last, p.beneficiary, p.compliance_year, c.applied_on, c.decided_on, r.document
FROM proof_stream AS s
JOIN proofs AS p ON p.proof = s.proof
JOIN cancellations AS c ON c.cancellation_id = p.cancellation_id
LEFT JOIN reversals AS r ON r.proof = s.proof
ORDER BY s.proof_seq"""
_ACTS = f"""SELECT a.op, a.request, w.account, p.product,
    {", ".join(f"c.{name}" for name in Cancellation._fields)}
FROM cancellations AS c
JOIN accounts AS w ON w.account_index = c.account_index
JOIN products AS p ON p.product_index = c.asset_index
JOIN entries AS e ON e.reference = 'cancellation ' || c.cancellation_id AND e.kind IN (11, 12, 15)
JOIN acts AS a ON a.act_id = e.act_id
ORDER BY c.cancellation_id, a.act_id"""


def content_differences(store: Store) -> Iterator[str]:
    """Yield where a content and the rows that it belongs to contradict each other.

    Notes
    -----
    Rules: CCER-STL-01, CCER-CAN-02, CCER-CAN-03, CCER-LNK-01, CEA-REG-05.
    """
    for what, differences in (
        ("heads in the feed", sent_heads_differ),
        ("feed", _feed_differs),
        ("settlement records", record_differences),
        ("certificates", _certificates_differ),
        ("cancellations", _acts_differ),
        ("proofs", _proofs_differ),
        ("claims", _claims_differ),
    ):
        try:
            yield from differences(store)
        except UNREADABLE as error:
            yield f"{what}: the rows can not be read: {error}"


def _feed_differs(store: Store) -> Iterator[str]:
    sent = FeedSent(store)
    yield from sent.differences
    if not sent.is_whole:
        return
    for what, rows, sql in (
        (
            "account",
            [(index, each.account, each.holder) for index, each in enumerate(sent.accounts)],
            "SELECT account_index, account, holder FROM accounts"
            " WHERE account_index >= 0 ORDER BY account_index",
        ),
        (
            "suspension of account",
            sent.suspensions(),
            "SELECT 'suspended', account FROM accounts"
            " WHERE account_index >= 0 AND state <> 'open' ORDER BY account_index",
        ),
        (
            "instrument",
            [
                (index, each.product, each.reference_price, each.listing_date or 0)
                for index, each in enumerate(sent.products)
            ],
            "SELECT market_index, product, reference_price, listing_date FROM listings"
            " JOIN products ON product_index = asset_index ORDER BY market_index",
        ),
        (
            "key of account",
            sent.keys("account", "operator_index", "role"),
            "SELECT public_key, account, operator_index, role, revoked"
            " FROM keys LEFT JOIN accounts USING (account_index) ORDER BY public_key",
        ),
        (
            "transfer",
            sent.transfers,
            "SELECT transfer_seq, direction, account_index, asset_index, tonnes"
            " FROM market_transfers ORDER BY transfer_seq",
        ),
    ):
        yield from table_differs(store, what, rows, store.all(sql))


def _certificates_differ(store: Store) -> Iterator[str]:
    """Yield each certificate that is not the one its cancellation would be given.

    Whether each cancellation has its certificate is asked by the query `cancelled`.
    """
    rows = store.database.stream(
        f"SELECT {CANCELLATION_COLUMNS}, number, issued_on, content FROM cancellations"
        " JOIN (SELECT cancellation_id AS certified, certificate AS number, issued_on, content"
        " FROM certificates) AS t ON certified = cancellation_id ORDER BY cancellation_id"
    )
    for *row, number, issued_on, content in rows:
        found = Cancellation(*row)
        issued = certificate_of(store, found)
        kept = Certificate(number, found.cancellation_id, issued_on, content)
        if issued != kept:
            yield f"certificate {number}: its cancellation gives {issued}, kept is {kept}"


def _acts_differ(store: Store) -> Iterator[str]:
    """Yield each cancellation that is not what its application and its decision asked for."""
    for op, request, account, product, *row in store.database.stream(_ACTS):
        found = Cancellation(*row)
        asked = msgspec.msgpack.decode(bytes(request))
        kept: dict[str, Any] = {}
        if op == "cancellation_apply":
            kept = {
                "account": account,
                "instrument": product,
                "purpose": found.purpose,
                "beneficiary": found.beneficiary,
                "compliance_year": found.compliance_year,
            }
            if asked.get("tonnes"):
                kept["tonnes"] = found.tonnes
        elif op in ("cancellation_approve", "cancellation_refuse"):
            kept = {"cancellation_id": found.cancellation_id}
            if op == "cancellation_refuse":
                kept["why"] = found.why
        for name, value in kept.items():
            if value != asked.get(name, type(value)()):
                yield (
                    f"cancellation {found.cancellation_id}: {op} asked for {name}"
                    f" {asked.get(name)!r}, kept is {value!r}"
                )


def _proofs_differ(store: Store) -> Iterator[str]:
    """Yield each item of the stream of proofs that is not what its proof's rows say."""
    before = BEFORE_ALL
    for seq, kind, payload, head, proof, *row in store.database.stream(_PROOFS):
        *lot, beneficiary, year, applied_on, decided_on, document = row
        item = bytes(payload)
        what = f"item {seq} of the proofs, {proof}"
        due: Item = ProofReversed(proof=proof, document=document or "")
        if kind == "issued":
            days = (applied_on, decided_on)
            due = issued_item(store, proof, Lot(*lot), beneficiary, year, days=days)
        before = head_after(before, item)
        if head != before:
            yield f"{what}: its head is not that of its bytes and the item before"
            before = head
        try:
            said = item_decode(item)
        except DECODE_ERRORS as error:
            yield f"{what} can not be read: {error}"
            continue
        if said != due:
            yield f"{what}: the stream has {said}, the books give {due}"


def _claims_differ(store: Store) -> Iterator[str]:
    """Yield each claim of the allowance registry whose bytes or answer are of another number."""
    rows = store.database.stream("SELECT claim_seq, claim, answer FROM proof_claims")
    for seq, claim, answer in rows:
        asked = msgspec.msgpack.decode(bytes(claim), type=Claim).claim_seq
        answered = msgspec.msgpack.decode(bytes(answer), type=ClaimAnswer).claim_seq
        if (asked, answered) != (seq, seq):
            yield f"claim {seq}: its bytes are of claim {asked}, its answer of claim {answered}"
