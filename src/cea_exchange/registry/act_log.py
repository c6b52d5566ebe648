"""The record of acts: each that came over the control socket, with its persons and its answer."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cea_exchange.registry.persons import Person
from cea_exchange.registry.roles import MAY

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry


class LoggedAct(NamedTuple):
    """A row of `acts`.

    Attributes
    ----------
    second, second_key, proposal_id
        ``''``, ``''`` and 0 where one person was enough.
    request, answer
        As they travelled, in MessagePack.
    """

    act_id: int
    at_ns: int
    op: str
    person: str
    person_key: str
    second: str
    second_key: str
    proposal_id: int
    request: bytes
    answer: bytes


class ActLog:
    """What was done over the control socket, in order; it is only added to."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._store = registry.store

    def add(
        self,
        op: str,
        person: Person,
        request: bytes,
        answer: bytes,
        *,
        second: Person | None = None,
        proposal_id: int = 0,
    ) -> int:
        """Keep an act; belongs in its transaction.

        Notes
        -----
        Rules: CEA-REG-03.
        """
        act_id = self._store.one("SELECT 1 + coalesce(max(act_id), 0) FROM acts")
        persons = (person.name, person.key)
        persons += ("", "") if second is None else (second.name, second.key)
        row = (act_id, self._registry.now_ns(), op, *persons, proposal_id, request, answer)
        self._store.insert("acts", [row])
        return act_id

    def settings_keep(self, of_two: frozenset[str]) -> None:
        """Keep who the settings name, which ops take two persons, and which role may what.

        By these `registry reconcile` knows who might act, and alone; what has not changed is not
        kept again.

        Notes
        -----
        Rules: CEA-REG-03.
        """
        content = msgspec.msgpack.encode(
            {
                "persons": sorted(self._registry.persons.operators.values()),
                "of_two": sorted(of_two),
                "may": MAY,
            }
        )
        with self._store.transaction():
            last = self._store.one(
                "SELECT setting_id, content FROM desk_settings ORDER BY setting_id DESC LIMIT 1"
            )
            number, before = last or (0, None)
            if before is not None and bytes(before) == content:
                return
            reached = [
                self._store.one(f"SELECT coalesce(max({column}), 0) FROM {table}")
                for column, table in (("act_id", "acts"), ("proposal_id", "proposals"))
            ]
            row = (number + 1, *reached, self._registry.now_ns(), content)
            self._store.insert("desk_settings", [row])

    def since(self, first: int, count: int) -> Iterator[LoggedAct]:
        """Yield acts from a number on, each read when it is wanted: they may be long."""
        last = self._store.one("SELECT coalesce(max(act_id), 0) FROM acts")
        for act_id in range(first, min(first + count, last + 1)):
            yield LoggedAct(*self._store.one("SELECT * FROM acts WHERE act_id = ?", (act_id,)))
