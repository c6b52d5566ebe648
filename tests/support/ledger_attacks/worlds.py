"""Honest folders in which nearly every kind of row exists; attacks change copies of them.

Each folder has acts that an anchor covers and, behind the last anchor, acts that none covers. The
folder ``copies/`` keeps two older copies of the database: ``before_anchor`` and ``behind_anchor``.
"""

from pathlib import Path
from shutil import copytree

import msgspec

from ccer import test_contents
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.maintenance.venue_books import VenueBooks
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.platform.enforcement.cases import Breach
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.control import LedgerHead, control_decode, control_encode
from cea_exchange.registry.ccer_link.turns import CcerTurns
from cea_exchange.registry.store import RegistryStore
from support.ccer.ccer_and_exchange import LOG_ID as CCER_LOG_ID
from support.ccer.ccer_and_exchange import CcerAndExchange, P
from support.ledger_attacks.attacker import head_replaced, rewrite
from support.platform.enforcement import decided, taken
from support.platform.linked import Linked
from support.platform.platform_world import PROVINCE, given_2024, verified_2024
from support.registry.compliance_world import World
from support.registry.eventful_registry import Eventful
from support.registry.registry_venue import LOG_ID
from support.registry.service_callers import Staff, by_two

COURT = {"order": "E 9", "court": "Wuhan Court"}
BEFORE_ANCHOR, BEHIND_ANCHOR = "before_anchor", "behind_anchor"


def copy_kept(data: Path, institution: str, name: str) -> None:
    """Keep a copy of an institution's folder as it is now."""
    copytree(data / institution, data / "copies" / name)


def books_taken(data: Path, kind: type[RecordStore], log_id: str, last_item: int) -> VenueBooks:
    """Return what a venue has that took the feed up to an item and sent all its records."""
    with kind.open_reader(data) as store:
        items = store.column(
            "SELECT item FROM feed WHERE transfer_seq <= ? ORDER BY transfer_seq", (last_item,)
        )
        return VenueBooks(log_id, 0, [*map(control_decode, items)], [*records_from(store)])


def registry_made(data: Path) -> VenueBooks:
    """Fill a registry's folder; return what its venue has."""
    world = Eventful(data, None)
    world.run()
    world.restart()
    copy_kept(data, "registry", BEFORE_ANCHOR)
    world.day_close()
    world.meet()
    last_item = world.venue.feed_seq
    world.restart()
    copy_kept(data, "registry", BEHIND_ANCHOR)
    staff = Staff(world.registry)
    assert staff.an("account_suspend", account="P3", why="court order 13")["ok"]
    ordered = {"account": "P1", "product": "CEA24", "amount": 3, "request_id": "r2"}
    by_two(staff.li, staff.mo, "transfer_out", **ordered)
    ordered = {"account": "P1", "product": "CEA24", "amount": 2, "request_id": "r3"}
    assert staff.li("transfer_out", **ordered)["ok"]
    world.registry.close()
    return books_taken(data, RegistryStore, LOG_ID, last_item)


def platform_made(data: Path) -> None:
    """Fill a folder of a platform and of the registry that it is linked with."""
    with Linked(data) as linked:
        world, cases = linked.world, linked.platform.cases
        verified_2024(world)
        linked.opened()
        given_2024(world, "final", is_verified=True)
        linked.talk()
        copy_kept(data, "platform", BEFORE_ANCHOR)
        linked.platform.obligations.set_all(PROVINCE, 33, 2024)
        world.day = 20260901
        number = decided(world, 100_000_000, Breach("fraud", 20260701, 2024))
        taken(world, number, "serve", day=20260920)
        cases.payments.pay(PROVINCE, number, 10_000_000, "slip 1")
        world.day = 20260922
        parts = [(20261020, 50_000_000), (20261120, 40_000_000)]
        cases.payments.instalments(PROVINCE, number, parts, "plea 1")
        taken(world, number, "ask_review")
        cases.appeals.rule(PROVINCE, number, "changed", 60_000_000, "ruling 1", "")
        other = decided(world, 100_000_000, Breach("fraud", 20260801, 2024, apart="other month"))
        linked.platform.day_begin()
        linked.registry.day_begin()
        linked.talk()
        copy_kept(data, "platform", BEHIND_ANCHOR)
        taken(world, number, "publish")
        taken(world, other, "serve")
        taken(world, other, "ask_review")
        cases.appeals.rule(PROVINCE, other, "revoked", 0, "ruling 2", "")
        linked.registry.enforcement.freeze("P001", "CEA24", 5, until=20991231, **COURT)


def ccer_made(data: Path) -> VenueBooks:
    """Fill a folder of a CCER registry and an allowance registry; return what the venue has."""
    with CcerAndExchange(data) as world:
        test_contents.eventful(world)
        with World(data, day=world.clock.day) as allowances:
            allowances.registry.offsets.by_link_only = True
            for entity in ("P001", "P002"):
                allowances.entity(entity)
            allowances.owe(2024, ("P001", 40_000), ("P002", 40_000))
            turns = CcerTurns(allowances.registry.ccer_proofs)
            talked(world, turns)
            copy_kept(data, "ccer", BEFORE_ANCHOR)
            cancelled(world, 50, purpose="national_ets", beneficiary="P001", compliance_year=2024)
            talked(world, turns)
            copy_kept(data, "ccer", BEHIND_ANCHOR)
            cancelled(world, 5, purpose="company_offset", beneficiary="Wind Fair")
            world.ccer.freezes.freeze("A", P, 7, **COURT)
        last_item = world.venue.feed_seq
    return books_taken(data, CcerStore, CCER_LOG_ID, last_item)


def talked(world: CcerAndExchange, turns: CcerTurns) -> None:
    """Let both registries talk until nothing is left to say."""
    for _ in range(4):
        turns.take(msgspec.msgpack.encode(world.ccer.link.answer(turns.question())))


def cancelled(world: CcerAndExchange, tonnes: int, **use: object) -> None:
    """Let account A cancel CCERs."""
    world.ccer.cancellations.approve(world.ccer.cancellations.apply("A", P, tonnes, **use))


def attacked(data: Path, kind: type[RecordStore], *statements: str) -> None:
    """Rewrite an institution at rest, and the heads of its chain in its own feed to the venue."""
    with kind.open(data) as store:
        last = rewrite(store, *statements)
        while items := items_corrected(store):
            last = rewrite(store, *items)
    head_replaced(kind.folder(data), last)


def items_corrected(store: RecordStore) -> list[str]:
    """Return a statement for each item of the feed that has another head than the chain."""
    if isinstance(store, PlatformStore):
        return []
    found = []
    for transfer_seq, payload in store.all("SELECT transfer_seq, item FROM feed"):
        try:
            item = control_decode(payload)
        except ValueError:
            continue
        if not isinstance(getattr(item, "command", None), LedgerHead):
            continue
        head = store.find("chain", "head", link_id=item.command.link_id)
        if head not in (None, item.command.head):
            command = msgspec.structs.replace(item.command, head=head)
            encoded = control_encode(msgspec.structs.replace(item, command=command))
            found.append(
                f"UPDATE feed SET item = x'{encoded.hex()}' WHERE transfer_seq = {transfer_seq}"
            )
    return found
