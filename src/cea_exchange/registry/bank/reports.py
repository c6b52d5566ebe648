"""The bank's answers: kept as received, applied as far as they can be, the rest shown.

::

    answer --kept--> bank_reports --each status--> applied
                          |                           ^
                          +-- can't be read           | again: after a statement, by and by,
                          v                           | or when a person says so
                       refused          bank_unapplied, with what keeps it

Nothing that a bank says ends the registry, and nothing it says of one instruction holds up what it
says of the others. What could not be applied is tried again: its cause may be mended meanwhile, as
when a statement shows the cash that the risk reserve was waiting for.
"""

from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

import structlog

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.act_log import ActLog
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError, words_checked
from cea_exchange.institution.paging import page
from cea_exchange.ledger.database.interface import ConstraintViolated, DatabaseError
from cea_exchange.protocol.bank.instructions import Batch
from cea_exchange.protocol.bank.iso_20022 import pain_002
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.bank.statements import InstructionStatus, Status, StatusReport
from cea_exchange.registry.bank.payments import BankPayments
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.own_acts import OwnAct

CONTENT_BYTES_MAX = 4 << 20
"""Kept of an answer; one of a full batch has less than a third of it."""
UNREADABLE_COUNT_MAX = 16
"""Answers that can't be read are kept of one batch; whatever else a bank sends for it is logged."""
RETRY_COUNT_MAX = 100
EVERY = 1 << 40

log = structlog.get_logger("registry")


class Unapplied(NamedTuple):
    """What a message of the bank says of an instruction, and why that can't be applied."""

    instruction_id: str
    status: str
    reason: str
    why: str


class BankReports:
    """Takes the bank's answers, and tries again what of its messages could not be applied.

    Rules: CEA-BNK-15.

    Parameters
    ----------
    finding_again
        Takes again what statements show of an instruction.
    """

    def __init__(
        self,
        ledger: Ledger,
        act_log: ActLog,
        payments: BankPayments,
        finding_again: Callable[[str], None],
    ) -> None:
        self._ledger = ledger
        self._act_log = act_log
        self._payments = payments
        self._finding_again = finding_again
        self._tried_last = 0

    # -- answers ------------------------------------------------------------------------------

    def answer_take(self, batch: Batch, content: bytes) -> list[Unapplied]:
        """Take what came over the socket as the answer to a batch, whatever it is.

        Returns what of it could not be applied. An answer that can't be read is kept, and the batch
        stays unanswered.

        Raises DatabaseError: it can't be kept now; nothing was changed, and the bank is asked
        again.
        """
        try:
            report = pain_002.report_read(content, f"answer to {batch.batch_id}", batch=batch)
        except BankFileError as error:
            self._unreadable_keep(batch.batch_id, content, str(error))
            return []
        return self.report_take(report, content)

    def report_take(self, report: StatusReport, content: bytes) -> list[Unapplied]:
        """Take a report that was read: states, and what comes of them; once or again.

        Rules: CEA-BNK-02, CEA-BNK-08, CEA-BNK-10, CEA-BNK-15.
        """
        store = self._ledger.store
        with self._act_log.own(OwnAct.BANK_ANSWERED, {"batch_id": report.batch_id}):
            statuses = report.statuses or self._all_refused(report)
            unapplied = self._statuses_take(statuses)
            digest = _digest(repr((report.refusal, report.statuses)).encode())
            why = "; ".join(f"{each.instruction_id}: {each.why}" for each in unapplied[:10])
            state = "refused" if unapplied else "applied"
            report_no = self._keep(report.batch_id, digest, content, state, why)
            self.unapplied_keep(f"report {report_no}", unapplied)
            store.execute(
                "UPDATE bank_batches SET is_answered = 1 WHERE batch_id = ? AND is_answered = 0",
                (report.batch_id,),
            )
        return unapplied

    def _all_refused(self, report: StatusReport) -> list[InstructionStatus]:
        rows = self._ledger.store.column(
            "SELECT instruction_id FROM bank_instructions WHERE batch_id = ?", (report.batch_id,)
        )
        return [
            InstructionStatus(instruction_id=name, status=Status.REFUSED, reason=report.refusal)
            for name in rows
        ]

    def _statuses_take(self, statuses: Iterable[InstructionStatus]) -> list[Unapplied]:
        """Apply all statuses at once; or where one can't be, each by itself."""

        def all_take() -> None:
            for status in statuses:
                self._payments.status_take(status)

        if self.tried(all_take) is None:
            self.overtaken(status.instruction_id for status in statuses)
            return []
        unapplied = []
        for status in statuses:
            why = self.tried(partial(self._payments.status_take, status))
            if why is None:
                self.overtaken([status.instruction_id])
            else:
                unapplied.append(
                    Unapplied(status.instruction_id, status.status.value, status.reason, why)
                )
        return unapplied

    def tried(self, act: Callable[[], None]) -> str | None:
        """Do something, or nothing of it; return why not, None if it was done.

        Raises DatabaseError, MemoryError: nothing more can be done now; what is around it is to be
        taken back, too.
        """
        try:
            with self._ledger.transaction():
                act()
        except (ActError, ConstraintViolated) as error:
            return str(error)
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:
            # Whatever it is, the bank's word must not end the registry; a person has to look.
            return f"{type(error).__name__}: {error}"
        return None

    def _keep(self, batch_id: str, digest: str, content: bytes, state: str, why: str) -> int:
        """Keep an answer, unless the same was given before; return its number."""
        store = self._ledger.store
        known = store.find("bank_reports", "report_no", batch_id=batch_id, digest=digest)
        if known is not None:
            return int(known)
        return store.add(
            "bank_reports (report_no, batch_id, business_date, digest, content, content_bytes,"
            " state, why)",
            *(batch_id, self._ledger.business_date(), digest),
            *(content[:CONTENT_BYTES_MAX], len(content), state, why),
        )

    def _unreadable_keep(self, batch_id: str, content: bytes, why: str) -> None:
        log.warning("bank_answer_unreadable", batch_id=batch_id, why=why)
        with self._ledger.transaction():
            count = self._ledger.store.one(
                "SELECT count(*) FROM bank_reports WHERE batch_id = ? AND state = 'unreadable'",
                (batch_id,),
            )
            if count < UNREADABLE_COUNT_MAX:
                self._keep(batch_id, _digest(content), content, "unreadable", why)

    # -- what could not be applied ------------------------------------------------------------

    def unapplied_keep(self, source: str, found: Iterable[Unapplied]) -> None:
        """Keep what of a message could not be applied; within a transaction.

        Parameters
        ----------
        source
            ``report 12`` or ``statement S-1``.
        """
        store, date = self._ledger.store, self._ledger.business_date()
        for each in found:
            if store.one(
                "SELECT 1 FROM bank_unapplied WHERE state = 'open' AND instruction_id = ?"
                " AND status = ? AND reason = ?",
                each[:3],
            ):
                continue
            log.warning("bank_not_applied", source=source, **each._asdict())
            store.add(
                "bank_unapplied (unapplied_id, business_date, source, instruction_id, status,"
                " reason, why, state)",
                *(date, source, *each, "open"),
            )

    def open_count(self) -> int:
        """Return how much of what the bank said waits to be applied."""
        return int(
            self._ledger.store.one("SELECT count(*) FROM bank_unapplied WHERE state = 'open'")
        )

    def listed(self, *, first: int = 1, count: int) -> tuple[list[dict[str, Any]], int | None]:
        """Return what waits to be applied, and where the next page begins."""
        rows = self._ledger.store.records(
            f"SELECT unapplied_id, business_date, source, {', '.join(Unapplied._fields)}"
            " FROM bank_unapplied WHERE state = 'open' AND unapplied_id >= ?"
            " ORDER BY unapplied_id LIMIT ?",
            (first, count + 1),
        )
        return page(rows, count, "unapplied_id")

    def retry(self) -> int:
        """Try again all that could not be applied, oldest first; return how much of it was.

        Rules: CEA-BNK-15.
        """
        return sum(self._again(*row) for row in self._open_rows(0, EVERY))

    def retry_some(self) -> int:
        """Try again some of it, behind what was tried the last time; return how much was applied.

        For who has other things to do meanwhile.
        """
        rows = self._open_rows(self._tried_last, RETRY_COUNT_MAX)
        self._tried_last = rows[-1][0] if len(rows) == RETRY_COUNT_MAX else 0
        return sum(self._again(*row) for row in rows)

    def _open_rows(self, after: int, count_max: int) -> list[tuple[Any, ...]]:
        return self._ledger.store.all(
            "SELECT unapplied_id, source, instruction_id, status, reason FROM bank_unapplied"
            " WHERE state = 'open' AND unapplied_id > ? ORDER BY unapplied_id LIMIT ?",
            (after, count_max),
        )

    def _again(self, number: int, source: str, name: str, status: str, reason: str) -> bool:
        """Apply one that could not be; say whether it is now."""
        if source.startswith("statement"):
            apply = partial(self._finding_again, name)
        else:
            answer = InstructionStatus(instruction_id=name, status=Status(status), reason=reason)
            apply = partial(self._payments.status_take, answer)
        with self._act_log.own(OwnAct.BANK_ANSWERED, {"unapplied_id": number}):
            if self.tried(apply) is not None:
                return False
            self._ledger.store.change("bank_unapplied", {"unapplied_id": number}, state="applied")
        log.info("bank_applied_late", source=source, instruction_id=name, status=status)
        return True

    def close(self, unapplied_id: int, why: str) -> None:
        """End what never can be applied, after the bank was asked: a person says why."""
        words_checked(why, "why", WHY_LENGTH_MAX)
        with self._ledger.transaction():
            if not self._ledger.store.one(
                "SELECT 1 FROM bank_unapplied WHERE unapplied_id = ? AND state = 'open'",
                (unapplied_id,),
            ):
                raise ActError(
                    RegistryRefusal.UNAPPLIED_UNKNOWN,
                    f"unapplied_id: expected that of a report that waits, got {unapplied_id}",
                )
            self._ledger.store.change(
                "bank_unapplied", {"unapplied_id": unapplied_id}, state="closed"
            )

    def overtaken(self, names: Iterable[str]) -> None:
        """End what an earlier message said of instructions of which a later one was applied."""
        if not self.open_count():
            return
        for name in names:
            self._ledger.store.execute(
                "UPDATE bank_unapplied SET state = 'overtaken' WHERE state = 'open'"
                " AND instruction_id = ?",
                (name,),
            )


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
