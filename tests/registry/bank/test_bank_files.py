"""Bank files: what is golden is read and written byte for byte, what is bad is refused whole."""

import random

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cea_exchange.protocol.bank.instructions import CASH_LIMIT, Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001
from cea_exchange.protocol.bank.iso_20022.camt_053 import Known
from cea_exchange.protocol.bank.iso_20022.xml_reading import BankFileError
from cea_exchange.protocol.bank.statements import AccountStatement, Entry, Statement
from support.bank.bank_files import FOLDER, READERS, WRITERS, kind_of, meaning_of, read, text_of

CASES = sorted(path.stem for path in FOLDER.glob("*.xml"))


def test_there_are_golden_files_of_every_kind():
    assert {kind_of(case) for case in CASES} == set(WRITERS)


@pytest.mark.parametrize("case", CASES)
def test_a_golden_file_is_read_and_written(case):
    meaning = meaning_of(case)
    assert read(case, text_of(case)) == meaning
    assert WRITERS[kind_of(case)](meaning).decode() == text_of(case)


# Each: a golden file, what is put in the place of what, the line of the finding and its reason.
BAD = [
    ("batch", "<Document", "<!DOCTYPE d [<!ENTITY e 'x'>]>\n<Document", 2, "expected no DOCTYPE"),
    ("batch", "</GrpHdr>", "</GrpHead>", 12, "expected XML: mismatched tag"),
    ("batch", "pain.001.001.09", "pain.001.001.03", 2, "expected namespace urn:iso:std:iso:20022"),
    ("batch", "<MsgId>B-20260701-1</MsgId>", "", 4, "expected MsgId in GrpHdr, it is missing"),
    ("batch", "<NbOfTxs>3", "<NbOfTxs>4", 7, "NbOfTxs: expected 3, got 4"),
    ("batch", "<NbOfTxs>3", "<NbOfTxs>three", 7, "expected a whole number, got 'three'"),
    ("batch", "<CtrlSum>98540.49", "<CtrlSum>98540.50", 8, "expected 98540.49, got 98540.50"),
    ("batch", "<CtrlSum>97540.49", "<CtrlSum>97540.48", 18, "expected 97540.49, got 97540.48"),
    ("batch", ">97490.00<", ">-97490.00<", 45, "expected no negative amount, got -97490.00"),
    ("batch", ">97490.00<", ">97490.001<", 45, "expected two decimals at most, got 97490.001"),
    ("batch", ">97490.00<", ">9.7e4<", 45, "expected an amount as 97.49, got '9.7e4'"),
    (
        "batch",
        ">97490.00<",
        ">10000000000000000.00<",
        45,
        "expected less than 1000000000000000000 fen",
    ),
    ("batch", 'Ccy="CNY">97490', 'Ccy="EUR">97490', 45, "expected currency CNY, got EUR"),
    (
        "batch",
        '<InstdAmt Ccy="CNY">97490',
        "<InstdAmt>97490",
        45,
        "expected currency CNY, got none",
    ),
    ("batch", "<EndToEndId>F-1", "<EndToEndId>T-1", 61, "expected each once, T-1 came twice"),
    ("batch", "<InstrId>F-1", "<InstrId>F-2", 60, "InstrId: expected F-1, got F-2"),
    ("batch", "<Prtry>fee", "<Prtry>gift", 74, "expected a purpose, got gift"),
    ("batch", "<PmtMtd>TRF", "<PmtMtd>CHK", 15, "PmtMtd: expected TRF, got CHK"),
    ("batch", "<Id>SUB-FEES</Id>", "<Id> </Id>", 69, "expected text in Id, it is empty"),
    (
        "batch",
        "<Id>SUB-FEES</Id>",
        "<Id><b>x</b></Id>",
        69,
        "expected text in Id, got other elements",
    ),
    ("batch", "<Dt>2026-07-01", "<Dt>2026-06-31", 20, "expected a date as 2026-07-01"),
    ("batch", "15:10:00+08:00", "15:10:00", 6, "expected a time as 2026-07-01T15:30:00+08:00"),
    (
        "batch",
        "<BtchBookg>false",
        "<Wish>x</Wish><BtchBookg>false",
        16,
        "expected no Wish in PmtInf",
    ),
    (
        "batch",
        "<CtrlSum>98540.49</CtrlSum>",
        "<CtrlSum>98540.49</CtrlSum><MsgId>M</MsgId>",
        8,
        "expected MsgId before CtrlSum in GrpHdr, got after",
    ),
    (
        "batch",
        "<MsgId>B-20260701-1</MsgId>",
        "<MsgId>B-20260701-1</MsgId><MsgId>B-20260701-1</MsgId>",
        5,
        "expected one MsgId in GrpHdr, got another",
    ),
    ("batch", "<GrpHdr>", "<GrpHdr>3", 4, "expected no text in GrpHdr, got '3"),
    (
        "batch",
        "<Id>BANK</Id>",
        "<Id>ANOTHER</Id>",
        100,
        "expected one bank, ANOTHER, got BANK too",
    ),
    ("report", "<TxSts>PDNG", "<TxSts>LOST", 22, "TxSts: expected one of ACTC ACCP ACSP"),
    ("report", "<OrgnlEndToEndId>F-1", "<OrgnlEndToEndId>T-1", 21, "T-1 came twice"),
    ("report", ">pain.001.001.09<", ">pain.008.001.08<", 10, "expected pain.001.001.09"),
    ("report", "<Cd>AM04</Cd>", "<Prtry>no</Prtry>", 24, "expected StsRsnInf/Rsn/Cd"),
    ("report", "<Cd>AM04", "<Cd>AM-04", 24, "expected a reason code, got 'AM-04'"),
    ("report_of_refusal", "<GrpSts>RJCT", "<GrpSts>PART", 8, "expected a reason code"),
    (
        "statement",
        "<Sts>\n          <Cd>BOOK",
        "<Sts>\n          <Cd>PDNG",
        58,
        "expected BOOK, got PDNG",
    ),
    (
        "statement",
        '<Amt Ccy="CNY">500.00',
        '<Amt Ccy="CNY">500.01',
        190,
        "fen, opening and entries, got",
    ),
    (
        "statement",
        "<Sum>194980.00",
        "<Sum>194980.01",
        51,
        "Sum: expected 194980.00, got 194980.01",
    ),
    ("statement", "<NbOfNtries>2", "<NbOfNtries>3", 50, "NbOfNtries: expected 2, got 3"),
    ("statement", "<AcctSvcrRef>E4", "<AcctSvcrRef>E2", 138, "expected each once, E2 came twice"),
    ("statement", "<Id>SUB-FEES", "<Id>SUB-BUYER", 298, "expected each once, SUB-BUYER came twice"),
    ("statement", "<Ccy>CNY", "<Ccy>USD", 18, "Ccy: expected CNY, got USD"),
    ("statement", "<CdtDbtInd>CRDT", "<CdtDbtInd>BOTH", 27, "expected CRDT or DBIT, got BOTH"),
    ("statement", "<Cd>OPBD", "<Cd>OPAV", 8, "expected one Bal of code OPBD in Stmt, got 0"),
    ("statement", "<ElctrncSeqNb>1", "<ElctrncSeqNb>2", 168, "ElctrncSeqNb: expected 2, got 1"),
    (
        "statement",
        "<BookgDt>\n          <Dt>2026-07-01",
        "<BookgDt>\n          <Dt>2026-07-02",
        61,
        "Dt: expected 2026-07-01, got 2026-07-02",
    ),
    (
        "statement",
        "</CreDtTm>\n    </GrpHdr>",
        "</CreDtTm><MsgPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></MsgPgntn>\n    </GrpHdr>",
        6,
        "expected the whole statement, got one page",
    ),
    (
        "statement",
        "<ElctrncSeqNb>1",
        "<StmtPgntn><PgNb>2</PgNb><LastPgInd>false</LastPgInd></StmtPgntn><ElctrncSeqNb>1",
        10,
        "expected the whole statement, got one page",
    ),
    (
        "statement_of_correction",
        "<RvslInd>true",
        "<RvslInd>false",
        54,
        "expected RvslInd with one reversed-entry, or neither",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad[0]} {bad[4]}")
def test_a_bad_file_is_refused_with_its_line_and_reason(bad):
    """CEA-BNK-03."""
    case, old, new, line, why = bad
    text = text_of(case)
    assert old in text
    with pytest.raises(BankFileError) as refused:
        read(case, text.replace(old, new, 1))
    assert why in refused.value.why
    assert str(refused.value).startswith(f"{case}.xml:{line}: ")


@pytest.mark.parametrize("text", ["", "no XML", "<Document/>", "<Document", "\x00", "<a>" * 5_000])
@pytest.mark.parametrize("case", ["batch", "report", "statement"])
def test_what_is_no_message_at_all_is_refused(case, text):
    with pytest.raises(BankFileError, match=rf"^{case}\.xml:1: .*expected "):
        read(case, text)


@pytest.mark.parametrize("case", CASES)
def test_a_spoiled_file_is_read_or_refused_but_never_breaks_the_reader(case):
    whole = text_of(case).encode()
    chance = random.Random(case)
    refused = 0
    for _ in range(150):
        spoiled = bytearray(whole)
        first = chance.randrange(len(spoiled))
        last = first + chance.choice((0, 1, 1, 30))
        spoiled[first:last] = chance.choice((b"", b"<", b">", b"9", b"\xff", b"<!--", bytes([0])))
        try:
            READERS[kind_of(case)](bytes(spoiled), case)
        except BankFileError as error:
            refused += 1
            assert 1 <= error.line <= whole.count(b"\n") + 2
    assert refused > 50


def test_a_statement_that_was_read_before_is_refused():
    """CEA-BNK-02."""
    known = Known(statement_ids={"STMT-20260701-1"})
    with pytest.raises(BankFileError, match=r":5: MsgId: expected a new one, STMT-20260701-1"):
        read("statement", text_of("statement"), known=known)
    with pytest.raises(BankFileError, match=r":5: MsgId: expected a new one, B-20260701-1-1"):
        read("report", text_of("report"), report_ids={"B-20260701-1-1"})


def test_a_reference_nobody_instructed_is_refused():
    read("statement", text_of("statement"), known=Known(instruction_ids={"T-1"}))
    with pytest.raises(BankFileError, match=r":112: EndToEndId: expected one that was instructed"):
        read("statement", text_of("statement"), known=Known(instruction_ids={"T-2"}))


def test_a_statement_opens_where_the_one_before_closed():
    """CEA-BNK-04."""
    first = read("statement", text_of("statement"), known=Known(closings={"SUB-SELLER": 50_000}))
    text = text_of("statement_of_correction")
    second = read("statement_of_correction", text, known=Known(closings=first.closings()))
    assert second.closings() == {"SUB-BUYER": 245_951, "SUB-SELLER": 9_799_000, "SUB-FEES": 5_049}
    with pytest.raises(BankFileError, match=r":20: account SUB-BUYER: expected to open with"):
        read("statement_of_correction", text, known=Known(closings=second.closings()))


@pytest.mark.parametrize("last", [(20260701, 1), (20260701, 2), (20260702, 1), (20260630, 1)])
def test_a_statement_is_the_days_next_or_a_later_days_first(last):
    first, second = text_of("statement"), text_of("statement_of_correction")
    for case, text, is_next in (
        ("statement", first, last == (20260630, 1)),
        ("statement_of_correction", second, last == (20260701, 1)),
    ):
        if is_next:
            read(case, text, known=Known(last=last))
        else:
            with pytest.raises(BankFileError, match=r":10: ElctrncSeqNb: expected \d of \d{8}, or"):
                read(case, text, known=Known(last=last))


def test_a_sub_account_does_not_vanish_from_the_statements():
    known = Known(closings={"SUB-GONE": 0, "SUB-SELLER": 50_000})
    with pytest.raises(BankFileError, match=r":3: expected account SUB-GONE, which was there"):
        read("statement", text_of("statement"), known=known)


def test_a_report_answers_its_batch_and_each_of_its_instructions():
    batch = meaning_of("batch")
    assert read("report", text_of("report"), batch=batch).batch_id == batch.batch_id
    other = msgspec.structs.replace(batch, batch_id="B-2")
    with pytest.raises(BankFileError, match=r":9: OrgnlMsgId: expected B-2, got B-20260701-1"):
        read("report", text_of("report"), batch=other)
    fewer = msgspec.structs.replace(batch, instructions=batch.instructions[:2])
    with pytest.raises(BankFileError, match=r":24: OrgnlEndToEndId: expected one of batch"):
        read("report", text_of("report"), batch=fewer)
    more = msgspec.structs.replace(batch.instructions[0], instruction_id="T-9")
    longer = msgspec.structs.replace(batch, instructions=(*batch.instructions, more))
    with pytest.raises(BankFileError, match=r":8: expected a status of T-9, it is missing"):
        read("report", text_of("report"), batch=longer)


# -- What is written is read, whatever it is -------------------------------------------------------

ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,27}", fullmatch=True)
accounts = st.sampled_from(["SUB-1", "SUB-2", "SUB-3", "6222.0000"])
amounts = st.integers(1, 10**15) | st.just(CASH_LIMIT - 1)
days = st.sampled_from([20260701, 20260702, 20281231])
seconds = st.integers(0, 4_000_000_000)


@st.composite
def instructions(draw):
    debtor, creditor = draw(st.lists(accounts, min_size=2, max_size=2, unique=True))
    return Instruction(
        instruction_id=draw(ids),
        debtor=debtor,
        creditor=creditor,
        cash=draw(st.integers(1, 10**15)),
        business_date=draw(days),
        purpose=draw(st.sampled_from(Purpose)),
    )


@settings(max_examples=30)
@given(st.lists(instructions(), min_size=1, max_size=8, unique_by=lambda each: each.instruction_id))
def test_every_batch_comes_back_as_it_was(sent):
    batch = Batch(
        batch_id="B", created_s=1, customer="登记 & <co>", bank="银行", instructions=tuple(sent)
    )
    assert pain_001.batch_read(pain_001.batch_write(batch), "batch") == batch


@settings(max_examples=30)
@given(
    opening=st.integers(-(10**15), 10**15),
    cash=st.lists(amounts.flatmap(lambda fen: st.sampled_from([fen, -fen])), max_size=6),
    reference=st.text(st.characters(categories=("L", "N", "P", "S")), max_size=140),
    created_s=seconds,
    day=days,
)
def test_every_statement_comes_back_as_it_was(opening, cash, reference, created_s, day):
    assume(abs(opening + sum(cash)) < CASH_LIMIT)
    assume(sum(fen for fen in cash if fen > 0) < CASH_LIMIT)
    assume(sum(fen for fen in cash if fen < 0) > -CASH_LIMIT)
    entries = tuple(
        Entry(entry_ref=f"E{number}", cash=fen, reference=reference)
        for number, fen in enumerate(cash)
    )
    account = AccountStatement(
        account="SUB-1", opening=opening, entries=entries, closing=opening + sum(cash)
    )
    statement = Statement(
        statement_id="S", created_s=created_s, business_date=day, sequence=2, accounts=(account,)
    )
    assert camt_053.statement_read(camt_053.statement_write(statement), "statement") == statement


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"cash": 0}, "cash: expected 1 to"),
        ({"cash": CASH_LIMIT}, "cash: expected 1 to"),
        ({"creditor": "SUB-BUYER"}, "creditor: expected another account"),
        ({"instruction_id": "a b"}, "instruction_id: expected 1 to 35 letters"),
        ({"instruction_id": "a" * 36}, "instruction_id: expected 1 to 35 letters"),
        ({"instruction_id": "NOTPROVIDED"}, "expected one, got NOTPROVIDED, which banks write"),
        ({"business_date": 20260230}, "business_date: expected a date"),
        ({"debtor": ""}, "debtor: expected 1 to 34 letters"),
    ],
)
def test_an_instruction_that_can_not_be_is_not_made(change, why):
    with pytest.raises(ValueError, match=why):
        msgspec.structs.replace(meaning_of("batch").instructions[0], **change)


def test_a_reference_is_instructed_once_in_a_batch():
    """CEA-BNK-01."""
    batch = meaning_of("batch")
    with pytest.raises(ValueError, match="instruction_id: expected each once, got T-1 twice"):
        msgspec.structs.replace(batch, instructions=batch.instructions[:1] * 2)
