"""Documents that figures rest on, known by the hash of their bytes."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, NamedTuple

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, words_checked
from cea_exchange.platform.entity_list.enterprises import Enterprise
from cea_exchange.platform.filings.document_pages import page_hashes
from cea_exchange.platform.record import Acting, Record


class Document(NamedTuple):
    """A document, without its bytes."""

    sha256: str
    file: str
    brought_by: str
    brought_at_ns: int


class Evidence:
    """The documents of enterprises."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

    def bring(self, person: Acting, enterprise: Enterprise, file: str, content: bytes) -> str:
        """Keep a document, and return its hash.

        Notes
        -----
        Rules: CEA-MRV-04, CEA-VER-08.
        """
        words_checked(file, "file")
        digest = sha256(content).hexdigest()
        pages = page_hashes(content)
        with self._record.transaction():
            if digest in self.known(enterprise.enterprise_id, [digest]):
                raise PlatformActError(
                    PlatformRefusal.EVIDENCE_TAKEN,
                    f"{file}: expected a document that was not brought, got {digest} again",
                )
            number = self._store.next_id("evidence", "evidence_id")
            self._store.insert(
                "evidence (evidence_id, enterprise_id, sha256, file, content, brought_by,"
                " brought_at_ns)",
                [
                    (number, enterprise.enterprise_id, digest, file, content, person.name)
                    + (self._record.now_ns(),)
                ],
            )
            self._store.insert(
                "evidence_pages (evidence_id, page, sha256)",
                [(number, page, each) for page, each in enumerate(pages, 1)],
            )
        return digest

    def known(self, enterprise_id: int, hashes: Iterable[str]) -> set[str]:
        """Return which of some hashes are of documents that an enterprise brought."""
        return {
            each
            for each in hashes
            if self._store.one(
                "SELECT 1 FROM evidence WHERE enterprise_id = ? AND sha256 = ?",
                (enterprise_id, each),
            )
        }

    def content(self, enterprise_id: int, digest: str) -> bytes:
        """Return the bytes of a document."""
        found: bytes | None = self._store.one(
            "SELECT content FROM evidence WHERE enterprise_id = ? AND sha256 = ?",
            (enterprise_id, digest),
        )
        if found is None:
            raise PlatformActError(
                PlatformRefusal.EVIDENCE_UNKNOWN,
                f"evidence: expected a document that was brought, got {digest!r}",
            )
        return found

    def of(self, enterprise_id: int) -> list[dict[str, Any]]:
        """Return an enterprise's documents, in the order in which they came."""
        rows = self._store.execute(
            f"SELECT {', '.join(Document._fields)} FROM evidence WHERE enterprise_id = ?"
            " ORDER BY evidence_id",
            (enterprise_id,),
        )
        return [Document(*row)._asdict() for row in rows.fetchall()]

    def spliced(self) -> dict[str, str]:
        """Return the documents of which a page stands in another one too, and in which.

        Of several others it is the one that came first. A document that two enterprises brought as
        it is, is `shared` and not spliced.

        Notes
        -----
        Rules: CEA-VER-08.
        """
        rows = self._store.execute(
            "SELECT mine.sha256, other.sha256 FROM evidence_pages AS page"
            " JOIN evidence_pages AS same ON same.sha256 = page.sha256"
            "  AND same.evidence_id <> page.evidence_id"
            " JOIN evidence AS mine ON mine.evidence_id = page.evidence_id"
            " JOIN evidence AS other ON other.evidence_id = same.evidence_id"
            " WHERE mine.sha256 <> other.sha256"
            " ORDER BY other.evidence_id DESC"
        )
        return dict(rows.fetchall())

    def shared(self) -> list[tuple[str, list[str]]]:
        """Return the documents that more than one enterprise brought, and which did."""
        rows = self._store.execute(
            "SELECT sha256, enterprise FROM evidence"
            " JOIN enterprises ON enterprises.enterprise_id = evidence.enterprise_id"
            " WHERE sha256 IN (SELECT sha256 FROM evidence GROUP BY sha256 HAVING count(*) > 1)"
            " ORDER BY sha256, enterprise"
        )
        found: dict[str, list[str]] = {}
        for digest, enterprise in rows.fetchall():
            found.setdefault(digest, []).append(enterprise)
        return list(found.items())
