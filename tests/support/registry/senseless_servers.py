"""Whom the registry goes to, talking nonsense until `is_sane`: bank, platform, CCER registry.

What they say when it is right is right: what comes of a message that is odd in a single field, or
says an impossible thing in good form, is what a test wants to see.
"""

import json
import threading

import msgspec
import zmq

from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001, pain_002
from cea_exchange.protocol.bank.statements import (
    AccountStatement,
    Entry,
    InstructionStatus,
    Statement,
    Status,
    StatusReport,
)
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.links import ccer, platform
from cea_exchange.protocol.security import AllowList, CurveKeys, server_socket
from support.ccer.programme import signed
from support.registry.fake_venue import pack

DATES = (2025_07_16, 2025_07_17, 2025_07_18)
STATED = 2025_07_15
"""A statement's day, before all instructions: no statement of this bank shows one."""
NUMBERS = (0, -1, 1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
ITEM_NUMBERS = (0, 1, 2024, 2**31, 2**62)
DEEP = b"\x91" * 100_000
ITEMS_MAX = 20
"""In one answer of the CCER registry."""


def spoiled(rng, content):
    """Return bytes with some of them changed, cut or doubled."""
    content = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(content) + 1)
        match rng.randrange(3):
            case 0:
                content[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                del content[place : place + rng.randint(1, 40)]
            case 2:
                content[place:place] = content[place : place + rng.randint(1, 40)]
    return bytes(content)


def anything(rng, depth=2):
    """Return something that MessagePack can say."""
    kinds = 6 if depth else 4
    match rng.randrange(kinds):
        case 0:
            return rng.choice(NUMBERS)
        case 1:
            return rng.choice(("", "alice", "x" * 5_000, "\x00", "a\nb", "=1+1"))
        case 2:
            return rng.choice((None, True, False, 1.5, b"\xff\x00"))
        case 3:
            return rng.randbytes(rng.randrange(50))
        case 4:
            return [anything(rng, depth - 1) for _ in range(rng.randrange(4))]
        case _:
            return {rng.choice(("ok", "content", "op", "a")): anything(rng, depth - 1)}


class FakeServer:
    """A socket to which the registry goes; with `is_sane` it answers what it should."""

    name = ""
    door = ""
    """Under which its endpoints have the socket."""

    def __init__(self, data, rng):
        self.data, self.rng, self.is_sane = data, rng, False
        self._context = zmq.Context()
        self._allow_list = AllowList(self._context)
        self._allow_list.allow(self.name, lambda key: True)
        self._socket, self.endpoint = server_socket(
            self._allow_list,
            self._context,
            zmq.ROUTER,
            domain=self.name,
            keys=CurveKeys.load(data / "keys", self.name),
            address="tcp://127.0.0.1:0",
        )
        self.endpoints_write()
        self.errors = []
        self._quit = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def endpoints_write(self):
        path = self.data / self.name / "endpoints.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({self.door: self.endpoint}))

    def _run(self):
        try:
            while not self._quit.is_set():
                if self._socket.poll(20):
                    identity, payload = self._socket.recv_multipart()
                    for frames in self.answers(msgspec.msgpack.decode(payload)):
                        self._socket.send_multipart([identity, *frames])
        except Exception as error:
            self.errors.append(error)

    def answers(self, request):
        """Return messages, each in frames."""
        right = pack(self.right(request))
        if self.is_sane:
            return [[right]]
        odd = (
            [],
            [[DEEP]],
            [[b""]],
            [[right, right]],
            [[spoiled(self.rng, right)]],
            [[pack(anything(self.rng))]],
            [[pack(self.wrong(request))]],
        )
        # Often enough right that something comes of it.
        return self.rng.choice((*odd, *[[[right]]] * 7))

    def close(self):
        self._quit.set()
        self._thread.join()
        self._socket.close()
        self._allow_list.close()
        self._context.term()


class FakeBank(FakeServer):
    """A bank: reports, and statements."""

    name, door = "bank", "bank"

    def __init__(self, data, rng):
        self.sent, self.said, self.statements_read = {}, {}, 0
        super().__init__(data, rng)

    def right(self, request):
        if request["op"] == "statement":
            asked = (request["business_date"], request["sequence"])
            return {"ok": True, "content": statement_of(*asked, self.statements_read)}
        batch = self._batch(request)
        if batch is None:
            return {"ok": False, "error": f"no batch {request['batch_id']}"}
        return {"ok": True, "content": self._report(batch, 0.0 if self.is_sane else 0.4)}

    def wrong(self, request):
        right = self.right(request)
        content = right.get("content", b"")
        odd = [
            {"ok": True, "content": spoiled(self.rng, content)},
            {"ok": self.rng.choice(NUMBERS), "content": content},
            {"ok": False, "error": anything(self.rng)},
            {"ok": True, "content": statement_of(*self._any_statement())},
        ]
        if self.sent:
            odd.append({"ok": True, "content": self._report(self._other(), 0.4)})
        return self.rng.choice(odd)

    def _any_statement(self):
        return STATED, self.rng.randint(1, 9), self.rng.randrange(3)

    def _batch(self, request):
        if request["op"] == "batch":
            batch = pain_001.batch_read(request["content"], "batch")
            self.sent[batch.batch_id] = batch
            return batch
        return self.sent.get(request["batch_id"])

    def _other(self):
        return self.rng.choice(list(self.sent.values()))

    def _report(self, batch, wrong):
        """Say of each instruction what was said last, or with some odds something else."""
        statuses = []
        for each in batch.instructions:
            name = each.instruction_id
            if self.rng.random() < wrong or name not in self.said:
                odds = (Status.ACCEPTED, Status.PENDING, Status.REFUSED)
                self.said[name] = self.rng.choice(odds) if wrong else Status.ACCEPTED
            if not wrong and self.said[name] is Status.PENDING:
                self.said[name] = Status.ACCEPTED
            status = self.said[name]
            reason = "AM04" if status is Status.REFUSED else ""
            statuses.append(InstructionStatus(instruction_id=name, status=status, reason=reason))
        report = StatusReport(
            report_id=f"R{self.rng.randrange(10**9)}",
            created_s=1_784_000_000,
            batch_id=batch.batch_id,
            statuses=tuple(statuses),
        )
        return pain_002.report_write(report)


def statement_of(date, sequence, read):
    """Return a statement behind those that were read, with a pay-in of its own as they had."""
    name = f"{date}-{sequence}"
    entry = Entry(entry_ref=f"S{name}", cash=700, counter_account="own", reference="alice")
    before = 700 * read
    paid = AccountStatement(
        account="alice", opening=before, entries=(entry,), closing=before + 700
    )
    return camt_053.statement_write(
        Statement(
            statement_id=f"ST{name}",
            created_s=1_784_000_000,
            business_date=date,
            sequence=sequence,
            accounts=(paid,),
        )
    )


def _refusal_of(decode, item):
    """Return why bytes are no item, None if they are one."""
    try:
        decode(item)
    except DECODE_ERRORS as error:
        return str(error)
    return None


class FakePlatform(FakeServer):
    """The platform's link: a chain of items, sound in form and odd in what they say."""

    name, door = "platform", "link"
    kept = "SELECT item FROM platform_items ORDER BY link_seq"

    def stands(self, kept):
        """Return whether all was kept, or why not; None if what is next can be taken."""
        if kept != self.items[: len(kept)]:
            return "another item was kept"
        if len(kept) == len(self.items):
            return "all is taken"
        return _refusal_of(platform.item_decode, self.items[len(kept)])

    def __init__(self, data, rng):
        self.items, self.heads, self.judged = [], [platform.HEAD_BEFORE_ALL], 0
        super().__init__(data, rng)

    def right(self, question):
        first, count = question["first"], question["count"]
        if not self.is_sane and self.rng.random() < 0.3:
            self._item_add()
        self.judged = max([self.judged, *(each["link_seq"] for each in question["verdicts"])])
        return platform.LinkAnswer(
            log_id="platform",
            last_seq=len(self.items),
            judged_seq=self.judged,
            items=tuple(self.items[first - 1 : first - 1 + count]),
        )

    def wrong(self, question):
        right = self.right(question)
        change = self.rng.choice(
            (
                {"log_id": "another"},
                {"last_seq": self.rng.choice(NUMBERS)},
                {"judged_seq": self.rng.choice(NUMBERS)},
                {"completed_seq": self.rng.choice(NUMBERS)},
                {"items": (*right.items, self.rng.randbytes(9))},
                {"items": right.items[::-1] * 2},
                {"refusal": "LINK_BROKEN"},
            )
        )
        return msgspec.structs.replace(right, **change)

    def _item_add(self):
        number = self.rng.choice
        # Mostly such as an item may have: then the registry has to judge it.
        numbers = number((NUMBERS, *[ITEM_NUMBERS] * 4))
        dates = (0, 20251231, 99990231, numbers[1])
        listed = platform.EntityListed(
            *(number(numbers), "E1", number(("", "91310000MA1FL0001X", "=1")), number(numbers)),
            *(number(("power", "none", "")), "x" * number((0, 5_000)), number((True, False))),
        )
        line = platform.GivenLine("E1", number(numbers), number(numbers))
        given = platform.AllowancesGiven(
            *(number(numbers), number(numbers), number((2024, *numbers)), number(("pre", "final"))),
            *(number(({}, {"power": "1/0"}, {"x": "y"})), (line,) * number((0, 1, 2))),
        )
        duty = platform.DutyLine("E1", number(numbers), number(numbers))
        owed = platform.ObligationsSet(
            number(numbers), number((2024, *numbers)), number(dates), (duty,)
        )
        figures = ("case_id", "province", "compliance_year", "tonnes")
        days = ("decided_on", "ordered_on", "until", "refused_on")
        cut = platform.AllowancesCut(
            enterprise=number(("E1", "E\0", "")),
            cause=number(("unpaid", "enforcement")),
            **{name: number(numbers) for name in figures},
            **{name: number(dates) for name in days},
            **{name: number(("", "D1", "\0")) for name in ("document", "order", "refusal")},
        )
        successor = platform.SucceedingLine("E2", number(numbers), number(numbers))
        succeeded = platform.ObligationSucceeded(
            *(number(numbers), "E1", number((2024, *numbers)), number(dates)),
            *(number(("", "D1", "\0")), (successor,) * number((0, 1, 2))),
        )
        content = number((listed, given, owed, succeeded, cut))
        item = pack(platform.LinkItem(len(self.items) + 1, 1, self.heads[-1], content))
        self.items.append(item)
        self.heads.append(platform.head_after(self.heads[-1], item))


class FakeCcer(FakeServer):
    """The CCER registry's link: proofs, chained as they should be, of anything."""

    name, door = "ccer", "link"
    kept = "SELECT item FROM ccer_items ORDER BY proof_seq"

    def stands(self, kept):
        """Return whether all was kept, or why not; None if what is next can be taken."""
        items = [each.item for each in self.items]
        if kept != items[: len(kept)]:
            return "another item was kept"
        if len(kept) == len(items):
            return "all is taken"
        issued = {each.proof for each in map(ccer.item_decode, kept)}
        # What comes in one answer is kept whole or not at all.
        for item in items[len(kept) : len(kept) + ITEMS_MAX]:
            refusal = _refusal_of(ccer.item_decode, item)
            if refusal is not None:
                return refusal
            said = ccer.item_decode(item)
            if (said.proof in issued) == isinstance(said, ccer.ProofIssued):
                return "a proof issued twice, or reversed before it was issued"
            issued.add(said.proof)
        return None

    def __init__(self, data, rng):
        self.items = []
        super().__init__(data, rng)

    def right(self, question):
        first = question["first_proof_seq"]
        if not self.is_sane and self.rng.random() < 0.3:
            self._item_add()
        answers = tuple(
            ccer.ClaimAnswer(claim_seq=each["claim_seq"], code="PROOF_UNKNOWN", words="none")
            for each in question["claims"]
        )
        return ccer.LinkAnswer(
            question=question["question"],
            last_proof_seq=len(self.items),
            items=tuple(self.items[first - 1 : first - 1 + ITEMS_MAX]),
            answers=answers,
        )

    def wrong(self, question):
        right = self.right(question)
        answer = ccer.ClaimAnswer(claim_seq=self.rng.choice(NUMBERS), state="reserved")
        odd = ccer.NumberedItem(proof_seq=self.rng.choice(NUMBERS), item=b"", head="x")
        change = self.rng.choice(
            (
                {"question": self.rng.choice(NUMBERS)},
                {"last_proof_seq": self.rng.choice(NUMBERS)},
                {"items": (*right.items, odd)},
                {"items": right.items[::-1] * 2},
                {"answers": (answer, answer)},
                {"code": "CLAIM_CONTRADICTS", "words": "x"},
            )
        )
        return msgspec.structs.replace(right, **change)

    def _item_add(self):
        any_of, proofs = self.rng.choice, [f"P{number}" for number in range(40)]
        numbers = any_of((NUMBERS, *[(0,)] * 4))
        reversed_ = ccer.ProofReversed(proof=any_of(proofs), document=any_of(("", "x" * 5_000)))
        names = ("tonnes", "registered_on", "cancelled_on", "project_started_on", "applied_on")
        days = ("produced_from", "produced_to", "serial_first", "serial_last", "compliance_year")
        issued = ccer.ProofIssued(
            proof=any_of(proofs),
            account=any_of(("alice", "nobody", "")),
            project=any_of(("CCER-1/2", "")),
            quota_managed=any_of(("no", "regional", "national")),
            **{name: any_of((1, 2024, 20250101, *numbers)) for name in (*names, *days)},
        )
        item = pack(any_of((issued, issued, reversed_)))
        head = self.items[-1].head if self.items else ccer.BEFORE_ALL
        self.items.append(signed(len(self.items) + 1, item, ccer.head_after(head, item)))
