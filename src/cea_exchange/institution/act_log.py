"""The record of acts: what was done, who asked for it, and what they were answered.

An act is what a person asked for over the control socket, with its answer; or what the institution
did itself, as a day began. An entry of a ledger names its act, and is what that asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import msgspec

from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.persons import Person, Persons

LIBRARY = "library"
"""What a program does that uses an institution without its daemon."""


class LoggedAct(NamedTuple):
    """A row of `acts`.

    Attributes
    ----------
    business_date
        Of its entries.
    account, product, amount
        What the request asks for, where it asks for one amount of one account.
    second, second_key, proposal_id
        ``''``, ``''`` and 0 where one person was enough.
    request, answer
        As they travelled, in MessagePack.
    """

    act_id: int
    at_ns: int
    business_date: int
    op: str
    person: str
    person_key: str
    second: str
    second_key: str
    proposal_id: int
    account: str
    product: str
    amount: int
    request: bytes
    answer: bytes


ACT_COLUMNS = ", ".join(LoggedAct._fields)


class Asked(NamedTuple):
    """What a request asks for: whose, of what, how much; '', '' and 0 where it does not say."""

    account: str = ""
    product: str = ""
    amount: int = 0


def asked_of(request: dict[str, Any]) -> Asked:
    """Return what a request asks for, by the fields that all requests name alike.

    Parameters
    ----------
    request
        As it travelled, decoded.
    """
    amounts = [request[name] for name in ("tonnes", "cash", "amount") if request.get(name)]
    texts = [request.get("account"), request.get("product")]
    account, product = (text if isinstance(text, str) else "" for text in texts)
    is_one = len(amounts) == 1 and isinstance(amounts[0], int)
    return Asked(account, product, amounts[0] if is_one else 0)


class ActLog:
    """What was done over the control socket, in order; it is only added to."""

    def __init__(self, context: ActContext, persons: Persons) -> None:
        self._context = context
        self._store = context.store
        self._persons = persons

    def next_id(self) -> int:
        """Return the id of the next act."""
        return self._store.next_id("acts", "act_id")

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
        """Keep an act; belongs in its transaction, whose entries have its id already.

        Notes
        -----
        Rules: CEA-REG-03.
        """
        approved = ("", "") if second is None else (second.name, second.key)
        persons = (person.name, person.key, *approved)
        asked = asked_of(msgspec.msgpack.decode(request))
        return self._keep(op, (*persons, proposal_id, *asked, request, answer))

    @contextmanager
    def own(self, op: str, content: Any = None, *, is_kept: bool = False) -> Iterator[None]:
        """Do something in one transaction; if no person asked for it, note what causes its entries.

        Parameters
        ----------
        content
            What it rests on, kept in MessagePack.
        is_kept
            Whether it is noted though it brings no entry.
        """
        store, before = self._store, self._store.act_missing
        store.act_missing = partial(self._own_keep, op, content)
        try:
            with store.transaction():
                if is_kept:
                    store.act_id = store.act_missing()
                yield
        finally:
            store.act_missing = before

    def library(self) -> int:
        """Note that a program acts by itself, within its transaction; return the act's id."""
        return self._own_keep(LIBRARY, None)

    def _own_keep(self, op: str, content: Any) -> int:
        request = msgspec.msgpack.encode(content)
        nothing = msgspec.msgpack.encode(None)
        return self._keep(op, ("", "", "", "", 0, *Asked(), request, nothing))

    def _keep(self, op: str, rest: tuple[Any, ...]) -> int:
        act_id = self.next_id()
        context = self._context
        # While it is doubted nothing is posted; what ends the doubt is an act, too.
        when = (context.now_ns(), context.business_date() if context.clock.is_known else 0)
        self._store.insert(
            "acts (act_id, at_ns, business_date, op, person, person_key, second, second_key,"
            " proposal_id, account, product, amount, request, answer)",
            [(act_id, *when, op, *rest)],
        )
        return act_id

    def settings_keep(self, of_two: frozenset[str], may: dict[str, tuple[str, ...]]) -> None:
        """Keep who the settings name, which ops take two persons, and which role may what.

        By these a reconciliation knows who might act, and alone; what has not changed is not
        kept again.

        Notes
        -----
        Rules: CEA-REG-03.
        """
        content = msgspec.msgpack.encode(
            {
                "persons": sorted(self._persons.operators.values()),
                "of_two": sorted(of_two),
                "may": may,
            }
        )
        with self._store.transaction():
            last = self._store.one(
                "SELECT setting_id, content FROM role_settings ORDER BY setting_id DESC LIMIT 1"
            )
            number, before = last or (0, None)
            if before is not None and bytes(before) == content:
                return
            reached = [
                self._store.one(f"SELECT coalesce(max({column}), 0) FROM {table}")
                for column, table in (("act_id", "acts"), ("proposal_id", "proposals"))
            ]
            row = (number + 1, *reached, self._context.now_ns(), content)
            self._store.insert(
                "role_settings (setting_id, after_act, after_proposal, at_ns, content)",
                [row],
            )

    def since(self, first: int, count: int) -> Iterator[LoggedAct]:
        """Yield acts from a number on, each read when it is wanted: they may be long."""
        last = self._store.one("SELECT coalesce(max(act_id), 0) FROM acts")
        for act_id in range(first, min(first + count, last + 1)):
            sql = f"SELECT {ACT_COLUMNS} FROM acts WHERE act_id = ?"
            yield LoggedAct(*self._store.one(sql, (act_id,)))
