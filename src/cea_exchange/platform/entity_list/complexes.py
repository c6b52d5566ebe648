"""Works of several legal persons that report as one: the group's, which has the others' units."""

from cea_exchange.domain.compliance.listing.succession import Firm, complex_of
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    PlatformActError,
    rule_refusals_raised,
    words_checked,
)
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.record import Record

SECTOR = "steel"


class Complexes:
    """Which enterprises report as part of another one."""

    def __init__(self, record: Record, enterprises: Enterprises, units: Units) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._units = units

    def join(
        self,
        enterprise: str,
        links: tuple[tuple[str, str], ...],
        *,
        site: str,
        decided_on: int,
        document: str,
    ) -> tuple[str, ...]:
        """Let steelworks of one site report as one, and return who they are.

        Parameters
        ----------
        enterprise
            The group's legal person, one of them, which reports and has their units from then on.
        links
            Who gives products to whom; each is linked to the others.

        Notes
        -----
        Rules: CEA-ENT-06.
        """
        self._record.reached_check(decided_on, "decided_on")
        words_checked(site, "site")
        words_checked(document, "document")
        with self._record.transaction():
            leader = self._enterprises.acting(enterprise)
            firms = self._firms(leader, links, site, decided_on)
            with rule_refusals_raised(PlatformRefusal.COMPLEX_UNSOUND):
                found = complex_of([firms[name] for name in sorted(firms)])
            for name in found.members:
                member = self._enterprises.of(name)
                self._store.insert(
                    "complex_members (member_id, enterprise_id, site, decided_on, document)",
                    [(member.enterprise_id, leader.enterprise_id, site, decided_on, document)],
                )
                if member.enterprise_id != leader.enterprise_id:
                    self._units.hand_over(
                        member.enterprise_id,
                        leader.enterprise_id,
                        valid_from=decided_on,
                        document=document,
                    )
        return found.members

    def _firms(
        self, leader: Enterprise, links: tuple[tuple[str, str], ...], site: str, day: int
    ) -> dict[str, Firm]:
        names = {leader.enterprise, *(name for link in links for name in link)}
        firms = {}
        for name in sorted(names):
            member = self._enterprises.acting(name)
            reports = self.reports_as(member)
            if member.sector != SECTOR or reports is not None:
                what = f"of {member.sector}" if reports is None else f"that reports as {reports}"
                raise PlatformActError(
                    PlatformRefusal.COMPLEX_UNSOUND,
                    f"{name}: expected a steelworks of no complex, got one {what} (CEA-ENT-06)",
                )
            facts = self._enterprises.facts_on(member.enterprise_id, day)
            linked = frozenset(to for giver, to in links if giver == name)
            firms[name] = Firm(
                name=name,
                city=str(facts.city),
                site=site,
                group=leader.enterprise,
                linked=linked,
            )
        return firms

    def reports_as(self, enterprise: Enterprise) -> str | None:
        """Return as part of whom an enterprise reports; None where it is of no complex."""
        row = self._store.one(
            "SELECT enterprise FROM complex_members"
            " JOIN enterprises ON enterprises.enterprise_id = complex_members.enterprise_id"
            " WHERE member_id = ?",
            (enterprise.enterprise_id,),
        )
        return None if row is None else str(row)

    def members(self, enterprise: Enterprise) -> list[str]:
        """Return who reports as an enterprise, itself among them; nobody if it is of no complex."""
        rows = self._store.execute(
            "SELECT enterprise FROM complex_members"
            " JOIN enterprises ON enterprises.enterprise_id = complex_members.member_id"
            " WHERE complex_members.enterprise_id = ? ORDER BY enterprise",
            (enterprise.enterprise_id,),
        )
        return [name for (name,) in rows.fetchall()]
