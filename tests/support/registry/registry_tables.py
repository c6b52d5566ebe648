"""A small allocation file, and files of the registry as people and their tools spoil them."""

import re
import zipfile

import openpyxl

from cea_exchange.registry.files import Allocation, SourceFile, allocation_read

ALLOCATION_CSV = """\
compliance_year,product,stage,province,account,tonnes,at_risk
2024,CEA24,final,11,P0001,700000,no
2024,CEA24,final,11,P0002,500000,no
2024,CEA24,final,31,P0003,300000,yes
2024,CEA24,final,11,TOTAL,1200000,
2024,CEA24,final,31,TOTAL,300000,
2024,CEA24,final,,TOTAL,1500000,
"""
HEADS, *LINES = (line.split(",") for line in ALLOCATION_CSV.splitlines())
VINTAGES = {"CEA": 2020, "CEA23": 2023, "CEA24": 2024}
PROVINCES = {"P0001": 11, "P0002": 11, "P0003": 31}


def allocation(account, province, tonnes, *, at_risk=False):
    return Allocation(
        compliance_year=2024,
        product="CEA24",
        stage="final",
        province=province,
        account=account,
        tonnes=tonnes,
        at_risk=at_risk,
    )


ALLOCATIONS = (
    allocation("P0001", 11, 700_000),
    allocation("P0002", 11, 500_000),
    allocation("P0003", 31, 300_000, at_risk=True),
)


def read(path, **known):
    known = {"vintages": VINTAGES, "provinces": PROVINCES} | known
    return allocation_read(SourceFile.load(path), **known)


def workbook_save(path, rows):
    """Write rows as a person's spreadsheet has them: numbers as numbers, yes and no as text."""
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append([int(cell) if cell.isdigit() else cell or None for cell in row])
    workbook.save(path)


def cell_replace(path, place, xml):
    """Put other XML in the place of a cell of the first sheet."""
    part_edit(path, "xl/worksheets/sheet1.xml", lambda text: _cell_replaced(text, place, xml))


def _cell_replaced(text, place, xml):
    start = text.index(f'<c r="{place}"')
    # An empty cell ends at once.
    bare_end, end = text.index("/>", start) + 2, text.find("</c>", start) + 4
    stop = bare_end if ">" not in text[start : bare_end - 2] else end
    return text[:start] + xml + text[stop:]


def part_edit(path, name, edit):
    """Change the text of one part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    parts[name] = edit(parts.get(name, b"").decode()).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


STRINGS = "xl/sharedStrings.xml"
_KIND = "officeDocument/2006/relationships/sharedStrings"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def strings_share(path):
    """Keep a workbook's text apart from its cells, as spreadsheets do and openpyxl does not."""
    texts = []

    def share(sheet):
        def put(match):
            texts.append(match[1])
            return f't="s"><v>{len(texts) - 1}</v></c>'

        return re.sub(r't="inlineStr"><is><t>([^<]*)</t></is></c>', put, sheet)

    part_edit(path, "xl/worksheets/sheet1.xml", share)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    part_edit(path, STRINGS, lambda _: f'<sst xmlns="{main}">{items}</sst>')
    relation = (
        f'<Relationship Id="rId9" Type="http://schemas.openxmlformats.org/{_KIND}"'
        ' Target="sharedStrings.xml" /></Relationships>'
    )
    part_edit(
        path,
        "xl/_rels/workbook.xml.rels",
        lambda text: text.replace("</Relationships>", relation),
    )
    override = f'<Override PartName="/{STRINGS}" ContentType="{_TYPE}" /></Types>'
    part_edit(path, "[Content_Types].xml", lambda text: text.replace("</Types>", override))
