"""An enterprise's one account: what of it is active besides filing, and by which form."""

from typing import Any, get_args

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, choice_checked
from cea_exchange.platform.choices import Part
from cea_exchange.platform.entity_list.enterprises import Enterprise
from cea_exchange.platform.entity_list.listing import Listing
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.record import Acting, Record


class AccountParts:
    """The parts of all enterprises' accounts."""

    def __init__(self, record: Record, listing: Listing, evidence: Evidence) -> None:
        self._record = record
        self._store = record.store
        self._listing = listing
        self._evidence = evidence

    def activate(self, person: Acting, enterprise: Enterprise, part: Part, form: str) -> None:
        """Activate a part of an enterprise's account.

        Parameters
        ----------
        form
            SHA-256 of the form that the enterprise brought.

        Notes
        -----
        Rules: CEA-ENT-13.
        """
        choice_checked(part, get_args(Part), "part")
        with self._record.transaction():
            self._evidence.content(enterprise.enterprise_id, form)
            active = self.of(enterprise.enterprise_id)
            if part in active:
                raise PlatformActError(
                    PlatformRefusal.PART_ACTIVE,
                    f"part: expected one that is not active, got {part}, which is since"
                    f" {active[part]} (CEA-ENT-13)",
                )
            number = self._store.next_id("account_parts", "part_id")
            self._store.insert(
                "account_parts (part_id, enterprise_id, part, form, activated_by, activated_on)",
                [
                    (number, enterprise.enterprise_id, part, form, person.name)
                    + (self._record.business_date(),)
                ],
            )

    def of(self, enterprise_id: int) -> dict[str, int]:
        """Return part -> since when it is active."""
        rows = self._store.execute(
            "SELECT part, activated_on FROM account_parts WHERE enterprise_id = ? ORDER BY part_id",
            (enterprise_id,),
        )
        return dict(rows.fetchall())

    def of_listed(self, year: int, province: int) -> list[dict[str, Any]]:
        """Return of each listed entity of a province since when which part is active, 0 is not."""
        rows = self._store.execute(
            "SELECT enterprise, part, activated_on FROM account_parts"
            " JOIN enterprises ON enterprises.enterprise_id = account_parts.enterprise_id"
            " WHERE province = ?",
            (province,),
        )
        active = {(enterprise, part): day for enterprise, part, day in rows.fetchall()}
        return [
            {
                "enterprise": line.enterprise,
                **{part: active.get((line.enterprise, part), 0) for part in get_args(Part)},
            }
            for line in self._listing.of_year(year, province)
        ]
