"""Platform, and registry, started from older copies of their folders: nothing is numbered anew.

Real processes: a folder is copied while both daemons run, and put back after more was done.
"""

import shutil

import msgspec
import pytest

from cea_exchange.cli.main import main
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.ledger.partners import ActsStopped, Partners
from cea_exchange.platform.store import PlatformStore
from cea_exchange.protocol.links.platform import Completion, LinkAnswer
from registry.platform_link.test_linked_processes import YEAR, ZHEJIANG, Both
from support.ledger_attacks.attacker import rewritten
from support.platform.linked import Linked
from support.platform.platform_world import given_2024, verified_2024
from support.registry.fake_venue import wait_until

OBLIGATIONS = {"province": ZHEJIANG, "year": YEAR}


def ended(*arguments):
    """Return the exit status of a command."""
    try:
        main([str(each) for each in arguments])
    except SystemExit as end:
        return end.code or 0
    return 0


@pytest.fixture
def both(tmp_path):
    with Both(tmp_path / "data", (None, None)) as found:
        yield found


def last_item(data):
    with PlatformStore.open_reader(data) as store:
        return store.one("SELECT max(link_seq) FROM link_items")


@pytest.mark.crash
def test_a_platform_from_an_older_copy_decides_nothing(both, capsys):
    """CEA-REG-09: its next item would have the number of one that the registry has posted."""
    data, platform = both.data, both.platform
    platform.year_verified()
    both.given()
    both.judged()
    shutil.copytree(data / "platform", data / "older")
    platform.ask("sun", "obligations_set", **OBLIGATIONS)
    last = both.judged()
    platform.kill()
    shutil.rmtree(data / "platform")
    (data / "older").rename(data / "platform")
    platform.start()
    assert last_item(data) == last - 1
    # The act waits for the registry's word, and then it is refused.
    assert platform.code("sun", "obligations_set", **OBLIGATIONS) == "LEDGER_STOPPED"
    assert last_item(data) == last - 1
    assert f"items up to {last}" in platform.ask("an", "status")["state"]
    for terms in (("month_enter", {}), ("allocation_compute", {**OBLIGATIONS, "stage": "final"})):
        assert platform.code("sun", terms[0], **terms[1]) in ("LEDGER_STOPPED", "BAD_REQUEST")
    assert ended("platform", "reconcile", "--data", data) == 1
    assert ended("platform", "verify", "--data", data) == 1
    assert f"items up to {last}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.crash
@pytest.mark.nightly
def test_a_platform_that_the_registry_has_not_asked_since_the_start_numbers_nothing(both):
    """CEA-REG-09."""
    platform = both.platform
    platform.year_verified()
    both.given()
    last = both.judged()
    both.registry.stop()
    platform.killed()
    awaited = PlatformRefusal.PARTNER_AWAITED.name
    assert platform.code("sun", "obligations_set", **OBLIGATIONS) == awaited
    assert last_item(both.data) == last
    both.registry.start()
    wait_until(lambda: platform.code("sun", "obligations_set", **OBLIGATIONS) == "")
    assert both.judged() == last + 1


@pytest.mark.crash
def test_a_platform_that_somebody_rewrote_at_rest_decides_nothing(both):
    """CEA-REG-05, CEA-REG-09: the registry keeps the head of what it was."""
    data, platform = both.data, both.platform
    platform.year_verified()
    both.given()
    both.judged()
    wait_until(lambda: 0 == platform.ask("an", "status")["anchors"]["registry"]["acts"])
    platform.stop()
    rewritten(data, PlatformStore, "UPDATE allocation_lines SET tonnes = tonnes + 1")
    platform.start()
    wait_until(lambda: "keeps the head" in platform.ask("an", "status")["state"])
    assert platform.code("sun", "obligations_set", **OBLIGATIONS) == "LEDGER_STOPPED"
    assert ended("platform", "reconcile", "--data", data) == 1


@pytest.fixture
def linked(tmp_path):
    with Linked(tmp_path) as linked:
        verified_2024(linked.world)
        linked.opened()
        given_2024(linked.world, "final", is_verified=True)
        linked.talk()
        yield linked


@pytest.mark.parametrize("change", ["older", "another"])
def test_a_platform_is_held_against_what_the_registry_has_taken(linked, change):
    """CEA-REG-09: by the number of the last item, and by its head."""
    outbox = linked.platform.outbox
    question = linked.stream.question(None)
    if change == "older":
        question = msgspec.structs.replace(question, first=question.first + 1)
    else:
        question = msgspec.structs.replace(question, head="0" * 64)
    answer = outbox.answer(msgspec.msgpack.encode(question))
    assert "the registry has" in answer.refusal or "the registry has taken" in answer.refusal
    with pytest.raises(ActsStopped):
        outbox.tell(outbox.content(1))
    # Once the registry has no more than the platform, it goes on.
    linked.talk()
    assert linked.world.store.partners.lacking == {}


@pytest.mark.parametrize(
    ("answered", "words"),
    [
        ({"completed_seq": 2, "completed_hash": "x"}, "completions up to 2"),
        ({"completed_seq": 1, "completed_hash": "x"}, "completion 1 is another one"),
        ({"completed_seq": 1, "completed_hash": ""}, ""),
    ],
)
def test_a_registry_is_held_against_the_completions_that_the_platform_has(linked, answered, words):
    """CEA-REG-09: else one would get the number of another, and never arrive."""
    stream, store = linked.stream, linked.registry.store
    with linked.registry.transaction():
        store.insert(
            "platform_completions (completion_seq, account_index, compliance_year, owed,"
            " surrendered, offset_tonnes, completed_on, applied, deducted, covered)",
            [(1, 0, 2024, 10, 10, 0, 20251201, 0, 0, "[[20251201,10]]")],
        )
    last = stream.last_seq()
    answer = LinkAnswer(stream.log_id(), last, last, **answered)
    if not words:
        assert stream.take(answer) == 0
        return
    with pytest.raises(LinkStopped, match=words):
        stream.take(answer)
    with pytest.raises(ActsStopped):
        linked.registry.pay_in("P001", 5)


def test_both_sides_hash_a_completion_alike(linked):
    """CEA-REG-09."""
    figures = (1, "E1", 2024, 10, 9, 1, 20251201, 0, 0, ((20251201, 10),))
    question = linked.stream.question(linked.answer)
    question = msgspec.structs.replace(question, completions=(Completion(*figures),))
    answer = linked.platform.outbox.answer(msgspec.msgpack.encode(question))
    assert (answer.refusal, answer.completed_seq) == ("", 1)
    with linked.registry.transaction():
        linked.registry.store.insert(
            "platform_completions (completion_seq, account_index, compliance_year, owed,"
            " surrendered, offset_tonnes, completed_on, applied, deducted, covered)",
            [(1, 0, 2024, 10, 9, 1, 20251201, 0, 0, "[[20251201,10]]")],
        )
    linked.stream.take(answer)
    assert linked.registry.store.partners.lacking == {}


def test_what_is_lacking_is_kept_in_the_folder_until_the_partner_has_no_more(tmp_path):
    """CEA-REG-09: commands that only read the folder say it, too."""
    partners = Partners(tmp_path)
    assert partners.heard("venue", "item 9") and not partners.heard("venue", "item 9")
    assert Partners(tmp_path).lacking == {"venue": "item 9"}
    assert partners.stopped() == "stopped: item 9" and partners.stopped(but="venue") == ""
    assert partners.heard("venue", "")
    assert Partners(tmp_path).lacking == {} and [*tmp_path.iterdir()] == []
