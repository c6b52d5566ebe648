"""A registry in which nearly everything has happened that leaves a row, for auditors' tests."""

from datetime import timedelta
from pathlib import Path

import msgspec

from cea_exchange.protocol.bank.iso_20022 import camt_053
from cea_exchange.protocol.bank.statements import (
    AccountStatement,
    Entry,
    InstructionStatus,
    Statement,
    Status,
    StatusReport,
)
from cea_exchange.protocol.links.ccer import (
    BEFORE_ALL,
    ClaimAnswer,
    LinkAnswer,
    ProofIssued,
    head_after,
)
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.settlement.settlement import Settlement
from support.ccer.programme import signed
from support.registry.allocation_files import allocation_file
from support.registry.compliance_world import obligation_file, proof
from support.registry.registry_venue import RegistryAndVenue
from support.registry.service_callers import Staff, key_of

BEIJING, SHANGHAI = 11, 31
ENTITIES = {"P1": BEIJING, "P2": SHANGHAI, "P3": SHANGHAI}
COURT = {"order": "E 1", "court": "Wuhan Court"}


class Eventful(RegistryAndVenue):
    """Acts and days one after the other; `run` is all of them."""

    def run(self) -> None:
        """Let everything happen."""
        self.compliance()
        self.trading()
        self.courts()
        self.bank()
        self.ccer_link()
        self.services()

    def at(self, year: int, month: int, day: int) -> None:
        """Go on to noon of a day."""
        self.day = self.day.replace(year=year, month=month, day=day)

    def compliance(self) -> None:
        registry = self.registry
        self.at(2025, 11, 3)
        for product in ("CEA24", "CEA25"):
            registry.product_declare(product, 9_749)
        for account, province in ENTITIES.items():
            registry.accounts.open(account, province=province)
        registry.distribution.issue("CEA24", 1_000_000)
        self.distribute("pre", {"P1": 90_000, "P2": 100_000, "P3": 80_000})
        registry.transfer_in("P2", "CEA24", 60_000)
        registry.distribution.deduct("P1", "HB-1", "other", 500, 2025_11_03)
        # What P2 has at the venue is called from there, and what comes is taken.
        self.distribute("final", {"P1": 100_000, "P2": 30_000, "P3": 90_000})
        self.endow("P1", None, 50_000_000)
        registry.issue("P2", "CEA24", 5_000)
        registry.obligations.take(obligation_file(registry, 2024, ("P1", 950), ("P2", 400)))
        registry.offsets.book(proof("N1", "P1", 47))
        number = registry.surrender.apply("P1", 2024, {"CEA24": 903})
        registry.surrender.accept(number, BEIJING)
        registry.surrender.retire(number)
        self.at(2026, 1, 20)
        registry.carryover.give_notice()
        registry.carryover.apply("P1", {"CEA24": 300})

    def distribute(self, stage: str, tonnes: dict[str, int]) -> None:
        """Distribute a stage; what is for P3, which is at risk, its province keeps."""
        source = allocation_file(stage, tonnes, entities=ENTITIES, at_risk=["P3"])
        distribution = self.registry.distribution
        distribution.distribute(distribution.preview(source).preview_id)

    def trading(self) -> None:
        registry = self.registry
        self.at(2026, 7, 15)
        self.meet()
        self.day_open()
        self.listed()
        for tonnes in (10, 20, 30):
            self.trade("P2", "P1", "CEA24", tonnes)
        self.meet()
        registry.enforcement.freeze("P2", "CEA24", None, until=2026_12_31, **COURT)
        # Against the freeze: it fails.
        self.trade("P2", "P1", "CEA24", 40)
        self.bust(self.records_of_trade(1))
        self.meet()
        self.day_close()
        self.meet()
        registry.statements.object("P1", registry.store.confirmed_date, "the fee is wrong")
        self.day += timedelta(days=1)
        self.day_open()
        self.meet()
        self.listed()
        registry.transfer_out("P1", "CEA24", 50)
        self.meet()
        # What the second trade brought has left: there are claims.
        self.bust(self.records_of_trade(2))
        self.settlement = Settlement(registry.store, mode="end_of_day")
        self.trade("P1", "P3", "CEA24", 1)
        self.next_day()
        self.settlement.settle_batch()
        registry.defaults.notice(1, self.date)

    def courts(self) -> None:
        registry = self.registry
        freeze = registry.enforcement.freeze("P1", "CEA24", 200, until=2026_12_31, **COURT)
        registry.enforcement.deduct(freeze, 50, "P3", **COURT)
        registry.dispositions.cancellation_apply("P1", "CEA24", 5, purpose="a fair")
        registry.key_grant("k" * 40, "P1")

    def bank(self) -> None:
        registry = self.registry
        registry.day_begin()
        registry.bank.setting = BankSetting()
        entries = (Entry(entry_ref="S1", cash=700, counter_account="own", reference="P1"),)
        paid = AccountStatement(account="P1", opening=0, entries=entries, closing=700)
        statement = Statement(
            statement_id="ST1",
            created_s=int(self.day.timestamp()),
            business_date=self.date,
            sequence=1,
            accounts=(paid,),
        )
        registry.bank.books.statement_read(camt_053.statement_write(statement), "st1.xml")
        registry.bank.pay_out("P1", 300, "own")
        while registry.bank.instruct():
            pass
        (batch,) = registry.bank.batches()
        statuses = tuple(
            InstructionStatus(instruction_id=each.instruction_id, status=Status.ACCEPTED)
            for each in batch.instructions
        )
        report = StatusReport(
            report_id="R1", created_s=statement.created_s, batch_id="B1", statuses=statuses
        )
        registry.bank.reports.report_take(report, b"<Document/>")

    def ccer_link(self) -> None:
        """Take a proof from the CCER registry, which keeps it for its entity and year."""
        fields = msgspec.structs.asdict(proof("C1", "P1", 5))
        payload = msgspec.msgpack.encode(ProofIssued(**fields))
        item = signed(1, payload, head_after(BEFORE_ALL, payload))
        self.registry.ccer_proofs.take(LinkAnswer(last_proof_seq=1, items=(item,)))
        kept = ClaimAnswer(claim_seq=1, state="reserved")
        self.registry.ccer_proofs.take(LinkAnswer(last_proof_seq=1, answers=(kept,)))

    def services(self) -> None:
        staff = Staff(self.registry)
        staff._service.settings_keep()
        for name, role in (("li", "initiator"), ("mo", "approver")):
            added = {"name": name, "key": key_of(name), "role": role, "account": "P1"}
            asked = staff.an("person_add", **added)
            assert staff.bo("approve", proposal=asked["proposal"])["ok"]
        li, mo = staff.li, staff.mo
        asked = li("transfer_out", account="P1", product="CEA24", amount=7, request_id="r1")
        assert mo("approve", proposal=asked["proposal"])["ok"]
        assert staff.an("account_suspend", account="P2", why="court order 12")["ok"]


def eventful(folder: Path, database: str | None = None) -> None:
    """Let everything happen in a new registry in a folder, and close it."""
    both = Eventful(folder, database)
    both.run()
    both.close()
