"""Write the bank's XML: the same value gives the same bytes."""

from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

from cea_exchange.domain.units import cash_format
from cea_exchange.protocol.bank.iso_20022.xml_reading import CURRENCY

_CHINA = timezone(timedelta(hours=8))


def document(namespace: str, message: str) -> tuple[ElementTree.Element, ElementTree.Element]:
    """Return a new document and the message's element in it."""
    root = ElementTree.Element("Document", xmlns=namespace)
    return root, ElementTree.SubElement(root, message)


def put(parent: ElementTree.Element, path: str, text: str = "") -> ElementTree.Element:
    """Add the elements of a path such as ``Id/Othr/Id``, with a text in the last; return that."""
    for name in path.split("/"):
        parent = ElementTree.SubElement(parent, name)
    if text:
        parent.text = text
    return parent


def put_cash(parent: ElementTree.Element, path: str, cash: int) -> None:
    """Add an amount of fen, written as yuan with its currency."""
    put(parent, path, cash_format(cash)).set("Ccy", CURRENCY)


def document_bytes(root: ElementTree.Element) -> bytes:
    """Return the file."""
    ElementTree.indent(root)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(root, encoding="UTF-8", xml_declaration=False) + b"\n"


def date_text(day: int) -> str:
    """Write yyyymmdd as a date: 20260701 gives ``2026-07-01``."""
    return f"{day // 10_000:04d}-{day // 100 % 100:02d}-{day % 100:02d}"


def time_text(at_s: int) -> str:
    """Write seconds since 1970 as a time in China, with its offset."""
    return datetime.fromtimestamp(at_s, _CHINA).isoformat()
