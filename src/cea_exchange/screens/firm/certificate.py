"""A certificate of compliance as a page to print: PDF, in the reader's language."""

import io
from collections.abc import Callable, Iterator
from typing import Any

from cea_exchange.screens.reading import Reading

FONT = "STSong-Light"
"""One of the fonts for Chinese that every PDF reader brings; it has Latin letters too."""
MARGIN_MM = 25
TITLE_PT, NAME_PT, TEXT_PT, NOTE_PT = 22, 15, 11, 9
INK, SOFT, LINE = "#17212b", "#4a5a68", "#0f4c5c"


def certificate_pdf(
    certificate: dict[str, Any], text: Callable[..., str], reading: Reading
) -> bytes:
    """Return a certificate as a PDF; the same certificate always gives the same bytes.

    Parameters
    ----------
    certificate
        As the registry has it.
    text, reading
        The reader's words, and numbers and days as that language writes them.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    output = io.BytesIO()
    page = Canvas(output, pagesize=A4, invariant=1)
    page.setTitle(f"{text('certificate.title')} {certificate['number']}")
    page.setAuthor(text("certificate.issuer"))
    width, height = A4
    left, right = MARGIN_MM * mm, width - MARGIN_MM * mm
    page.setStrokeColor(LINE)
    page.setLineWidth(1.2)
    page.rect(12 * mm, 12 * mm, width - 24 * mm, height - 24 * mm)
    y = height - 48 * mm
    page.setFillColor(INK)
    page.setFont(FONT, TITLE_PT)
    page.drawCentredString(width / 2, y, text("certificate.title"))
    y -= 9 * mm
    page.setFont(FONT, TEXT_PT)
    page.setFillColor(SOFT)
    page.drawCentredString(
        width / 2, y, text("certificate.number", number=certificate["number"])
    )
    y -= 20 * mm
    page.setFillColor(INK)
    page.setFont(FONT, NAME_PT)
    for line in _folded(certificate["entity"], FONT, NAME_PT, right - left, pdfmetrics):
        page.drawCentredString(width / 2, y, line)
        y -= 8 * mm
    page.setFont(FONT, TEXT_PT)
    said = text("certificate.says", year=certificate["compliance_year"])
    for line in _folded(said, FONT, TEXT_PT, right - left, pdfmetrics):
        page.drawCentredString(width / 2, y, line)
        y -= 6 * mm
    y -= 10 * mm
    page.setLineWidth(0.4)
    for name, value in _facts(certificate, text, reading):
        page.setFillColor(SOFT)
        page.drawString(left, y, name)
        page.setFillColor(INK)
        page.drawRightString(right, y, value)
        page.line(left, y - 3 * mm, right, y - 3 * mm)
        y -= 10 * mm
    y -= 16 * mm
    page.drawRightString(right, y, text("certificate.issuer"))
    page.drawRightString(right, y - 7 * mm, reading.day(certificate["issued_on"]))
    page.setFillColor(SOFT)
    page.setFont(FONT, NOTE_PT)
    page.drawCentredString(width / 2, 20 * mm, text("certificate.note"))
    page.showPage()
    page.save()
    return output.getvalue()


def _facts(
    certificate: dict[str, Any], text: Callable[..., str], reading: Reading
) -> Iterator[tuple[str, str]]:
    def tonnes(amount: int) -> str:
        return f"{reading.tonnes(amount)} {text('unit.tonnes')}"

    in_time = certificate["completed_on"] <= certificate["deadline"]
    when = text("certificate.in_time" if in_time else "certificate.late")
    yield text("certificate.account"), certificate["account"]
    yield text("certificate.credit_code"), certificate["credit_code"] or "–"
    yield text("obligation.tonnes"), tonnes(certificate["obligation_tonnes"])
    for product, amount in certificate["surrendered"].items():
        yield text("certificate.surrendered", product=product), tonnes(amount)
    yield text("obligation.ccer_counted"), tonnes(certificate["offset"])
    yield text("obligation.deadline"), reading.day(certificate["deadline"])
    yield text("certificate.completed"), f"{reading.day(certificate['completed_on'])}  {when}"


def _folded(words: str, font: str, size: int, width: float, metrics: Any) -> Iterator[str]:
    """Yield the lines of a text, each as wide as there is room."""
    line = ""
    for character in words:
        if metrics.stringWidth(line + character, font, size) > width:
            head, blank, rest = line.rpartition(" ")
            yield head if blank else line
            line = rest if blank else ""
        line += character
    yield line
