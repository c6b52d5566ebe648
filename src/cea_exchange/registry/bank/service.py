"""The settlement bank: its answers and statements, fetched or read from files.

Its instructions are `payments`; its answers, `reports`; what it has booked, `books`.
"""

from typing import Any

import structlog

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.act_log import ActLog
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.database.interface import ConstraintViolated, DatabaseError
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.registry.bank.books import BankBooks
from cea_exchange.registry.bank.payments import BankPayments
from cea_exchange.registry.bank.reports import BankReports
from cea_exchange.registry.bank.schedule import StatementOf, StatementSchedule, trouble_shown
from cea_exchange.registry.checks import day_checked
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.own_acts import OwnAct
from cea_exchange.registry.participants.accounts import Accounts
from cea_exchange.registry.participants.sub_accounts import SubAccounts
from cea_exchange.registry.settlement.defaults import Defaults

log = structlog.get_logger("registry")


class BankService(BankPayments):
    """Payments, and what the bank says.

    Attributes
    ----------
    reports : BankReports
        Takes its answers.
    schedule : StatementSchedule or None
        Which statements are fetched when; None where files are carried by hand.
    """

    def __init__(
        self,
        ledger: Ledger,
        accounts: Accounts,
        sub_accounts: SubAccounts,
        defaults: Defaults,
        act_log: ActLog,
    ) -> None:
        super().__init__(ledger, accounts, sub_accounts, defaults)
        self._act_log = act_log
        self.schedule: StatementSchedule | None = None
        self.reports = BankReports(ledger, act_log, self, self._finding_again)

    @property
    def books(self) -> BankBooks:
        """What the bank's statements show, held against its instructions."""
        return BankBooks(self._ledger, self, self.reports, self._known())

    def _finding_again(self, instruction_id: str) -> None:
        # There are books only once there is a setting.
        self.books.finding_again(instruction_id)

    def statement_ask(self, business_date: int | None) -> StatementOf:
        """Let a day's next statement be fetched soon, today's if no day is said."""
        if self.schedule is None:
            raise ActError(
                RegistryRefusal.BANK_NOT_SET,
                "bank: expected the setting [bank] with data, got files that are carried by hand",
            )
        today = self._ledger.business_date()
        wanted = today if business_date is None else business_date
        day_checked(wanted, "business_date", last=today)
        return self.schedule.ask(wanted)

    def statement_take(self, asked: StatementOf, content: bytes) -> str:
        """Read a statement that was fetched, whole or not at all; return why not, empty if it was.

        Rules: CEA-BNK-03, CEA-BNK-16.
        """
        name = f"statement {asked.business_date}-{asked.sequence}"
        try:
            with self._act_log.own(OwnAct.BANK_STATED, asked._asdict(), is_kept=True):
                self.books.statement_read(content, name, asked)
        except (ActError, BankFileError) as error:
            return str(error)
        except ConstraintViolated as error:
            return f"statement: {error}"
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:
            # Whatever a bank writes, its statement is refused and the reason shown.
            log.error("bank_statement_broke", subject=name, exc_info=True)
            return f"{type(error).__name__}: {error}"
        return ""

    def statement_end(self, asked: StatementOf, why: str) -> None:
        """Note that a statement was read, or why it was not, until a later one is read.

        Rules: CEA-BNK-16.
        """
        assert self.schedule is not None
        why = trouble_shown(why)
        if why and why != self.schedule.trouble:
            content = {**asked._asdict(), "why": why}
            with self._act_log.own(OwnAct.BANK_NOT_STATED, content, is_kept=True):
                pass
        self.schedule.end(asked, why)

    def statements(self, first: int, count: int) -> list[dict[str, Any]]:
        """Return which statements were read, from a place on, the latest first."""
        return self._ledger.store.records(
            "SELECT business_date, sequence, s.statement_id AS statement_id,"
            " count(DISTINCT account) AS accounts_moved, count(account) AS entries"
            " FROM (SELECT business_date, sequence, statement_id FROM bank_statements"
            "  ORDER BY business_date DESC, sequence DESC LIMIT ? OFFSET ?) AS s"
            " LEFT JOIN bank_entries AS e ON e.statement_id = s.statement_id"
            " GROUP BY business_date, sequence, s.statement_id"
            " ORDER BY business_date DESC, sequence DESC",
            (count, first),
        )
