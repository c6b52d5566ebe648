"""Runs an attack on a copy of an honest folder and returns the verdict of the commands."""

from pathlib import Path
from shutil import copytree, rmtree

from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.maintenance.venue_books import VenueBooks
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.platform.store import PlatformStore
from cea_exchange.registry.store import RegistryStore
from cea_exchange.venue.registry_link import ledger_books
from support.ledger_attacks.verdicts import Attack, heads_of, verdict
from support.ledger_attacks.worlds import attacked

KINDS: dict[str, type[RecordStore]] = {
    "ccer": CcerStore,
    "platform": PlatformStore,
    "registry": RegistryStore,
}


class Honest:
    """A folder that nobody changed, and how its institutions are checked.

    Parameters
    ----------
    data
        The folder.
    partner
        ``platform`` or ``ccer`` if its `reconcile --registry` compares two institutions here.
    books
        What the venue has of the institution that is attacked; None without a venue.
    """

    def __init__(self, data: Path, partner: str = "", books: VenueBooks | None = None) -> None:
        self.data, self.partner, self.books = data, partner, books
        self.heads = {
            name: heads_of(data, kind) for name, kind in KINDS.items() if (data / name).is_dir()
        }

    def copied(self, place: Path) -> Path:
        """Return a copy of the folder, without its older copies."""
        return copytree(
            self.data, place / "attacked", ignore=lambda _folder, _names: ["copies", "lock"]
        )

    def verdict(self, whose: str, data: Path) -> str:
        """Return what the commands say together of an attacked copy."""
        return verdict(
            self.commands(whose, data), whose, self.heads[whose], heads_of(data, KINDS[whose])
        )

    def commands(self, whose: str, data: Path) -> list[list[object]]:
        """Return the command lines that a person has to check an institution's folder."""
        lines: list[list[object]] = []
        if self.partner:
            lines.append([self.partner, "reconcile", "--data", data, "--registry", data])
        if self.books is not None:
            lines.append([whose, "verify", "--data", data, "--venue", data])
        each = ("reconcile", "verify", "audit")
        return lines + [[whose, command, "--data", data] for command in each]

    def after(self, attack: Attack, whose: str, place: Path, monkeypatch) -> str:
        """Return the verdict after an attack on one of the institutions."""
        data = self.copied(place)
        attacked(data, KINDS[whose], *attack.statements())
        return self._judged(whose, data, monkeypatch)

    def put_back(self, name: str, whose: str, place: Path, monkeypatch) -> str:
        """Return the verdict after an older copy of the database was put in its place."""
        data = self.copied(place)
        rmtree(data / whose)
        copytree(self.data / "copies" / name, data / whose)
        return self._judged(whose, data, monkeypatch)

    def _judged(self, whose: str, data: Path, monkeypatch) -> str:
        if self.books is not None:
            monkeypatch.setattr(ledger_books, "venue_books", lambda _folder: self.books)
        return self.verdict(whose, data)
