"""The platform's list of entities: whose accounts are opened, and which account is whose."""

from typing import NamedTuple

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.protocol.links.platform import EntityListed
from cea_exchange.registry.general_ledger import LIVE, Ledger
from cea_exchange.registry.participants.mergers import successors
from cea_exchange.registry.platform_link.mismatches import Mismatched, mismatch


class ListedEntity(NamedTuple):
    """An entity as the platform last reported it."""

    enterprise: str
    credit_code: str
    province: int
    sector: str


class EntityAccount(NamedTuple):
    """An entity's own account, which another one may have taken over."""

    account: str
    account_index: int


class ListedEntities:
    """Keeps the list as the platform reports it."""

    def __init__(self, ledger: Ledger) -> None:
        self._store = ledger.store

    def take(self, link_seq: int, listed: EntityListed) -> None:
        """Keep that an entity entered the list of a year, or left it.

        Raises
        ------
        Mismatched
            Its name was reported with another credit code.
        """
        known = self.of(listed.enterprise)
        if known is not None and known.credit_code != listed.credit_code:
            text = f"credit_code: expected {known.credit_code} as before, got {listed.credit_code}"
            code = RegistryRefusal.CREDIT_CODE_OTHER
            raise Mismatched([mismatch(listed.enterprise, code, text)])
        self._store.insert(
            "platform_listings (link_seq, list_year, enterprise, credit_code, province, sector,"
            " is_listed)",
            [
                (link_seq, listed.list_year, listed.enterprise, listed.credit_code)
                + (listed.province, listed.sector, int(listed.is_listed))
            ],
        )

    def of(self, enterprise: str) -> ListedEntity | None:
        """Return an entity that was reported; None if it never was."""
        row = self._store.one(
            "SELECT enterprise, credit_code, province, sector FROM platform_listings"
            " WHERE enterprise = ? ORDER BY link_seq DESC LIMIT 1",
            (enterprise,),
        )
        return None if row is None else ListedEntity(*row)

    def account_of(self, enterprise: str, province: int) -> EntityAccount:
        """Return the account of an entity of a province, open or taken over by one that is.

        Raises
        ------
        Mismatched
            It was never listed, is of another province, or has no account here.
        """
        entity = self._of_province(enterprise, province)
        row = self._store.one(
            "SELECT account, province, account_index FROM accounts WHERE credit_code = ?",
            (entity.credit_code,),
        )
        state = None if row is None else self._state_in_the_end(row[2])
        if row is None or row[1] != province or state not in LIVE:
            got = "none" if row is None else f"{row[0]} of {row[1]}, {state}"
            text = f"account: expected an open one of {entity.credit_code} in {province}, got {got}"
            raise Mismatched([mismatch(enterprise, RegistryRefusal.ACCOUNT_UNKNOWN, text)])
        return EntityAccount(row[0], row[2])

    def _state_in_the_end(self, account_index: int) -> str:
        """Return the state of an account, or of the one that has taken it over."""
        into = successors(self._store).get(account_index, account_index)
        state: str = self._store.find("accounts", "state", account_index=into)
        return state

    def index_of(self, enterprise: str, province: int) -> int:
        """Return the index of an entity's account, one that was merged or closed too.

        Raises
        ------
        Mismatched
            It was never listed, is of another province, or never had an account here.
        """
        entity = self._of_province(enterprise, province)
        row = self._store.one(
            "SELECT account_index FROM accounts WHERE credit_code = ? AND province = ?",
            (entity.credit_code, province),
        )
        if row is None:
            text = f"enterprise: expected one of {province} with an account, got {enterprise}"
            raise Mismatched([mismatch(enterprise, RegistryRefusal.ACCOUNT_UNKNOWN, text)])
        return int(row)

    def _of_province(self, enterprise: str, province: int) -> ListedEntity:
        entity = self.of(enterprise)
        if entity is not None and entity.province == province:
            return entity
        code, got = RegistryRefusal.ENTERPRISE_NOT_LISTED, "one never listed"
        if entity is not None:
            code, got = RegistryRefusal.PROVINCE_OTHER, f"one of {entity.province}"
        text = f"enterprise: expected a listed one of {province}, got {got}"
        raise Mismatched([mismatch(enterprise, code, text)])

    def enterprise_of(self, account_index: int) -> str | None:
        """Return the platform's name of an account's entity; None if it was never reported."""
        name: str | None = self._store.one(
            "SELECT enterprise FROM platform_listings"
            " JOIN accounts ON accounts.credit_code = platform_listings.credit_code"
            " WHERE account_index = ? ORDER BY link_seq DESC LIMIT 1",
            (account_index,),
        )
        return name

    def opening_check(self, credit_code: str | None, province: int, sector: str) -> None:
        """Refuse the account of an entity that is on no list, or not as it is there.

        Notes
        -----
        Rules: CEA-ADM-01, CEA-PLK-06.
        """
        rows = self._store.execute(
            "SELECT province, sector, is_listed, list_year FROM platform_listings AS entry"
            " WHERE credit_code = :code AND link_seq = (SELECT max(link_seq)"
            "  FROM platform_listings AS later WHERE later.credit_code = :code"
            "  AND later.list_year = entry.list_year) ORDER BY list_year DESC",
            {"code": credit_code},
        ).fetchall()
        listed = next((row for row in rows if row[2]), None)
        if listed is None:
            raise ActError(
                RegistryRefusal.ADMISSION_NOT_MET,
                f"credit_code: expected that of a listed entity, got {credit_code} (CEA-ADM-01)",
            )
        if (province, sector) not in ((listed[0], listed[1]), (listed[0], "")):
            raise ActError(
                RegistryRefusal.ADMISSION_NOT_MET,
                f"account: expected {listed[1]} in {listed[0]} as on the list of {listed[3]}, got"
                f" {sector} in {province} (CEA-ADM-01)",
            )
