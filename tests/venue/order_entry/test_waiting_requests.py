"""Requests take turns: nobody's thousands keep another's from being answered."""

from types import SimpleNamespace

from cea_exchange.venue.order_entry.gateway import Asked, Message
from cea_exchange.venue.order_entry.waiting_requests import (
    REQUESTS_WAITING_MAX,
    Replay,
    WaitingRequests,
)


def asked(routing_id):
    return Asked(Message(routing_id, "key", []), None, None)


def test_one_connection_has_only_so_many_waiting():
    waiting = WaitingRequests()
    assert not waiting
    taken = [waiting.ask(asked(b"greedy")) for _ in range(REQUESTS_WAITING_MAX + 5)]
    assert taken == [True] * REQUESTS_WAITING_MAX + [False] * 5
    assert waiting.ask(asked(b"other"))
    for _, _ in zip(range(3), waiting.taken(), strict=False):
        pass
    again = [waiting.ask(asked(b"greedy")) for _ in range(4)]
    assert again.count(False) == 1 and waiting


def test_a_page_of_a_replay_lets_the_others_go_first():
    waiting = WaitingRequests()
    greedy, other = (SimpleNamespace(routing_id=name) for name in (b"greedy", b"other"))
    waiting.replay(Replay(greedy, 1, 3_000))
    waiting.replay(Replay(other, 7, 1_000))
    order = []
    for session, first, count in waiting.taken():
        order.append((session.routing_id, first))
        waiting.replay(Replay(session, first + 1_000, count - 1_000))
    pages = [(b"greedy", 1), (b"other", 7), (b"greedy", 1_001), (b"greedy", 2_001)]
    assert order == pages and not waiting
