"""The registry, wired: its services upon one database, each given what it needs and no more.

Usable without a daemon: open the data folder, act, close. Each act is a transaction of its own, or
part of a larger one::

    with Registry.open(data) as registry, registry.transaction():
        registry.product_declare("CEA24", reference_price_fen=9749)
        registry.account_open("P001", credit_code="91330100799655058B", province=33)
        registry.issue("P001", "CEA24", 5_000)
        registry.transfer_in("P001", "CEA24", 5_000)
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cea_exchange.institution.clock import GivenClock, InstitutionClock
from cea_exchange.institution.services import Ended, InstitutionServices
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store
from cea_exchange.registry.bank.files import BankFiles
from cea_exchange.registry.bank.pay_in_reversals import pay_in_reverse
from cea_exchange.registry.bank.service import BankService
from cea_exchange.registry.ccer_link.proofs import CcerProofs
from cea_exchange.registry.compliance.borrowing import Borrowing
from cea_exchange.registry.compliance.carryover import Carryover
from cea_exchange.registry.compliance.corrections import Corrections
from cea_exchange.registry.compliance.deductions import Deductions
from cea_exchange.registry.compliance.duties import Duties
from cea_exchange.registry.compliance.lists import Compliance
from cea_exchange.registry.compliance.obligations import Obligations
from cea_exchange.registry.compliance.offset_shares import OffsetShares
from cea_exchange.registry.compliance.offsets import Offsets
from cea_exchange.registry.compliance.province_custody import ProvinceHoldings
from cea_exchange.registry.compliance.surrender import Surrender
from cea_exchange.registry.distribution.distribution import Distribution
from cea_exchange.registry.enforcement.arrivals import Arrivals
from cea_exchange.registry.enforcement.court_orders import Enforcement
from cea_exchange.registry.enforcement.dispositions import Dispositions
from cea_exchange.registry.enforcement.first_claims import FirstClaims
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.accounts import Accounts, Admission
from cea_exchange.registry.participants.keys import Keys
from cea_exchange.registry.participants.persons import RegistryPersons
from cea_exchange.registry.participants.products import Products
from cea_exchange.registry.participants.roles import OPERATOR, OWN_BODIES, REGULATOR, SCOPED
from cea_exchange.registry.participants.sub_accounts import SubAccounts
from cea_exchange.registry.platform_link.stream import PlatformStream
from cea_exchange.registry.settlement.account_statements import Statements
from cea_exchange.registry.settlement.claims import Claims
from cea_exchange.registry.settlement.defaults import Defaults
from cea_exchange.registry.settlement.proceeds import Proceeds
from cea_exchange.registry.settlement.risk_reserve import RiskReserve
from cea_exchange.registry.settlement.transfers import Transfers
from cea_exchange.registry.store import RegistryStore


class Registry(InstitutionServices):
    """The registry upon its database.

    Parameters
    ----------
    clock_ns
        Gives the time (nanoseconds since 1970), whatever it is; left out, the system's.
    clock
        Instead of it, one that is guarded: the daemon's.

    Attributes
    ----------
    ledger : Ledger
        What the services share. Its `account`, `asset`, `move`, `moves`, `now_ns`, `business_date`,
        `acting` and `transaction` are the registry's, too.
    account_open, product_declare, key_grant, key_revoke, transfer_in, transfer_out
        `Accounts.open`, `Products.declare`, `Keys.grant`, `Keys.revoke`, `Transfers.to_venue` and
        `Transfers.from_venue`.
    """

    store: Store
    persons: RegistryPersons

    def __init__(
        self,
        store: Store,
        clock_ns: Callable[[], int] = time.time_ns,
        *,
        clock: InstitutionClock | None = None,
        admission: Admission = "listed_entities",
    ) -> None:
        self.ledger = ledger = Ledger(store, GivenClock(clock_ns) if clock is None else clock)
        super().__init__(
            ledger,
            RegistryPersons(ledger),
            scoped=SCOPED,
            overseers=frozenset({OWN_BODIES[OPERATOR], OWN_BODIES[REGULATOR]}),
        )
        self._participants(ledger, admission)
        self._compliance(ledger, self.accounts)
        self._settlement(ledger, self.accounts)
        self.platform_stream = PlatformStream(
            *(ledger, self.act_log, self.distribution, self.obligations),
            self.corrections,
            self.compliance,
            self.deductions,
        )
        self.platform_stream.completions_follow(self.surrender, self.offsets)
        self.account, self.asset = ledger.account, ledger.asset
        self.move, self.moves = ledger.move, ledger.moves
        self.account_open, self.key_bodies = self.accounts.open, self.accounts.key_bodies
        self.product_declare = self.products.declare
        self.key_grant, self.key_revoke = self.keys.grant, self.keys.revoke
        self.transfer_in, self.transfer_out = self.transfers.to_venue, self.transfers.from_venue
        self.clock_move, self.clock_confirm = self.clock_acts.move, self.clock_acts.confirm
        self.clock_take = self.clock_acts.take

    def _participants(self, ledger: Ledger, admission: Admission) -> None:
        self.products, self.keys = Products(ledger), Keys(ledger)
        self._sub_accounts = SubAccounts(ledger.store)
        self.accounts = Accounts(ledger, self.persons, self.keys, self._sub_accounts, admission)

    def _compliance(self, ledger: Ledger, accounts: Accounts) -> None:
        self.arrivals = arrivals = Arrivals(ledger.store)
        FirstClaims(ledger, arrivals)
        self.enforcement = Enforcement(ledger, accounts, self.act_log, arrivals)
        self.products.after_declaring.append(self.enforcement.product_declared)
        self.dispositions = Dispositions(ledger, accounts)
        self.province_holdings = custody = ProvinceHoldings(ledger)
        self.deductions = Deductions(ledger)
        self.obligations, self.offsets = Obligations(ledger), Offsets(ledger)
        self.offset_shares = OffsetShares(ledger)
        self.ccer_proofs = CcerProofs(ledger, self.act_log, self.offsets)
        self.surrender = Surrender(ledger, accounts, custody)
        self.corrections, self.duties = Corrections(ledger), Duties(ledger)
        self.compliance = Compliance(ledger, self.corrections, custody, self.deductions)
        self.borrowing = Borrowing(ledger, self.surrender, self.deductions)
        self.carryover = Carryover(ledger, accounts, arrivals.recalls)
        self.distribution = Distribution(ledger, accounts, arrivals, custody, self.deductions)

    def _settlement(self, ledger: Ledger, accounts: Accounts) -> None:
        self.risk_reserve, self.proceeds = RiskReserve(ledger), Proceeds(ledger)
        self.defaults = Defaults(ledger, accounts, self.risk_reserve)
        self.claims = Claims(ledger, self.defaults)
        self.transfers = Transfers(ledger, self.defaults)
        self.bank = BankService(ledger, accounts, self._sub_accounts, self.defaults, self.act_log)
        self.defaults.cash_leg = self.bank
        self.bank_files = BankFiles(self.bank)
        self.statements = Statements(ledger, accounts)

    def platform_follow(self, *, acts_by_hand: bool) -> None:
        """Let the platform say whose accounts are opened and, but for a switch, all it decides.

        Rules: CEA-PLK-06, CEA-ADM-01.
        """
        self.accounts.opening_checks.append(self.platform_stream.listed.opening_check)
        self.distribution.by_platform_only = not acts_by_hand
        self.obligations.by_platform_only = not acts_by_hand

    @classmethod
    def open(
        cls,
        data: Path | str,
        database: str | None = None,
        *,
        admission: Admission = "listed_entities",
    ) -> Self:
        """Open the registry in ``data/registry/``, which no other process may have open.

        Parameters
        ----------
        database
            ``postgresql://...`` for a registry in PostgreSQL; see `RegistryStore.open`.
        admission
            Whose accounts are opened: ``listed_entities`` asks for a credit code and a province,
            ``open`` for neither.
        """
        return cls(RegistryStore.open(data, database), admission=admission)

    # -- what embedders and tests do by hand --------------------------------------------------

    def issue(self, account: str, product: str, tonnes: int) -> None:
        """Issue allowances into an account's registration compartment.

        For who embeds a registry without persons, and for tests; over a control socket there is no
        such act: allowances are issued to the authority and distributed.
        """
        with self.transaction():
            holder, asset = self.account(account), self.asset(product)
            self.move(EntryKind.ISSUE, Institution.ISSUANCE, holder, asset, tonnes)

    def pay_in(self, account: str, cash_fen: int) -> None:
        """Book cash that was paid in into an account's registration compartment.

        Raises ActError: there is a settlement bank: what it did not book never was paid in.

        Rules: CEA-PER-06.
        """
        with self.transaction():
            self.bank.paid_in_by_hand_check("pay_in")
            payer = self.account(account)
            self.move(EntryKind.PAY_IN, Institution.BANK, payer, CASH_ASSET, cash_fen)

    def pay_in_reverse(self, account: str | None, entry_id: int, cash_fen: int, why: str) -> int:
        """Take back a pay-in that was a mistake (`pay_in_reversals`); return the entry's id.

        Raises ActError: there is a settlement bank, which has that cash now.

        Rules: CEA-PER-08.
        """
        self.bank.paid_in_by_hand_check("pay_in_reverse")
        return pay_in_reverse(self.ledger, account, entry_id, cash_fen, why)

    # -- days and figures ---------------------------------------------------------------------

    def day_begun(self, date: int) -> Ended:
        """End the freezes that end with the day before."""
        expired = self.enforcement.expire()
        return {"freezes_expired": {"freeze_ids": expired}} if expired else {}

    def status(self) -> dict[str, Any]:
        """Return how far the registry is, with its counts."""
        store = self.store
        return {
            "log_id": store.log_id,
            "last_seq": store.last_seq,
            "confirmed_date": store.confirmed_date,
            "state": store.state,
            "accounts": store.one("SELECT count(*) FROM accounts WHERE account_index >= 0"),
            "products": store.one("SELECT count(*) FROM products"),
            "trades": store.one("SELECT count(*) FROM trades"),
            "trades_failed": store.one(
                "SELECT count(*) FROM trades WHERE failure <> '' AND state = 'failed'"
            ),
            "claims": store.one("SELECT count(*) FROM claims"),
            "entries": store.entry_last,
            "transfers_pending": store.one(
                "SELECT count(*) FROM transfers WHERE state = 'pending'"
            ),
            "bank_unapplied": self.bank.reports.open_count(),
            "duties_overdue": sum(duty.is_overdue for duty in self.duties.open()),
            "platform_seq": self.platform_stream.standing().last_seq,
            "platform_refused": self.platform_stream.standing().refused,
            **self.ccer_proofs.standing(),
        }
