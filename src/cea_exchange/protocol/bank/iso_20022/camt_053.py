"""Statements as files: ISO 20022 camt.053.001.08, bank to customer statement.

One `Stmt` for each sub-account, one booked entry for each movement: batch bookings, which hide
what became of the single instruction, are refused.
"""

from collections.abc import Collection, Iterable, Mapping
from xml.etree.ElementTree import Element as Node

import msgspec

from cea_exchange.domain.units import cash_format
from cea_exchange.protocol.bank.instructions import NOT_PROVIDED
from cea_exchange.protocol.bank.iso_20022.xml_reading import (
    ACCOUNT,
    CURRENCY,
    DATE,
    Element,
    account_of,
    document_read,
    made,
    shape,
    totals_check,
    unique_check,
)
from cea_exchange.protocol.bank.iso_20022.xml_writing import (
    date_text,
    document,
    document_bytes,
    put,
    put_cash,
    time_text,
)
from cea_exchange.protocol.bank.statements import AccountStatement, Entry, Statement

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
MESSAGE = "BkToCstmrStmt"
REVERSED_ENTRY = "reversed-entry"
"""Type of the reference by which a reversal names the entry it undoes."""

_DETAILS = shape(
    "Refs Amt CdtDbtInd AmtDtls Avlbty BkTxCd Chrgs Intrst RltdPties RltdAgts LclInstrm Purp"
    " RltdRmtInf RmtInf RltdDts RltdPric RltdQties FinInstrmId Tax RtrInf CorpActn SfkpgAcct"
    " CshDpst CardTx AddtlTxInf SplmtryData",
    Refs=shape(
        "MsgId AcctSvcrRef PmtInfId InstrId EndToEndId UETR TxId MndtId ChqNb ClrSysRef"
        " AcctOwnrTxId AcctSvcrTxId MktInfrstrctrTxId PrcgId Prtry",
        Prtry=shape("Tp Ref"),
    ),
    RltdPties=shape(
        "InitgPty Dbtr DbtrAcct UltmtDbtr Cdtr CdtrAcct UltmtCdtr TradgPty Prtry",
        DbtrAcct=ACCOUNT,
        CdtrAcct=ACCOUNT,
    ),
    RmtInf=shape("Ustrd Strd"),
)
_ENTRY = shape(
    "NtryRef Amt CdtDbtInd RvslInd Sts BookgDt ValDt AcctSvcrRef Avlbty BkTxCd ComssnWvrInd"
    " AddtlInfInd AmtDtls Chrgs TechInptChanl Intrst CardTx NtryDtls AddtlNtryInf",
    Sts=shape("Cd Prtry"),
    BookgDt=DATE,
    ValDt=DATE,
    NtryDtls=shape("Btch TxDtls", TxDtls=_DETAILS),
)
_TOTAL = shape("NbOfNtries Sum")
_SHAPE = shape(
    "GrpHdr Stmt SplmtryData",
    GrpHdr=shape(
        "MsgId CreDtTm MsgRcpt MsgPgntn OrgnlBizQry AddtlInf", MsgPgntn=shape("PgNb LastPgInd")
    ),
    Stmt=shape(
        "Id StmtPgntn ElctrncSeqNb RptgSeq LglSeqNb CreDtTm FrToDt CpyDplctInd RptgSrc Acct"
        " RltdAcct Intrst Bal TxsSummry Ntry AddtlStmtInf",
        StmtPgntn=shape("PgNb LastPgInd"),
        Acct=ACCOUNT,
        Bal=shape(
            "Tp CdtLine Amt CdtDbtInd Dt Avlbty",
            Tp=shape("CdOrPrtry SubTp", CdOrPrtry=shape("Cd Prtry")),
            Dt=DATE,
        ),
        TxsSummry=shape(
            "TtlNtries TtlCdtNtries TtlDbtNtries TtlNtriesPerBkTxCd",
            TtlCdtNtries=_TOTAL,
            TtlDbtNtries=_TOTAL,
        ),
        Ntry=_ENTRY,
    ),
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement is held against as it is read; what is None is not looked at."""

    statement_ids: Collection[str] = ()
    """The ids of the statements read before."""
    instruction_ids: Collection[str] | None = None
    """Every instruction the bank was ever sent."""
    closings: Mapping[str, int] | None = None
    """Each sub-account's closing balance in the statement before: all of them must be there again;
    accounts that were not are new, and open with nothing."""
    last: tuple[int, int] | None = None
    """Business date and sequence of the statement before: what comes is the day's next, or a later
    day's first."""
    asked: tuple[int, int] | None = None
    """Business date and sequence that the bank was asked for."""
    today: int | None = None
    """The day (yyyymmdd): a statement of a later one would be the last that ever counts."""


def statement_write(statement: Statement) -> bytes:
    """Return a statement as a file."""
    root, message = document(NAMESPACE, MESSAGE)
    header = put(message, "GrpHdr")
    put(header, "MsgId", statement.statement_id)
    put(header, "CreDtTm", time_text(statement.created_s))
    day = date_text(statement.business_date)
    for number, account in enumerate(statement.accounts, 1):
        stated = put(message, "Stmt")
        put(stated, "Id", f"{statement.business_date}-{statement.sequence}-{number}")
        put(stated, "ElctrncSeqNb", str(statement.sequence))
        put(stated, "CreDtTm", time_text(statement.created_s))
        acct = put(stated, "Acct")
        put(acct, "Id/Othr/Id", account.account)
        put(acct, "Ccy", CURRENCY)
        _balance_put(stated, "OPBD", account.opening, day)
        _balance_put(stated, "CLBD", account.closing, day)
        summary = put(stated, "TxsSummry")
        for name, sign in (("TtlCdtNtries", 1), ("TtlDbtNtries", -1)):
            amounts = _amounts(account.entries, sign)
            total = put(summary, name)
            put(total, "NbOfNtries", str(len(amounts)))
            put(total, "Sum", cash_format(sum(amounts)))
        for entry in account.entries:
            _entry_put(stated, entry, day)
    return document_bytes(root)


def _amounts(entries: Iterable[Entry], sign: int) -> list[int]:
    return [abs(entry.cash) for entry in entries if entry.cash * sign > 0]


def _direction(cash: int) -> str:
    return "DBIT" if cash < 0 else "CRDT"


def _balance_put(stated: Node, code: str, cash: int, day: str) -> None:
    balance = put(stated, "Bal")
    put(balance, "Tp/CdOrPrtry/Cd", code)
    put_cash(balance, "Amt", abs(cash))
    put(balance, "CdtDbtInd", _direction(cash))
    put(balance, "Dt/Dt", day)


def _entry_put(stated: Node, entry: Entry, day: str) -> None:
    node = put(stated, "Ntry")
    put_cash(node, "Amt", abs(entry.cash))
    put(node, "CdtDbtInd", _direction(entry.cash))
    if entry.reverses:
        put(node, "RvslInd", "true")
    put(node, "Sts/Cd", "BOOK")
    put(node, "BookgDt/Dt", day)
    put(node, "ValDt/Dt", day)
    put(node, "AcctSvcrRef", entry.entry_ref)
    domain = put(node, "BkTxCd/Domn")
    put(domain, "Cd", "PMNT")
    family = put(domain, "Fmly")
    put(family, "Cd", "ICDT" if entry.cash < 0 else "RCDT")
    put(family, "SubFmlyCd", "BOOK")
    details = put(node, "NtryDtls/TxDtls")
    references = put(details, "Refs")
    put(references, "EndToEndId", entry.instruction_id or NOT_PROVIDED)
    if entry.reverses:
        reversed_entry = put(references, "Prtry")
        put(reversed_entry, "Tp", REVERSED_ENTRY)
        put(reversed_entry, "Ref", entry.reverses)
    if entry.counter_account:
        side = "CdtrAcct" if entry.cash < 0 else "DbtrAcct"
        put(details, f"RltdPties/{side}/Id/Othr/Id", entry.counter_account)
    if entry.reference:
        put(details, "RmtInf/Ustrd", entry.reference)


def statement_read(content: bytes, file: str, known: Known = Known()) -> Statement:
    """Read a file as a statement.

    Raises BankFileError: it is none, does not add up, or does not agree with what is known.

    Rules: CEA-BNK-02 (a message counts once), CEA-BNK-03 (refused whole), CEA-BNK-04 (it adds up
    and follows the one before).

    Parameters
    ----------
    content, file
        The file's bytes, and its name for errors.
    known
        What it must agree with.
    """
    message = document_read(content, file, NAMESPACE, MESSAGE, _SHAPE)
    header = message.one("GrpHdr")
    statement_id = header.one("MsgId")
    if statement_id.value() in known.statement_ids:
        raise statement_id.refused(
            f"MsgId: expected a new one, {statement_id.value()} was read before"
        )
    _last_page_check(header, "MsgPgntn")
    stated = message.many("Stmt")
    if not stated:
        raise message.refused(f"expected Stmt in {MESSAGE}, it is missing")
    unique_check(each.one("Acct/Id/Othr/Id") for each in stated)
    unique_check(entry.one("AcctSvcrRef") for each in stated for entry in each.many("Ntry"))
    days = [_balance(each, "CLBD").one("Dt/Dt") for each in stated]
    day, sequence = days[0].date(), stated[0].one("ElctrncSeqNb").count()
    accounts = []
    for each in stated:
        number = each.one("ElctrncSeqNb")
        if number.count() != sequence:
            raise number.refused(f"ElctrncSeqNb: expected {sequence}, got {number.value()}")
        accounts.append(_account_read(each, day, known))
    _follows_check(stated[0], day, sequence, known)
    missing = set(known.closings or ()) - {each.account for each in accounts}
    if missing:
        raise message.refused(f"expected account {min(missing)}, which was there before")
    return made(
        Statement,
        header,
        statement_id=statement_id.value(),
        created_s=header.one("CreDtTm").time_s(),
        business_date=day,
        sequence=sequence,
        accounts=tuple(accounts),
    )


def _follows_check(stated: Element, day: int, sequence: int, known: Known) -> None:
    number = stated.one("ElctrncSeqNb")
    if known.today is not None and day > known.today:
        raise _balance(stated, "CLBD").refused(
            f"Dt: expected {date_text(known.today)} at the latest, got {date_text(day)}"
        )
    if known.asked is not None and (day, sequence) != known.asked:
        asked_day, asked_sequence = known.asked
        raise number.refused(
            f"ElctrncSeqNb: expected {asked_sequence} of {asked_day}, as was asked for,"
            f" got {sequence} of {day}"
        )
    if known.last is None:
        return
    last_day, last_sequence = known.last
    if (day, sequence) != (last_day, last_sequence + 1) and (day <= last_day or sequence != 1):
        raise number.refused(
            f"ElctrncSeqNb: expected {last_sequence + 1} of {last_day}, or 1 of a later day,"
            f" got {sequence} of {day}"
        )


def _last_page_check(element: Element, path: str) -> None:
    page = element.maybe(f"{path}/LastPgInd")
    if page is not None and page.value() not in ("true", "1"):
        raise page.refused("LastPgInd: expected the whole statement, got one page of it")


def _account_read(stated: Element, day: int, known: Known) -> AccountStatement:
    _last_page_check(stated, "StmtPgntn")
    account = account_of(stated.one("Acct"))
    opening, closing = _balance(stated, "OPBD"), _balance(stated, "CLBD")
    for balance in (opening, closing):
        _day_check(balance.one("Dt/Dt"), day)
    if known.closings is not None:
        expected = known.closings.get(account, 0)
        if _signed_cash(opening) != expected:
            raise opening.refused(
                f"account {account}: expected to open with the closing balance before,"
                f" {expected} fen, got {_signed_cash(opening)}"
            )
    entries = tuple(_entry_read(entry, day, known) for entry in stated.many("Ntry"))
    summary = stated.maybe("TxsSummry")
    if summary is not None:
        for name, sign in (("TtlCdtNtries", 1), ("TtlDbtNtries", -1)):
            total = summary.maybe(name)
            if total is not None:
                totals_check(total, "NbOfNtries", "Sum", _amounts(entries, sign))
    return made(
        AccountStatement,
        closing,
        account=account,
        opening=_signed_cash(opening),
        entries=entries,
        closing=_signed_cash(closing),
    )


def _balance(stated: Element, code: str) -> Element:
    found = [
        balance
        for balance in stated.many("Bal")
        if (kind := balance.maybe("Tp/CdOrPrtry/Cd")) is not None and kind.value() == code
    ]
    if len(found) != 1:
        raise stated.refused(f"expected one Bal of code {code} in Stmt, got {len(found)}")
    return found[0]


def _signed_cash(element: Element) -> int:
    direction = element.one("CdtDbtInd")
    if direction.value() not in ("CRDT", "DBIT"):
        raise direction.refused(f"CdtDbtInd: expected CRDT or DBIT, got {direction.value()}")
    cash = element.one("Amt").cash()
    return -cash if direction.value() == "DBIT" else cash


def _day_check(element: Element, day: int) -> None:
    if element.date() != day:
        raise element.refused(f"Dt: expected {date_text(day)}, got {element.value()}")


def _entry_read(entry: Element, day: int, known: Known) -> Entry:
    status = entry.one("Sts/Cd")
    if status.value() != "BOOK":
        raise status.refused(f"Sts: expected BOOK, got {status.value()}")
    _day_check(entry.one("BookgDt/Dt"), day)
    details = entry.maybe("NtryDtls/TxDtls")
    cash = _signed_cash(entry)
    return made(
        Entry,
        entry,
        entry_ref=entry.one("AcctSvcrRef").value(),
        cash=cash,
        instruction_id="" if details is None else _instruction_id(details, known),
        counter_account="" if details is None else _counter_account(details, cash),
        reference="" if details is None else _reference(details),
        reverses=_reversed_entry(entry, details),
    )


def _instruction_id(details: Element, known: Known) -> str:
    found = details.maybe("Refs/EndToEndId")
    if found is None or found.value() == NOT_PROVIDED:
        return ""
    if known.instruction_ids is not None and found.value() not in known.instruction_ids:
        raise found.refused(f"EndToEndId: expected one that was instructed, got {found.value()}")
    return found.value()


def _counter_account(details: Element, cash: int) -> str:
    side = "CdtrAcct" if cash < 0 else "DbtrAcct"
    found = details.maybe(f"RltdPties/{side}")
    return "" if found is None else account_of(found)


def _reference(details: Element) -> str:
    found = details.maybe("RmtInf/Ustrd")
    return "" if found is None else found.value()


def _reversed_entry(entry: Element, details: Element | None) -> str:
    indicator = entry.maybe("RvslInd")
    is_reversal = indicator is not None and indicator.value() in ("true", "1")
    references = None if details is None else details.maybe("Refs")
    named = [
        each.one("Ref").value()
        for each in ([] if references is None else references.many("Prtry"))
        if each.one("Tp").value() == REVERSED_ENTRY
    ]
    if is_reversal != (len(named) == 1):
        raise entry.refused(
            f"expected RvslInd with one {REVERSED_ENTRY}, or neither, got {len(named)}"
        )
    return named[0] if named else ""
