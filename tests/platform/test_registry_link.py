"""The numbered stream to the registry: what it hears, and its verdicts."""

import msgspec
import pytest

from cea_exchange.protocol.links.platform import (
    HEAD_BEFORE_ALL,
    EntityListed,
    LinkQuestion,
    Mismatch,
    Verdict,
    head_after,
    item_decode,
)

pytestmark = pytest.mark.postgres_at_night


def ask(world, first=1, count=100, **terms):
    question = LinkQuestion(first, count, **terms)
    return world.platform.outbox.answer(msgspec.msgpack.encode(question))


OTHERWISE = "COMPUTED_OTHERWISE", "tonnes: expected 2800000 by units, got 2900000"
REFUSED = Verdict(2, False, (Mismatch("E1", *OTHERWISE),))


def test_what_happened_is_told_in_order_with_the_hash_of_what_was_before(world):
    """CEA-PLK-01."""
    world.listed(2024, 2025)
    answer = ask(world)
    items = [item_decode(item) for item in answer.items]
    assert [(item.link_seq, item.content.list_year) for item in items] == [(1, 2024), (2, 2025)]
    assert isinstance(items[0].content, EntityListed)
    assert items[0].before == HEAD_BEFORE_ALL
    assert items[1].before == head_after(HEAD_BEFORE_ALL, answer.items[0])
    assert (answer.last_seq, ask(world, 2).items) == (2, answer.items[1:])


def test_an_act_that_was_taken_back_is_not_told(world):
    """CEA-PLK-01."""
    with pytest.raises(RuntimeError), world.platform.transaction():
        world.listed(2025)
        raise RuntimeError
    assert ask(world).last_seq == 0


def test_a_verdict_is_kept_once_and_a_refusal_names_its_line(world):
    """CEA-PLK-02."""
    world.listed(2024, 2025)
    verdicts = (Verdict(1, True), REFUSED)
    for _ in range(2):
        assert ask(world, verdicts=verdicts).judged_seq == 2
    (refused,) = world.platform.outbox.refused()
    assert refused["link_seq"] == 2
    assert refused["mismatches"][0]["enterprise"] == "E1"


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ((REFUSED,), "verdicts: expected from 1 on without gaps, got [2]"),
        ((Verdict(3, True),), "verdict: expected on an item up to 2, got on 3"),
    ],
)
def test_verdicts_out_of_order_are_refused_whole(world, verdicts, said):
    """CEA-PLK-02."""
    world.listed(2024, 2025)
    answer = ask(world, verdicts=verdicts)
    assert (answer.refusal, answer.judged_seq, answer.items) == (said, 0, ())


def test_another_verdict_on_the_same_item_is_refused(world):
    """CEA-PLK-02."""
    world.listed(2024)
    ask(world, verdicts=(Verdict(1, True),))
    assert "as before, got another" in ask(world, verdicts=(Verdict(1, False),)).refusal


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"first": 0})])
def test_what_is_no_question_is_answered_as_such(world, payload):
    answer = world.platform.outbox.answer(payload)
    assert answer.refusal.startswith("question: expected a LinkQuestion, got ")


def test_a_question_about_another_stream_gets_nothing(world):
    world.listed(2024)
    assert ask(world, log_id="other").items == ()
    assert ask(world, log_id=world.platform.outbox.log_id).items != ()
