"""Status reports as files: ISO 20022 pain.002.001.10, customer payment status report."""

from collections.abc import Collection

from cea_exchange.protocol.bank.instructions import NOT_PROVIDED, Batch
from cea_exchange.protocol.bank.iso_20022 import pain_001
from cea_exchange.protocol.bank.iso_20022.xml_reading import (
    Element,
    document_read,
    made,
    shape,
    unique_check,
)
from cea_exchange.protocol.bank.iso_20022.xml_writing import (
    document,
    document_bytes,
    put,
    time_text,
)
from cea_exchange.protocol.bank.statements import InstructionStatus, Status, StatusReport

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
MESSAGE = "CstmrPmtStsRpt"
BATCH_FORMAT = pain_001.NAMESPACE.rpartition(":")[2]

_CODES_WRITTEN = {Status.ACCEPTED: "ACSP", Status.PENDING: "PDNG", Status.REFUSED: "RJCT"}
_CODES_READ = {
    "ACTC": Status.ACCEPTED,
    "ACCP": Status.ACCEPTED,
    "ACSP": Status.ACCEPTED,
    "ACSC": Status.ACCEPTED,
    "RCVD": Status.PENDING,
    "PDNG": Status.PENDING,
    "RJCT": Status.REFUSED,
}
_REASON = shape("Orgtr Rsn AddtlInf", Rsn=shape("Cd Prtry"))
_TRANSFER = shape(
    "StsId OrgnlInstrId OrgnlEndToEndId OrgnlUETR TxSts StsRsnInf ChrgsInf TrckrData AccptncDtTm"
    " AcctSvcrRef ClrSysRef OrgnlTxRef SplmtryData",
    StsRsnInf=_REASON,
)
_SHAPE = shape(
    "GrpHdr OrgnlGrpInfAndSts OrgnlPmtInfAndSts SplmtryData",
    GrpHdr=shape("MsgId CreDtTm InitgPty FwdgAgt DbtrAgt CdtrAgt"),
    OrgnlGrpInfAndSts=shape(
        "OrgnlMsgId OrgnlMsgNmId OrgnlCreDtTm OrgnlNbOfTxs OrgnlCtrlSum GrpSts StsRsnInf"
        " NbOfTxsPerSts",
        StsRsnInf=_REASON,
    ),
    OrgnlPmtInfAndSts=shape(
        "OrgnlPmtInfId OrgnlNbOfTxs OrgnlCtrlSum PmtInfSts StsRsnInf NbOfTxsPerSts TxInfAndSts",
        TxInfAndSts=_TRANSFER,
    ),
)


def report_write(report: StatusReport) -> bytes:
    """Return a status report as a file."""
    root, message = document(NAMESPACE, MESSAGE)
    header = put(message, "GrpHdr")
    put(header, "MsgId", report.report_id)
    put(header, "CreDtTm", time_text(report.created_s))
    group = put(message, "OrgnlGrpInfAndSts")
    put(group, "OrgnlMsgId", report.batch_id)
    put(group, "OrgnlMsgNmId", BATCH_FORMAT)
    if report.refusal:
        put(group, "GrpSts", _CODES_WRITTEN[Status.REFUSED])
        reason = put(group, "StsRsnInf")
        put(reason, "Rsn/Cd", report.refusal)
        if report.refusal_text:
            put(reason, "AddtlInf", report.refusal_text)
    if report.statuses:
        payment = put(message, "OrgnlPmtInfAndSts")
        # The standard's users write this where statuses are not kept by block.
        put(payment, "OrgnlPmtInfId", NOT_PROVIDED)
        for status in report.statuses:
            transfer = put(payment, "TxInfAndSts")
            put(transfer, "OrgnlInstrId", status.instruction_id)
            put(transfer, "OrgnlEndToEndId", status.instruction_id)
            put(transfer, "TxSts", _CODES_WRITTEN[status.status])
            if status.reason:
                put(transfer, "StsRsnInf/Rsn/Cd", status.reason)
    return document_bytes(root)


def report_read(
    content: bytes, file: str, *, batch: Batch | None = None, report_ids: Collection[str] = ()
) -> StatusReport:
    """Read a file as a status report.

    Raises BankFileError: it is none, answers something else, or was read before.

    Rules: CEA-BNK-02 (a message counts once), CEA-BNK-03 (refused whole).

    Parameters
    ----------
    content, file
        The file's bytes, and its name for errors.
    batch
        What it must be the answer to: this batch, and each of its instructions once.
    report_ids
        The ids of the reports read before.
    """
    message = document_read(content, file, NAMESPACE, MESSAGE, _SHAPE)
    report_id = message.one("GrpHdr/MsgId")
    if report_id.value() in report_ids:
        raise report_id.refused(f"MsgId: expected a new one, {report_id.value()} was read before")
    group = message.one("OrgnlGrpInfAndSts")
    answered = group.one("OrgnlMsgNmId")
    if answered.value() != BATCH_FORMAT:
        raise answered.refused(f"OrgnlMsgNmId: expected {BATCH_FORMAT}, got {answered.value()}")
    transfers = [
        transfer
        for payment in message.many("OrgnlPmtInfAndSts")
        for transfer in payment.many("TxInfAndSts")
    ]
    unique_check(transfer.one("OrgnlEndToEndId") for transfer in transfers)
    refusal, refusal_text = _refusal_read(group)
    report = made(
        StatusReport,
        group,
        report_id=report_id.value(),
        created_s=message.one("GrpHdr/CreDtTm").time_s(),
        batch_id=group.one("OrgnlMsgId").value(),
        refusal=refusal,
        refusal_text=refusal_text,
        statuses=tuple(_status_read(transfer) for transfer in transfers),
    )
    if batch is not None:
        _answer_check(report, batch, group, transfers)
    return report


def _refusal_read(group: Element) -> tuple[str, str]:
    """Return why the batch was refused whole; nothing where it was not."""
    status = group.maybe("GrpSts")
    if status is None or status.value() != _CODES_WRITTEN[Status.REFUSED]:
        return "", ""
    text = group.maybe("StsRsnInf/AddtlInf")
    return group.one("StsRsnInf/Rsn/Cd").value(), "" if text is None else text.value()


def _status_read(transfer: Element) -> InstructionStatus:
    code = transfer.one("TxSts")
    if code.value() not in _CODES_READ:
        known = " ".join(_CODES_READ)
        raise code.refused(f"TxSts: expected one of {known}, got {code.value()}")
    status = _CODES_READ[code.value()]
    reason = transfer.one("StsRsnInf/Rsn/Cd").value() if status is Status.REFUSED else ""
    return made(
        InstructionStatus,
        transfer,
        instruction_id=transfer.one("OrgnlEndToEndId").value(),
        status=status,
        reason=reason,
    )


def _answer_check(
    report: StatusReport, batch: Batch, group: Element, transfers: list[Element]
) -> None:
    if report.batch_id != batch.batch_id:
        raise group.one("OrgnlMsgId").refused(
            f"OrgnlMsgId: expected {batch.batch_id}, got {report.batch_id}"
        )
    missing = {instruction.instruction_id for instruction in batch.instructions}
    for status, transfer in zip(report.statuses, transfers, strict=True):
        if status.instruction_id not in missing:
            raise transfer.refused(
                f"OrgnlEndToEndId: expected one of batch {batch.batch_id},"
                f" got {status.instruction_id}"
            )
        missing.remove(status.instruction_id)
    if missing and not report.refusal:
        raise group.refused(f"expected a status of {min(missing)}, it is missing")
