"""The registry's service without its socket, and persons who ask it."""

import msgspec

from cea_exchange.institution.persons import Person
from cea_exchange.registry.control.service import RegistryService
from cea_exchange.registry.reconciliation.persons import persons_differences

LIFE_S = 100


def key_of(name):
    """Return a key for a name: the service compares them, it proves nothing."""
    return name.ljust(40, "-")


class Caller:
    """Asks the service with one key."""

    def __init__(self, service, name):
        self.key = key_of(name)
        self._service = service

    def __call__(self, op, **fields):
        reply = self._service.reply(self.key, msgspec.msgpack.encode({"op": op, **fields}))
        return reply.answer.by_ok()

    def error(self, op, **fields):
        """Return ``CODE: words`` of what is refused."""
        answer = self(op, **fields)
        assert not answer["ok"], answer
        return f"{answer['code']}: {answer['error']}"


def by_two(first, second, op, **fields):
    """Let one propose and another approve; return what the second one is answered."""
    proposal = first(op, **fields)
    assert proposal["ok"], proposal
    answer = second("approve", proposal=proposal["proposal"])
    assert answer["ok"], answer
    return answer


def acts_differences(staff):
    """Return what an auditor finds of the acts: who might, and whose approval each took."""
    with staff.registry.transaction():
        found = list(persons_differences(staff.registry.store))
    return [difference for difference in found if difference.startswith("act ")]


class Staff:
    """A registry whose settings name the operators an and bo, and the regulator rex."""

    def __init__(self, registry, second_person=None):
        self.registry = registry
        registry.persons.operators = {
            key_of("an"): Person("an", key_of("an"), "operator", "registry"),
            key_of("an-2"): Person("an", key_of("an-2"), "operator", "registry"),
            key_of("bo"): Person("bo", key_of("bo"), "operator", "registry"),
            key_of("rex"): Person("rex", key_of("rex"), "regulator", "regulator"),
        }
        self._service = RegistryService(
            registry, second_person=second_person, proposal_s=LIFE_S, place=lambda: {"place": 1}
        )

    def __getattr__(self, name):
        """Return who asks with the key of that name."""
        return self.caller(name)

    def caller(self, name):
        return Caller(self._service, name)

    def person(self, name, role, **where):
        """Add a person who asks with the key of that name."""
        self.registry.persons.add(name, key_of(name), role, **where)
        return self.caller(name)
