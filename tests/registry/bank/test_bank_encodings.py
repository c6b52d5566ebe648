"""A bank may write GBK; what can't be read is refused, told, and told until it can be."""

import codecs

import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.bank.statements import AccountStatement, Statement
from cea_exchange.registry.bank.errands import Brought
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.machine import RegistryMachine
from support.bank.bank_files import meaning_of, text_of

CASE = "statement"
NOON_NS = 1_752_638_400_000_000_000
S_NS = 1_000_000_000
DAY = 2025_07_16


def declared(encoding, codec=None, mark=b""):
    """A golden statement in another encoding."""
    text = text_of(CASE).replace('encoding="UTF-8"', f'encoding="{encoding}"')
    return mark + text.encode(codec or encoding)


@pytest.mark.parametrize(
    ("encoding", "codec", "mark"),
    [
        ("GBK", "gbk", b""),
        ("gbk", "gb18030", b""),
        ("GB2312", "gb18030", b""),
        ("GB2312", "gb2312", b""),
        ("GB18030", "gb18030", b""),
        ("GB18030", "gb18030", "\ufeff".encode("gb18030")),
        ("UTF-8", "utf-8", codecs.BOM_UTF8),
        ("UTF-16", "utf-16-le", codecs.BOM_UTF16_LE),
        ("UTF-16", "utf-16-be", codecs.BOM_UTF16_BE),
        ("UTF-16", "utf-16-le", b""),
    ],
)
def test_a_statement_says_the_same_in_every_encoding(encoding, codec, mark):
    read = camt_053.statement_read(declared(encoding, codec, mark), CASE)
    assert read == meaning_of(CASE)


def test_a_batch_says_the_same_in_gbk():
    case = "batch"
    text = text_of(case).replace('encoding="UTF-8"', 'encoding="GBK"')
    assert pain_001.batch_read(text.encode("gbk"), case) == meaning_of(case)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (declared("GBK").replace(b"<MsgId>", b"<MsgId>\xff"), "5: expected GBK, got the byte 0xff"),
        (declared("GB18030")[:-1] + b"\x81", "expected GB18030, got the byte 0x81"),
        (
            declared("UTF-8").replace(b"<MsgId>", b"<MsgId>\xd6\xd0"),
            "5: expected UTF-8, got the byte 0xd6",
        ),
        (
            declared("GBK", mark=codecs.BOM_UTF8),
            "1: encoding: expected UTF-8 by the file's mark, got 'GBK'",
        ),
        (declared("Big5", "utf-8"), "1: encoding: expected UTF-8, UTF-16, GBK, .*got 'Big5'"),
        (declared("no-such", "utf-8"), "1: encoding: expected UTF-8, .*got 'no-such'"),
        (declared("x" * 300, "utf-8"), f"got '{'x' * 40}'$"),
        (declared("UTF-16", "utf-8"), "1: encoding: expected a file in UTF-16, got single bytes"),
        (codecs.BOM_UTF16_LE + b"<", "1: expected UTF-16-LE, got the byte 0x3c"),
        (b"", "1: expected XML: no element found"),
    ],
)
def test_bytes_that_are_not_as_declared_are_refused_with_their_line(content, why):
    with pytest.raises(BankFileError, match=f"{CASE}:.*{why}"):
        camt_053.statement_read(content, CASE)


# -- a statement that is fetched ------------------------------------------------------------------


@pytest.fixture
def made(registry):
    """Return how a registry's machine starts on the registry's database."""

    def start():
        config = RegistryConfig(admission="open", bank=BankSetting(data="nowhere"))
        return RegistryMachine(registry.store, GivenClock(lambda: NOON_NS), config, {})

    registry.account_open("alice")
    return start


class Bank:
    """Answers what a machine asks, at a time of its own."""

    def __init__(self, machine):
        self.machine, self.now_ns = machine, 0

    def fetched(self, content):
        """Let a person ask for the day's statement, and the bank answer it; return the status."""
        self.machine.registry.bank.statement_ask(DAY)
        assert self.machine.place()["statements_awaited"] == [DAY]
        self.turn()
        (errand,) = self.machine.outputs()
        self.machine.brought_back(Brought(errand, content, is_heard=True))
        self.turn()
        return self.machine.place()

    def turn(self):
        # Further on than the pause before the bank is asked for the same again.
        self.now_ns += 120 * S_NS
        self.machine.turn(self.now_ns)


def statement(encoding="UTF-8"):
    content = camt_053.statement_write(
        Statement(
            statement_id="S1",
            created_s=0,
            business_date=DAY,
            sequence=1,
            accounts=(AccountStatement(account="alice", opening=0, entries=(), closing=0),),
        )
    )
    return content.replace(b"UTF-8", encoding.encode(), 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (statement("Big5"), "encoding: expected UTF-8"),
        (statement("GBK") + b"\xff", "expected GBK, got the byte 0xff"),
        (b"\x00" * 100, "expected XML"),
        (statement()[:-20], "expected XML"),
        ("no answer", "no answer"),
    ],
)
def test_a_statement_that_cannot_be_read_is_told_until_one_is_read(made, content, why):
    """CEA-BNK-16: also when it is asked for again, and when the registry starts again."""
    bank = Bank(made())
    place = bank.fetched(content)
    assert why in place["troubles"]["bank_statement"]
    assert place["statements_awaited"] == []
    bank.machine.registry.bank.statement_ask(DAY)
    assert why in bank.machine.place()["troubles"]["bank_statement"]
    again = Bank(made())
    assert why in again.machine.place()["troubles"]["bank_statement"]
    place = again.fetched(statement("GBK"))
    assert place["troubles"] == {} and place["statements_awaited"] == []
    assert made().place()["troubles"] == {}


def test_whatever_breaks_as_a_statement_is_read_ends_the_fetch(made, monkeypatch):
    """CEA-BNK-16: an error of our own leaves nobody waiting, and nothing half read."""

    def broken(*_given):
        raise LookupError("none of ours")

    bank = Bank(made())
    with monkeypatch.context() as patched:
        patched.setattr(camt_053, "statement_read", broken)
        place = bank.fetched(statement())
    assert place["troubles"]["bank_statement"] == "LookupError: none of ours"
    assert place["statements_awaited"] == []
    assert bank.fetched(statement())["troubles"] == {}


def test_the_same_reason_is_noted_once(made):
    bank = Bank(made())
    for _ in range(3):
        bank.fetched(b"nothing")
    count = "SELECT count(*) FROM acts WHERE op = 'bank_not_stated'"
    assert bank.machine.registry.store.one(count) == 1
