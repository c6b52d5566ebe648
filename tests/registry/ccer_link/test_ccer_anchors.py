"""Heads of chains between both registries: who rewrites a database is found out."""

import msgspec
import pytest

from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.ledger.anchoring import kept_heads, kept_last
from cea_exchange.ledger.partners import ActsStopped
from cea_exchange.protocol.links.anchors import Anchor, Anchors
from cea_exchange.registry.ccer_link.turns import CcerTurns
from support.ccer.both_registries import Both
from support.ledger_attacks.attacker import rewrite

HEAD = "ab" * 32


class Talking(Both):
    """Both registries, with what goes between them as bytes."""

    def __init__(self, folder):
        super().__init__(folder)
        self.turns = CcerTurns(self.proofs)

    def talk(self, times=3):
        for _ in range(times):
            answer = self.ccer.link.answer(self.turns.question())
            self.turns.take(msgspec.msgpack.encode(answer))


@pytest.fixture
def both(tmp_path):
    with Talking(tmp_path) as both:
        both.cancel()
        both.talk()
        yield both


def stores(both):
    return both.ccer.books.store, both.world.registry.store


def test_each_keeps_the_other_s_heads_after_acts(both):
    """CEA-REG-05: what the other keeps is in the own chain."""
    ccer, registry = stores(both)
    for own, other, name in ((ccer, registry, "ccer"), (registry, ccer, "registry")):
        heads = kept_heads(other, name)
        assert heads
        assert all(own.find("chain", "head", link_id=link) == head for link, head in heads)
    before = kept_last(registry, "ccer")
    both.cancel()
    both.talk()
    assert kept_last(registry, "ccer").link_id > before.link_id


def test_nothing_is_said_for_ever_of_what_is_kept(both):
    """That a head was kept is a link of the chain, too, and no reason to say another."""
    ccer, registry = stores(both)
    reached = ccer.link, registry.link
    both.talk(5)
    assert reached == (ccer.link, registry.link)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE certificates SET issued_on = issued_on + 1",
        "UPDATE proofs SET beneficiary = 'P002'",
        "UPDATE acts SET person = 'Xu Ke'",
    ],
)
def test_a_rewritten_ccer_registry_does_nothing_of_value_any_more(both, statement):
    """CEA-REG-05, CEA-REG-09: its rows, log and chain agree with themselves."""
    ccer, _registry = stores(both)
    rewrite(ccer, statement)
    with pytest.raises(LinkStopped, match="the registry keeps the head"):
        both.talk()
    with pytest.raises(ActsStopped, match="the registry keeps the head"):
        ccer.partners.value_check()


def test_a_rewritten_registry_does_nothing_of_value_any_more(both):
    """CEA-REG-05, CEA-REG-09: the CCER registry alone has its heads, no platform is linked."""
    _ccer, registry = stores(both)
    rewrite(registry, "UPDATE obligation_entries SET due_tonnes = due_tonnes - 1")
    with pytest.raises(LinkStopped, match="the CCER registry keeps the head"):
        both.talk()
    with pytest.raises(ActsStopped, match="the CCER registry keeps the head"):
        registry.partners.value_check()


def test_a_head_that_contradicts_the_kept_one_stops_the_link_alone(both):
    """CEA-REG-05: whose database is wrong is the one that is stopped."""
    ccer, registry = stores(both)
    question = both.turns.question()
    answer = both.ccer.link.answer(question)
    kept = kept_last(registry, "ccer")
    forged = msgspec.structs.replace(answer, anchors=Anchors(own=Anchor(kept.link_id, HEAD)))
    with pytest.raises(LinkStopped, match="it says link"):
        both.turns.take(msgspec.msgpack.encode(forged))
    assert {} == registry.partners.lacking
    kept = kept_last(ccer, "registry")
    asked = msgspec.msgpack.decode(question)
    asked["anchors"] = {"own": {"link_id": kept.link_id, "head": HEAD}}
    refused = both.ccer.link.answer(msgspec.msgpack.encode(asked))
    assert "BAD_REQUEST" == refused.code and "it says link" in refused.words
    assert kept == kept_last(ccer, "registry")
    assert {} == ccer.partners.lacking
