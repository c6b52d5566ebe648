"""Persons who act at the registry: of the registry itself, or of whom they represent.

The operators of the daemon's settings are the first; they add the others. A body is the registry,
the authority, a province, the regulator, or an account, whose persons are its representatives.
"""

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.persons import Person, Persons
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.roles import (
    APPROVER,
    INITIATOR,
    OWN_BODIES,
    PROVINCE,
    ROLES,
    account_body,
    province_body,
)

KEYS_MAX = 64
"""Of an account's representatives: each has a turn and a share of its own of whatever waits."""


class RegistryPersons(Persons):
    """Who acts, by key."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._ledger = ledger

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

        Rules: CEA-REG-01, CEA-PER-04, CEA-PER-02 (how many an account may have).

        Parameters
        ----------
        key
            A CURVE public key, z85 text, that never stood for anybody.
        role
            One of `ROLES`.
        account, province
            Of an initiator or approver: whose representative; of a province's person: its code.
        """
        self.name_and_key_check(name, key)
        body = self.body(role, account, province)
        if account is not None and len(self.listed(body, count=KEYS_MAX)) == KEYS_MAX:
            raise ActError(
                RegistryRefusal.PERSONS_TOO_MANY,
                f"person: expected at most {KEYS_MAX} keys of {body}, got another",
            )
        return self.enter(name, key, role, body)

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
        if wanted == "account" and account is not None:
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
