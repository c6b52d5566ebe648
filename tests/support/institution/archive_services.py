"""An archive without its daemon."""

from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.act_context import ActContext
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.persons import Persons
from cea_exchange.institution.services import InstitutionServices
from support.institution.archive import ArchiveStore

ARCHIVIST = "archivist"


class Archive(InstitutionServices):
    """Keeps documents, and destroys some."""

    def __init__(self, store: ArchiveStore, clock: InstitutionClock) -> None:
        context = ActContext(store, clock)
        super().__init__(
            context,
            Persons(context),
            scoped=frozenset(),
            overseers=frozenset({"archive", "regulator"}),
        )

    def keep(self, title: str) -> int:
        number = self.store.next_id("documents", "document_id")
        self.store.insert(
            "documents (document_id, title, content, state)", [(number, title, b"", "kept")]
        )
        return number

    def destroy(self, number: int, why: str) -> None:
        if self.store.one("SELECT state FROM documents WHERE document_id = ?", (number,)) != "kept":
            words = f"document: expected one that is kept, got {number}"
            raise ActError(InstitutionRefusal.BAD_REQUEST, words)
        self.store.execute(
            "UPDATE documents SET state = 'destroyed' WHERE document_id = ?", (number,)
        )
        self.store.insert(
            "destructions (document_id, why, by_persons)", [(number, why, self.context.by)]
        )

    def listed(self) -> list[dict[str, object]]:
        rows = self.store.execute(
            "SELECT document_id, title, state FROM documents ORDER BY document_id"
        )
        return [{"number": number, "title": title, "state": state} for number, title, state in rows]
