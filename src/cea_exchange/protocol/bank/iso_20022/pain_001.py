"""Batches as files: ISO 20022 pain.001.001.09, customer credit transfer initiation.

Neighbouring instructions of one debtor and day share a payment information block, so the order of
the instructions is the file's.
"""

from xml.etree.ElementTree import Element as Node

from cea_exchange.domain.units import cash_format
from cea_exchange.protocol.bank.instructions import Batch, Instruction, Purpose
from cea_exchange.protocol.bank.iso_20022.xml_reading import (
    ACCOUNT,
    AGENT,
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

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
MESSAGE = "CstmrCdtTrfInitn"

_PARTY = shape("Nm PstlAdr Id CtryOfRes CtctDtls")
_TRANSFER = shape(
    "PmtId PmtTpInf Amt XchgRateInf ChrgBr ChqInstr UltmtDbtr IntrmyAgt1 IntrmyAgt1Acct IntrmyAgt2"
    " IntrmyAgt2Acct IntrmyAgt3 IntrmyAgt3Acct CdtrAgt CdtrAgtAcct Cdtr CdtrAcct UltmtCdtr"
    " InstrForCdtrAgt InstrForDbtrAgt Purp RgltryRptg Tax RltdRmtInf RmtInf SplmtryData",
    PmtId=shape("InstrId EndToEndId UETR"),
    Amt=shape("InstdAmt EqvtAmt"),
    CdtrAcct=ACCOUNT,
    Purp=shape("Cd Prtry"),
)
_PAYMENT = shape(
    "PmtInfId PmtMtd BtchBookg NbOfTxs CtrlSum PmtTpInf ReqdExctnDt PoolgAdjstmntDt Dbtr DbtrAcct"
    " DbtrAgt DbtrAgtAcct InstrForDbtrAgt UltmtDbtr ChrgBr ChrgsAcct ChrgsAcctAgt CdtTrfTxInf",
    ReqdExctnDt=DATE,
    Dbtr=_PARTY,
    DbtrAcct=ACCOUNT,
    DbtrAgt=AGENT,
    CdtTrfTxInf=_TRANSFER,
)
_SHAPE = shape(
    "GrpHdr PmtInf SplmtryData",
    GrpHdr=shape("MsgId CreDtTm Authstn NbOfTxs CtrlSum InitgPty FwdgAgt", InitgPty=_PARTY),
    PmtInf=_PAYMENT,
)


def batch_write(batch: Batch) -> bytes:
    """Return a batch as a file."""
    root, message = document(NAMESPACE, MESSAGE)
    header = put(message, "GrpHdr")
    put(header, "MsgId", batch.batch_id)
    put(header, "CreDtTm", time_text(batch.created_s))
    put(header, "NbOfTxs", str(batch.count))
    put(header, "CtrlSum", cash_format(batch.control_sum))
    put(header, "InitgPty/Nm", batch.customer)
    for number, (debtor, day, instructions) in enumerate(batch.payments(), 1):
        payment = put(message, "PmtInf")
        put(payment, "PmtInfId", f"{batch.batch_id}-{number}")
        put(payment, "PmtMtd", "TRF")
        put(payment, "BtchBookg", "false")
        put(payment, "NbOfTxs", str(len(instructions)))
        put(payment, "CtrlSum", cash_format(sum(each.cash for each in instructions)))
        put(payment, "ReqdExctnDt/Dt", date_text(day))
        put(payment, "Dbtr/Nm", batch.customer)
        put(payment, "DbtrAcct/Id/Othr/Id", debtor)
        put(payment, "DbtrAgt/FinInstnId/Othr/Id", batch.bank)
        for instruction in instructions:
            _transfer_put(payment, instruction)
    return document_bytes(root)


def _transfer_put(payment: Node, instruction: Instruction) -> None:
    transfer = put(payment, "CdtTrfTxInf")
    identification = put(transfer, "PmtId")
    put(identification, "InstrId", instruction.instruction_id)
    put(identification, "EndToEndId", instruction.instruction_id)
    put_cash(transfer, "Amt/InstdAmt", instruction.cash)
    put(transfer, "CdtrAcct/Id/Othr/Id", instruction.creditor)
    put(transfer, "Purp/Prtry", instruction.purpose.value)


def batch_read(content: bytes, file: str) -> Batch:
    """Read a file as a batch.

    Raises BankFileError: it is none, or its counts and sums are not those of its transfers.

    Rules: CEA-BNK-01 (one reference), CEA-BNK-03 (count and sum).
    """
    message = document_read(content, file, NAMESPACE, MESSAGE, _SHAPE)
    header = message.one("GrpHdr")
    unique_check(
        transfer.one("PmtId/EndToEndId")
        for payment in message.many("PmtInf")
        for transfer in payment.many("CdtTrfTxInf")
    )
    banks: list[Element] = []
    instructions: list[Instruction] = []
    for payment in message.many("PmtInf"):
        of_payment = _payment_read(payment)
        totals_check(payment, "NbOfTxs", "CtrlSum", [each.cash for each in of_payment])
        banks.append(payment.one("DbtrAgt/FinInstnId/Othr/Id"))
        instructions += of_payment
    if not instructions:
        raise message.refused(f"expected PmtInf in {MESSAGE}, it is missing")
    for needed in ("NbOfTxs", "CtrlSum"):
        header.one(needed)
    totals_check(header, "NbOfTxs", "CtrlSum", [each.cash for each in instructions])
    for bank in banks:
        if bank.value() != banks[0].value():
            raise bank.refused(f"expected one bank, {banks[0].value()}, got {bank.value()} too")
    return made(
        Batch,
        header,
        batch_id=header.one("MsgId").value(),
        created_s=header.one("CreDtTm").time_s(),
        customer=header.one("InitgPty/Nm").value(),
        bank=banks[0].value(),
        instructions=tuple(instructions),
    )


def _payment_read(payment: Element) -> list[Instruction]:
    method = payment.one("PmtMtd")
    if method.value() != "TRF":
        raise method.refused(f"PmtMtd: expected TRF, got {method.value()}")
    day = payment.one("ReqdExctnDt/Dt").date()
    debtor = account_of(payment.one("DbtrAcct"))
    instructions = []
    for transfer in payment.many("CdtTrfTxInf"):
        reference = transfer.one("PmtId/EndToEndId")
        own_id = transfer.maybe("PmtId/InstrId")
        if own_id is not None and own_id.value() != reference.value():
            raise own_id.refused(f"InstrId: expected {reference.value()}, got {own_id.value()}")
        purpose = transfer.one("Purp/Prtry")
        if purpose.value() not in list(Purpose):
            raise purpose.refused(f"Prtry: expected a purpose, got {purpose.value()}")
        instruction = made(
            Instruction,
            transfer,
            instruction_id=reference.value(),
            debtor=debtor,
            creditor=account_of(transfer.one("CdtrAcct")),
            cash=transfer.one("Amt/InstdAmt").cash(),
            business_date=day,
            purpose=Purpose(purpose.value()),
        )
        instructions.append(instruction)
    if not instructions:
        raise payment.refused("expected CdtTrfTxInf in PmtInf, it is missing")
    return instructions
