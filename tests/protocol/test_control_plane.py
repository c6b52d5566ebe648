"""What protocol/control_plane.md says of every daemon's requests."""

import msgspec
import pytest

from cea_exchange.control_plane.answers import Answer, Refusal, answer_read
from cea_exchange.control_plane.requests import Request, Requests, RequestUnread
from cea_exchange.control_plane.service import Service
from cea_exchange.protocol.operators import Operator
from cea_exchange.registry.bank.requests import BANK_REQUESTS
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.venue.requests import VENUE_REQUESTS

WITH_REGULATORS = pytest.mark.parametrize("requests", [VENUE_REQUESTS, REGISTRY_REQUESTS])
DAEMONS = pytest.mark.parametrize("requests", [VENUE_REQUESTS, REGISTRY_REQUESTS, BANK_REQUESTS])


@DAEMONS
def test_every_request_says_who_may_ask_it_and_what_it_is(requests):
    for op, each in requests.by_op.items():
        assert each.roles, op
        assert each.__doc__, op
        assert not (each.is_look and each.second), op


@WITH_REGULATORS
def test_what_only_looks_a_regulator_may_and_nothing_else(requests):
    for op, each in requests.by_op.items():
        assert ("regulator" in each.roles) == each.is_look, op


@DAEMONS
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"op": "no such"}, "payload: expected a request"),
        ({"op": "status", "and": 1}, "payload: expected a request"),
        ({"op": "reject"}, "payload: expected a request"),
    ],
)
def test_what_no_request_is_is_refused_before_anybody_looks(requests, sent, said):
    with pytest.raises(RequestUnread, match=said):
        requests.decode(msgspec.msgpack.encode(sent))


class Put(Request, tag="put"):
    """Put a number somewhere."""

    roles = ("operator",)

    number: int
    parts: dict[str, int] = msgspec.field(default_factory=dict)


class Look(Request, tag="look"):
    """Look where it is."""

    roles = ("operator", "regulator")
    is_look = True


class Places(Service[Operator, Request]):
    """A daemon of one number."""

    def __init__(self):
        super().__init__(Requests((Put, Look)))
        self.number = 0

    def person_of(self, key):
        return Operator(key, key, "regulator" if key == "rex" else "operator")

    def role_refusal(self, person, request):
        return ValueError(f"{person.name} may not {request.op}")

    def look(self, person, request):
        return {"number": self.number}

    def act(self, person, request):
        self.number = request.number
        return {}

    def refusal(self, error, by, request):
        return Answer({}, Refusal(why=str(error)))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"number": 2**63}, "number: expected a number below 2\\^63"),
        ({"number": 1, "parts": {"a\u202eb": 1}}, "name in parts: expected one line"),
    ],
)
def test_values_that_are_not_what_they_look_like_are_refused(fields, said):
    with pytest.raises(RequestUnread, match=said):
        Places().requests.decode(msgspec.msgpack.encode({"op": "put", **fields}))


def test_a_role_asks_what_it_was_given_and_nothing_else():
    places = Places()

    def shown(key, op, **fields):
        reply = places.reply(key, msgspec.msgpack.encode({"op": op, **fields}))
        assert reply.by == key
        return reply.answer

    assert shown("an", "put", number=7).is_done
    assert shown("rex", "look").fields == {"number": 7}
    assert shown("rex", "put", number=8).refusal.sentence() == "rex may not put"
    assert places.number == 7


@pytest.mark.parametrize("form", [lambda answer: answer.by_op("halt"), Answer.by_ok])
def test_both_forms_of_an_answer_are_read_alike(form):
    done, refused = Answer({"ended": 2}), Refusal(where="why", expected="words", got="none")
    assert answer_read(form(done)).fields["ended"] == 2
    assert answer_read(form(done)).is_done
    read = answer_read(form(Answer({}, refused)))
    assert read.refusal.sentence() == "why: expected words, got none"
    coded = answer_read(form(Answer({}, Refusal(why="no", code="NO", expected="no"))))
    assert coded.refusal.code == "NO"
