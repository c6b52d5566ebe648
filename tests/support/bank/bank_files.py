"""The bank's golden files, and how each kind is read and written."""

import msgspec

from cea_exchange.protocol.bank.instructions import Batch
from cea_exchange.protocol.bank.iso_20022 import camt_053, pain_001, pain_002
from cea_exchange.protocol.bank.statements import Statement, StatusReport
from support.places import ROOT

FOLDER = ROOT / "protocol" / "vectors" / "bank"
READERS = {
    "batch": pain_001.batch_read,
    "report": pain_002.report_read,
    "statement": camt_053.statement_read,
}
WRITERS = {
    "batch": pain_001.batch_write,
    "report": pain_002.report_write,
    "statement": camt_053.statement_write,
}
TYPES = {"batch": Batch, "report": StatusReport, "statement": Statement}


def text_of(case):
    return (FOLDER / f"{case}.xml").read_text(encoding="utf-8")


def kind_of(case):
    return case.partition("_")[0]


def meaning_of(case):
    """Return what a golden file means, as its JSON says."""
    content = msgspec.json.decode((FOLDER / f"{case}.json").read_bytes())
    assert content.pop("message") == kind_of(case)
    return msgspec.convert(content, TYPES[kind_of(case)])


def read(case, text, **known):
    """Read a text as the file of a golden case."""
    return READERS[kind_of(case)](text.encode(), f"{case}.xml", **known)
