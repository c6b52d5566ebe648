"""Persons who act at the registry: each key stands for one, in one role, for one body.

The operators of the daemon's settings are the first; they add the others. A body is the registry,
the authority, a province, the regulator, or an account, whose persons are its representatives.
"""

import re
from typing import Any, NamedTuple

from cea_exchange.domain.look_alikes import look_alike
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, name_words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.roles import (
    APPROVER,
    AUTHORITY,
    INITIATOR,
    OPERATOR,
    PROVINCE,
    REGULATOR,
    ROLES,
)

PERSON_LENGTH_MAX = 64
KEY_FORM = re.compile(r"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")
"""32 bytes as z85 text."""

OWN_BODIES = {OPERATOR: "registry", AUTHORITY: "authority", REGULATOR: "regulator"}
"""Of the roles that are for one body only."""


class Person(NamedTuple):
    """Who a key stands for.

    Attributes
    ----------
    name
        Two keys with one name, in one body, are one person.
    body
        ``registry``, ``authority``, ``regulator``, ``province 11`` or ``account P001``.
    """

    name: str
    key: str
    role: str
    body: str


def account_body(account: str) -> str:
    """Return the body of an account's representatives."""
    return f"account {account}"


def province_body(code: int) -> str:
    """Return the body of a province's persons."""
    return f"province {code}"


def province_bodies(code: int | None) -> frozenset[str]:
    """Return the body of the province a request names; of none, nobody's in particular."""
    return frozenset() if code is None else frozenset({province_body(code)})


class Persons:
    """Who acts, by key.

    Attributes
    ----------
    operators : dict
        The persons of the daemon's settings by key: the registry's operators, and regulators.
    is_changed : bool
        Set whenever somebody came or went, for who keeps `keys`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store
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

    def add(
        self,
        name: str,
        key: str,
        role: str,
        *,
        account: str | None = None,
        province: int | None = None,
    ) -> Person:
        """Let a key stand for a person from now on.

        Parameters
        ----------
        key
            A CURVE public key, z85 text, that never stood for anybody.
        role
            One of `ROLES`.
        account, province
            Of an initiator or approver: whose representative; of a province's person: its code.

        Notes
        -----
        Rules: CEA-REG-01, CEA-PER-04.
        """
        name_words_checked(name, "person", PERSON_LENGTH_MAX)
        if not isinstance(key, str) or KEY_FORM.fullmatch(key) is None:
            raise ActError(
                RegistryRefusal.KEY_UNSOUND, f"key: expected 40 characters of z85, got {key!r}"
            )
        body = self.body(role, account, province)
        with self._ledger.transaction():
            if key in self.operators or self._store.one(
                "SELECT 1 FROM persons WHERE public_key = ?", (key,)
            ):
                raise ActError(
                    RegistryRefusal.KEY_TAKEN,
                    f"key: expected a new one, got {key!r}, which stands or stood for a person",
                )
            self._one_person_check(name, role, body)
            row = (key, name, role, body, self._ledger.now_ns(), 0)
            self._store.insert(
                "persons (public_key, person, role, body, added_at_ns, removed_at_ns)",
                [row],
            )
            self.is_changed = True
        return Person(name, key, role, body)

    def remove(self, key: str) -> Person:
        """Let a key stand for nobody any more, for good."""
        with self._ledger.transaction():
            if key in self.operators:
                raise ActError(
                    RegistryRefusal.PERSON_OF_SETTINGS,
                    f"key: expected none of the settings, got {self.operators[key].name}'s",
                )
            person = self.acting(key)
            self._store.execute(
                "UPDATE persons SET removed_at_ns = ? WHERE public_key = ?",
                (self._ledger.now_ns(), key),
            )
            self.is_changed = True
        return person

    def acting(self, key: str) -> Person:
        """Return the person a key stands for; ActError if nobody."""
        person = self.of_key(key)
        if person is None:
            raise ActError(RegistryRefusal.PERSON_UNKNOWN, f"key: expected a person's, got {key!r}")
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
                    RegistryRefusal.PERSON_HAS_ROLE,
                    f"{name}: expected one role for {body}, got {other['role']} already",
                )
            if other["name"] != name and look_alike(other["name"], name):
                raise ActError(
                    RegistryRefusal.NAME_LOOKS_ALIKE,
                    f"person: expected one that looks like no other of {body}, got {name!r},"
                    f" which looks like {other['name']!r} (CEA-PER-04)",
                )

    def body(self, role: str, account: str | None, province: int | None) -> str:
        """Return the body a person of a role is of; ActError if what is given names none."""
        if role not in ROLES:
            raise ActError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"role: expected one of {', '.join(ROLES)}, got {role!r}",
            )
        wanted = {INITIATOR: "account", APPROVER: "account", PROVINCE: "province"}.get(role)
        given = {"account": account, "province": province}
        for field, value in given.items():
            if (value is not None) != (field == wanted):
                must = "one" if field == wanted else "none"
                raise ActError(
                    RegistryRefusal.ROLE_BODY,
                    f"{field}: expected {must} for the role {role}, got {value!r}",
                )
        if wanted == "account":
            self._ledger.account(account)
            return account_body(account)
        if wanted == "province":
            if province not in PROVINCES:
                raise ActError(
                    RegistryRefusal.PROVINCE_UNKNOWN,
                    f"province: expected one of the 32 codes, got {province!r}",
                )
            return province_body(province)
        return OWN_BODIES[role]
