"""Persons who act at an institution: each key stands for one, in one role, for one body.

Those of the daemon's settings are the first; they add the others.
"""

import re
from typing import Any, NamedTuple

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.checks import ActError, name_words_checked
from cea_exchange.institution.paging import ALL

PERSON_LENGTH_MAX = 64
KEY_FORM = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")
"""32 bytes as z85 text."""


class Person(NamedTuple):
    """Who a key stands for.

    Attributes
    ----------
    name
        Two keys with one name, in one body, are one person.
    body
        For whom: the institution itself, or who is represented, such as ``province 11``.
    """

    name: str
    key: str
    role: str
    body: str


class Persons:
    """Who acts, by key.

    Attributes
    ----------
    operators : dict
        The persons of the daemon's settings by key.
    is_changed : bool
        Set whenever somebody came or went, for who keeps `keys`.
    """

    def __init__(self, context: ActContext) -> None:
        self._context = context
        self._store = context.store
        self.operators: dict[str, Person] = {}
        self.is_changed = False

    def of_key(self, key: str) -> Person | None:
        """Return the person a key stands for; None if nobody, or nobody any more."""
        if key in self.operators:
            return self.operators[key]
        row = self._store.one(
            "SELECT person, public_key, role, body FROM persons"
            " WHERE public_key = ? AND removed_at_ns = 0",
            (key,),
        )
        return None if row is None else Person(*row)

    def keys(self) -> set[str]:
        """Return all keys that stand for somebody."""
        rows = self._store.execute("SELECT public_key FROM persons WHERE removed_at_ns = 0")
        return {*self.operators, *(key for (key,) in rows)}

    def enter(self, name: str, key: str, role: str, body: str) -> Person:
        """Let a key stand for a person from now on.

        Parameters
        ----------
        key
            A CURVE public key, z85 text, that never stood for anybody.
        role, body
            In which role, and for whom.

        Notes
        -----
        Rules: CEA-REG-01, CEA-PER-04.
        """
        self.name_and_key_check(name, key)
        roles = self._store.schema.roles
        if role not in roles:
            raise ActError(
                InstitutionRefusal.CHOICE_UNKNOWN,
                f"role: expected {', '.join(roles)}, got {role!r}",
            )
        with self._context.transaction():
            if key in self.operators or self._store.one(
                "SELECT 1 FROM persons WHERE public_key = ?", (key,)
            ):
                raise ActError(
                    InstitutionRefusal.KEY_TAKEN,
                    f"key: expected a new one, got {key!r}, which stands or stood for a person",
                )
            self._one_person_check(name, role, body)
            row = (key, name, role, body, self._context.now_ns(), 0)
            self._store.insert(
                "persons (public_key, person, role, body, added_at_ns, removed_at_ns)",
                [row],
            )
            self.is_changed = True
        return Person(name, key, role, body)

    def name_and_key_check(self, name: str, key: str) -> None:
        """Refuse what is no name of a person, or no key."""
        name_words_checked(name, "person", PERSON_LENGTH_MAX)
        if not isinstance(key, str) or KEY_FORM.fullmatch(key) is None:
            raise ActError(
                InstitutionRefusal.KEY_UNSOUND, f"key: expected 40 characters of z85, got {key!r}"
            )

    def remove(self, key: str) -> Person:
        """Let a key stand for nobody any more, for good."""
        with self._context.transaction():
            if key in self.operators:
                raise ActError(
                    InstitutionRefusal.PERSON_OF_SETTINGS,
                    f"key: expected none of the settings, got {self.operators[key].name}'s",
                )
            person = self.acting(key)
            self._store.execute(
                "UPDATE persons SET removed_at_ns = ? WHERE public_key = ?",
                (self._context.now_ns(), key),
            )
            self.is_changed = True
        return person

    def acting(self, key: str) -> Person:
        """Return the person a key stands for; ActError if nobody."""
        person = self.of_key(key)
        if person is None:
            raise ActError(
                InstitutionRefusal.PERSON_UNKNOWN, f"key: expected a person's, got {key!r}"
            )
        return person

    def listed(
        self,
        body: str | None = None,
        role: str | None = None,
        *,
        first: int = 0,
        count: int = ALL,
    ) -> list[dict[str, Any]]:
        """Return those who act, or those of one body or role, the settings' first.

        Parameters
        ----------
        first, count
            So many at most, from a place in that order on.
        """
        own = [
            each
            for each in self.operators.values()
            if body in (None, each.body) and role in (None, each.role)
        ]
        found = own[first : first + count]
        rows = self._store.execute(
            "SELECT person, public_key, role, body FROM persons WHERE removed_at_ns = 0"
            + ("" if body is None else " AND body = :body")
            + ("" if role is None else " AND role = :role")
            + " ORDER BY body, person, public_key LIMIT :count OFFSET :place",
            {
                "body": body,
                "role": role,
                "count": count - len(found),
                "place": max(0, first - len(own)),
            },
        )
        return [person._asdict() for person in (*found, *(Person(*row) for row in rows))]

    def had(self, body: str, role: str) -> bool:
        """Tell whether a body has, or ever had, a person of a role that was added."""
        found = self._store.one(
            "SELECT count(*) FROM persons WHERE body = ? AND role = ?", (body, role)
        )
        return bool(found)

    def _one_person_check(self, name: str, role: str, body: str) -> None:
        """Refuse who looks like another person of a body, or has another role there already."""
        for other in self.listed(body):
            if other["name"] == name and other["role"] != role:
                raise ActError(
                    InstitutionRefusal.PERSON_HAS_ROLE,
                    f"{name}: expected one role for {body}, got {other['role']} already",
                )
            if other["name"] != name and look_alike(other["name"], name):
                raise ActError(
                    InstitutionRefusal.NAME_LOOKS_ALIKE,
                    f"person: expected one that looks like no other of {body}, got {name!r},"
                    f" which looks like {other['name']!r} (CEA-PER-04)",
                )
