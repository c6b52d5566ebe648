"""What of an institution's answers stops its link, and what only keeps them from being taken."""

import pytest

from cea_exchange.institution.links.turns import (
    ANSWER_WAIT_NS,
    LinkAsked,
    LinkDropped,
    LinkStopped,
    LinkTurns,
)
from cea_exchange.ledger.database.interface import (
    ConstraintViolated,
    DatabaseError,
    DatabaseFull,
    DatabaseLost,
)


class Turns(LinkTurns):
    """A link whose answers run into what a test says."""

    institution = "platform"

    def __init__(self):
        super().__init__()
        self.error = None
        self.connected()

    def question(self):
        return b"?"

    def take(self, payload):
        if self.error is not None:
            raise self.error
        return False

    def last_seq(self):
        return 0

    def forget(self):
        pass


@pytest.fixture
def turns():
    made = Turns()
    assert made.turn(1) == [LinkAsked("platform", b"?")]
    return made


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LinkStopped("item 3: expected another"), "stopped: item 3: expected another"),
        (ConstraintViolated("UNIQUE failed"), "stopped: ConstraintViolated: UNIQUE failed"),
        (OverflowError("too big"), "stopped: OverflowError: too big"),
        (RecursionError("too deep"), "stopped: too deep"),
        (KeyError("x"), "stopped: KeyError: 'x'"),
        (ValueError("y" * 9_999), "stopped: ValueError: y"),
    ],
)
def test_what_can_not_be_taken_stops_the_link_with_its_words(turns, error, words):
    """Asked again it would be the same, for ever, and nothing behind it would be taken."""
    turns.error = error
    turns.answered([b"!"], 2)
    assert turns.stopped.startswith(words) and len(turns.stopped) <= 300
    turns.error = None
    turns.answered([b"!"], 3)
    turns.connected()
    assert turns.turn(2 * ANSWER_WAIT_NS) == []


@pytest.mark.parametrize(
    "error",
    [DatabaseLost("gone"), DatabaseFull("full"), DatabaseError("unreadable"), MemoryError()],
)
def test_what_is_the_databases_fault_is_asked_for_again(turns, error):
    turns.error = error
    with pytest.raises(type(error)):
        turns.answered([b"!"], 2)
    assert not turns.stopped
    assert turns.turn(1 + ANSWER_WAIT_NS) == [LinkDropped("platform"), LinkAsked("platform", b"?")]
    turns.error = None
    turns.answered([b"!"], 2 + ANSWER_WAIT_NS)
    assert not turns.stopped
