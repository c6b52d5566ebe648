"""Heads of chains between the platform and the registry: who rewrites a database is found out."""

import msgspec
import pytest

from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.ledger.anchoring import Unanchored, kept_heads, kept_last, unanchored
from cea_exchange.ledger.partners import ActsStopped
from cea_exchange.protocol.links.anchors import Anchor, Anchors
from support.ledger_attacks.attacker import rewrite
from support.platform.linked import Linked
from support.platform.platform_world import given_2024, verified_2024

HEAD = "ab" * 32


@pytest.fixture
def linked(tmp_path):
    with Linked(tmp_path) as linked:
        verified_2024(linked.world)
        linked.opened()
        given_2024(linked.world, "final", is_verified=True)
        linked.talk()
        yield linked


def stores(linked):
    return linked.world.store, linked.registry.store


def days_begin(linked, day):
    """Let a day begin at both, on which nothing else happens."""
    linked.world.day = day
    linked.platform.day_begin()
    linked.registry.day_begin()


def test_each_keeps_the_other_s_heads_after_acts(linked):
    """CEA-REG-05: what the other keeps is in the own chain."""
    platform, registry = stores(linked)
    for own, other, name in ((platform, registry, "platform"), (registry, platform, "registry")):
        heads = kept_heads(other, name)
        assert heads
        assert all(own.find("chain", "head", link_id=link) == head for link, head in heads)
        assert 0 == unanchored(own, kept_last(other, name).link_id).acts


def test_nothing_is_said_for_ever_of_what_is_kept(linked):
    """That a head was kept is a link of the chain, too, and no reason to say another."""
    platform, registry = stores(linked)
    reached = platform.link, registry.link
    for _ in range(5):
        linked.talk()
    assert reached == (platform.link, registry.link)


def test_a_day_on_which_nothing_happens_is_anchored(linked):
    """CEA-REG-05: at least daily, on days without trading too."""
    platform, registry = stores(linked)
    before = kept_last(platform, "registry"), kept_last(registry, "platform")
    days_begin(linked, 20260111)
    linked.talk()
    after = kept_last(platform, "registry"), kept_last(registry, "platform")
    assert all(now.link_id > then.link_id for then, now in zip(before, after, strict=True))


def test_heads_within_a_transaction_are_not_said(linked):
    """What is taken back must not be what a partner keeps."""
    days_begin(linked, 20260111)
    with linked.registry.transaction():
        assert linked.stream.question(None).anchors.own is None
    assert linked.stream.question(None).anchors.own is not None


def test_a_rewritten_platform_does_nothing_of_value_any_more(linked):
    """CEA-REG-05, CEA-REG-09: its rows, log, chain and items' hashes agree with themselves."""
    platform, _registry = stores(linked)
    rewrite(platform, "UPDATE allocation_lines SET tonnes = tonnes + 1")
    with pytest.raises(LinkStopped, match="expected an answer, got the registry keeps the head"):
        linked.talk()
    with pytest.raises(ActsStopped, match="the registry keeps the head"):
        platform.partners.value_check()


def test_a_rewritten_registry_does_nothing_of_value_any_more(linked):
    """CEA-REG-05, CEA-REG-09."""
    _platform, registry = stores(linked)
    rewrite(registry, "UPDATE accounts SET entity = 'Power 2' WHERE account = 'P001'")
    with pytest.raises(LinkStopped, match="the platform keeps the head"):
        linked.talk()
    with pytest.raises(ActsStopped, match="the platform keeps the head"):
        registry.partners.value_check()


def test_a_head_that_contradicts_the_kept_one_stops_the_link_alone(linked):
    """CEA-REG-05: whose database is wrong is the one that is stopped."""
    platform, registry = stores(linked)
    kept = kept_last(registry, "platform")
    forged = Anchors(own=Anchor(kept.link_id, HEAD))
    answer = msgspec.structs.replace(linked.answer, anchors=forged)
    with pytest.raises(LinkStopped, match="it says link"):
        linked.stream.take(answer)
    assert {} == registry.partners.lacking
    kept = kept_last(platform, "registry")
    question = msgspec.structs.replace(
        linked.stream.question(None), anchors=Anchors(own=Anchor(kept.link_id, HEAD))
    )
    answer = linked.platform.outbox.answer(msgspec.msgpack.encode(question))
    assert "it says link" in answer.refusal
    assert kept == kept_last(platform, "registry")
    assert {} == platform.partners.lacking


def test_an_older_head_that_was_kept_says_nothing_new(linked):
    """A question that comes late is no contradiction."""
    platform, _registry = stores(linked)
    days_begin(linked, 20260111)
    linked.talk()
    link_id, head = kept_heads(platform, "registry")[0]
    late = msgspec.structs.replace(
        linked.stream.question(None), anchors=Anchors(own=Anchor(link_id, head))
    )
    assert "" == linked.platform.outbox.answer(msgspec.msgpack.encode(late)).refusal


@pytest.mark.parametrize(
    "own",
    [
        {"link_id": 0, "head": HEAD},
        {"link_id": -1, "head": HEAD},
        {"link_id": 1 << 63, "head": HEAD},
        {"link_id": 1, "head": HEAD.upper()},
        {"link_id": 1, "head": HEAD[:-1]},
        {"link_id": 1, "head": HEAD, "more": 1},
        {"link_id": "1", "head": HEAD},
        7,
    ],
)
def test_what_is_no_head_is_refused(linked, own):
    """Nothing that a peer says ends the platform."""
    question = msgspec.to_builtins(linked.stream.question(None))
    question["anchors"] = {"own": own}
    answer = linked.platform.outbox.answer(msgspec.msgpack.encode(question))
    assert answer.refusal.startswith("question: expected a LinkQuestion, got ")


def test_what_no_anchor_covers_is_counted(linked):
    """CEA-REG-05: how many links and acts, and since when."""
    platform, registry = stores(linked)
    anchored = kept_last(platform, "registry").link_id
    before = unanchored(registry, anchored)
    assert (0, 0) == (before.acts, before.since_ns)
    for cash in (1, 2):
        linked.registry.pay_in("P001", cash)
    now_ns = linked.registry.now_ns()
    assert Unanchored(before.links + 2, 2, now_ns) == unanchored(registry, anchored)
    linked.talk()
    # That the platform's head is kept is a link of its own, and no act.
    assert 0 == unanchored(registry, kept_last(platform, "registry").link_id).acts
    assert registry.link.link_id == unanchored(registry, 0).links
