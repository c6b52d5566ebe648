"""Figures of firms' and officials' pages: needs and their cost, typed months, progress."""

import base64
import re
import zlib
from decimal import Decimal
from functools import partial

import pytest

from cea_exchange.domain.compliance.accounting import PARAMETERS
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.platform.filings.month_files import UnitMonth, months_read
from cea_exchange.platform.filings.months import asked
from cea_exchange.screens.firm.certificate import certificate_pdf
from cea_exchange.screens.firm.holdings import Holding, holdings_of
from cea_exchange.screens.firm.month_file import (
    Row,
    findings_note,
    form_values,
    month_csv,
    parameter_named,
    rows_read,
    rows_shown,
)
from cea_exchange.screens.firm.ways import lines_proposed, may_pay, need_of, ways_of
from cea_exchange.screens.institution.proposals import terms_shown
from cea_exchange.screens.officials.allocations import lines_compared
from cea_exchange.screens.officials.tile_map import (
    PLACES,
    Progress,
    progress_of,
    tiles_of,
    together,
)
from cea_exchange.screens.reading import READINGS
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.texts.catalogue import LANGUAGES, text, texts

# -- what is held, needed, and costs ---------------------------------------------------------------


def balance(product, compartment, amount):
    return {"product": product, "compartment": compartment, "amount": amount}


def test_what_is_held_is_told_apart_by_where_it_is():
    held = holdings_of(
        [
            balance("CEA24", "registration", 5),
            balance("CEA24", "trading", 7),
            balance("CEA24", "judicial", 2),
            balance("CEA24", "supervisory", 1),
            balance("CNY", "banking", 900),
        ]
    )
    assert held["CEA24"] == Holding("CEA24", free=5, trading=7, frozen=3)
    assert (held["CEA24"].total, held["CNY"].banking) == (15, 900)


def test_an_account_without_anything_has_no_cash():
    assert holdings_of([]) == {"CNY": Holding("CNY")}


PAYING = {"CEA23": Holding("CEA23", free=100), "CEA24": Holding("CEA24", free=50, trading=30)}


def test_missing_is_what_neither_account_has():
    need = need_of(payable=1_000, offset_max=50, offset=10, paying=PAYING)
    assert (need.free, need.trading, need.missing, need.ccer_room) == (150, 30, 820, 40)


def test_nothing_is_missing_where_enough_is_held():
    need = need_of(payable=120, offset_max=50, offset=50, paying=PAYING)
    assert (need.missing, need.ccer_room) == (0, 0)
    assert ways_of(need, {"CEA24": 9_749}, None) == []


def test_ways_cost_what_the_cheapest_allowances_and_ccers_cost():
    need = need_of(payable=1_000, offset_max=50, offset=10, paying=PAYING)
    buy, ccer = ways_of(need, {"CEA23": 9_610, "CEA24": 9_749}, 8_000)
    assert (buy.product, buy.tonnes, buy.cost) == ("CEA23", 820, 820 * 9_610)
    assert (ccer.tonnes, ccer.ccer_tonnes) == (780, 40)
    assert ccer.cost == 780 * 9_610 + 40 * 8_000


def test_a_way_without_a_price_has_no_cost():
    need = need_of(payable=1_000, offset_max=50, offset=10, paying=PAYING)
    assert [way.cost for way in ways_of(need, {}, None)] == [None, None]
    assert [way.cost for way in ways_of(need, {"CEA24": 9_749}, None)] == [820 * 9_749, None]


def test_a_surrender_is_proposed_of_the_oldest_vintages_first():
    assert lines_proposed(120, PAYING) == {"CEA23": 100, "CEA24": 20}
    assert lines_proposed(0, PAYING) == {"CEA23": 0, "CEA24": 0}


def test_only_vintages_that_may_pay_are_counted():
    """CEA-SUR-03, CEA-SUR-04."""
    rules = ComplianceRules.load().vintages
    assert may_pay(rules, "CEA24", 2024, in_arrears=False)
    assert not may_pay(rules, "CEA25", 2024, in_arrears=False)
    assert not may_pay(rules, "OTHER", 2024, in_arrears=False)


# -- a month that is typed -------------------------------------------------------------------------


def month_form(*rows, **changed):
    shown = rows_shown(rows, "power", with_values=True)
    return Form(values=form_values(shown) | changed)


COAL = {
    "parameter": "A.bituminous",
    "value": "125000.00",
    "measure": "t",
    "origin": "measured",
    "evidence": "a" * 64,
}


def test_a_first_month_asks_for_what_its_sector_has_and_a_later_one_for_what_the_last_had():
    first = rows_shown([], "power", with_values=False)
    assert [row["parameter"] for row in first][:7] == [
        *("A.bituminous", "B.bituminous", "C.bituminous", "E.bituminous", "M", "N", "O")
    ]
    (later, *blank) = rows_shown([COAL], "power", with_values=False)
    assert (later["parameter"], later["value"], later["evidence"]) == ("A.bituminous", "", "")
    assert len(blank) == 3 and not any(row["parameter"] for row in blank)


def test_a_typed_month_is_a_file_that_the_platform_takes():
    """CEA-MRV-10: with totals of the unit and of the file."""
    form = month_form(COAL, **{"value.1": "１,２３４.5", "parameter.1": "M", "measure.1": "MWh",
                               "origin.1": "measured", "evidence.1": "b" * 64})
    rows = rows_read(form)
    assert form.is_sound
    assert [row.value for row in rows] == [Decimal("125000.00"), Decimal("1234.5")]
    source = SourceFile("typed.csv", month_csv("E1", "E1-1", 202412, rows))
    read = months_read(source, lambda lines: iter(()))
    ((unit_month, lines),) = read.items()
    assert unit_month == UnitMonth("E1-1", 202412)
    assert [(figure.parameter, figure.value) for _, figure in lines] == [
        ("A.bituminous", Decimal("125000.00")),
        ("M", Decimal("1234.5")),
    ]


@pytest.mark.parametrize(
    ("field", "typed", "key"),
    [
        ("value.0", "1e3", "form.not_number"),
        ("value.0", "1.1234567", "form.not_number"),
        ("value.0", "", "form.missing"),
        ("measure.0", "", "form.missing"),
        ("origin.0", "guessed", "form.not_choice"),
    ],
)
def test_what_is_wrong_with_a_figure_stands_beside_it(field, typed, key):
    form = month_form(COAL, **{field: typed})
    rows_read(form)
    assert form.troubles[field].sentence == key


def test_a_month_without_figures_is_not_sent():
    form = Form(values={"parameter.0": "", "value.0": ""})
    assert rows_read(form) == [] and form.troubles[""].sentence == "month.nothing"


def test_what_the_platform_finds_stands_in_the_row_that_it_names():
    form = Form()
    rows = [
        Row(at, name, Decimal(1), "t", "measured", "") for at, name in ((0, "A"), (4, "M"))
    ]
    words = (
        "refused FILE_REFUSED: u.csv:3: measure: M: expected in MWh, got in t (CEA-PWR-02)\n"
        "u.csv:2: line: something else\n"
        "u.csv: nothing of it was taken: mend each line"
    )
    findings_note(form, words, rows, "wrong")
    assert form.troubles["measure.4"].remedy == "M: expected in MWh, got in t (CEA-PWR-02)"
    assert form.troubles["parameter.0"].remedy == "something else"
    assert len(form.troubles) == 2


# -- officials -------------------------------------------------------------------------------------


def owing(province, owed, surrendered, state="open", offset=0):
    return {
        "province": province,
        "obligation_tonnes": owed,
        "surrendered": surrendered,
        "offset": offset,
        "state": state,
    }


def test_progress_is_of_tonnes_and_names_who_is_done():
    found = progress_of(
        [owing(33, 100, 95, "in time", 5), owing(33, 100, 0, "short"), owing(11, 10, 10, "late")]
    )
    assert found[33] == Progress(entities=2, complete=1, late=0, short=1, owed=200, covered=100)
    assert (found[33].shade, found[11].shade, Progress().shade) == ("2", "4", "none")
    assert together(found.values()) == Progress(3, 2, 1, 1, 210, 110)
    assert together([]) == Progress()


def test_a_province_that_is_nearly_done_is_not_drawn_as_done():
    assert progress_of([owing(33, 1_000, 999)])[33].shade == "3"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_map_has_each_province_once_and_no_two_at_one_place(language):
    tiles = tiles_of({}, language)
    assert sorted(tile.code for tile in tiles) == sorted(PROVINCES)
    assert len(set(PLACES.values())) == len({tile.short for tile in tiles}) == len(PROVINCES)


def line(name, tonnes, duty=0, emissions=0):
    return {"enterprise": name, "tonnes": tonnes, "duty": duty, "emissions": emissions}


def test_an_allocation_is_compared_with_what_was_given_before():
    rows = lines_compared([line("E2", 90, 100), line("E1", 70)], {"E1": 50, "E3": 20})
    assert [(row["enterprise"], row["before"], row["difference"]) for row in rows] == [
        ("E1", 50, 20),
        ("E2", 0, 90),
        ("E3", 20, -20),
    ]
    assert rows[1]["surplus"] == -10


def test_a_proposal_shows_all_that_it_was_asked_with_in_the_readers_words():
    request = {
        "op": "surrender_apply",
        "request_id": "x",
        "account": "P001",
        "compliance_year": 2024,
        "tonnes": {"CEA24": 1_500},
        "province": 33,
        "decided_on": 20251117,
        "fine": 100_000,
        "why": "",
    }
    shown = dict(terms_shown(READINGS["en"], request))
    assert shown == {
        "Account": "P001",
        "Compliance year": "2024",
        "Tonnes": "CEA24 1,500",
        "Province": "Zhejiang",
        "Decided on": "17 Nov 2025",
        "Fine, yuan": "1,000.00",
    }


def test_an_amount_without_a_product_is_cash():
    request = {"op": "transfer_in", "product": None, "amount": 12_345}
    shown = dict(terms_shown(READINGS["zh"], request))
    assert shown == {"金额（元）": "123.45"}


# -- the certificate -------------------------------------------------------------------------------

CERTIFICATE = {
    "number": "2024-000012",
    "account": "P001",
    "entity": "钱塘发电有限公司",
    "credit_code": "91330100000000001C",
    "compliance_year": 2024,
    "obligation_tonnes": 2_957_724,
    "surrendered": {"CEA24": 2_907_600},
    "offset": 50_124,
    "deadline": 20251231,
    "completed_on": 20251117,
    "issued_on": 20251117,
}


def words_of(pdf):
    """Return what a PDF with one of the fonts for Chinese writes."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        content = zlib.decompress(base64.a85decode(stream.strip(), adobe=False)
                                  if not stream.strip().endswith(b"~>")
                                  else base64.a85decode(b"<~" + stream.strip(), adobe=True))
        for words in re.findall(rb"\(((?:\\.|[^\\()])*)\) Tj", content, re.DOTALL):
            plain = re.sub(
                rb"\\([0-7]{3}|.)",
                lambda each: bytes([int(each[1], 8)]) if len(each[1]) == 3 else
                {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}.get(
                    each[1], each[1]
                ),
                words,
                flags=re.DOTALL,
            )
            found.append(plain.decode("utf-16-be"))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_certificate_prints_all_that_it_certifies_in_chinese_too(language):
    content = certificate_pdf(CERTIFICATE, partial(text, language), READINGS[language])
    words = words_of(content)
    assert "钱塘发电有限公司" in words
    assert text(language, "certificate.title") in words
    assert any("2,957,724" in each for each in words)
    assert any("50,124" in each for each in words)
    assert text(language, "certificate.surrendered", product="CEA24") in words


def test_the_same_certificate_gives_the_same_bytes():
    of = partial(certificate_pdf, CERTIFICATE, partial(text, "zh"), READINGS["zh"])
    assert of() == of()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_figure_of_every_guideline_has_a_name(language):
    known = texts(language)
    for parameters in PARAMETERS.values():
        for each in parameters:
            assert parameter_named(known, each), each
            material = each.partition(".")[2]
            assert not material or known[f"material.{material}"] in parameter_named(known, each)
    zh = parameter_named(texts("zh"), "C.bituminous")
    assert zh == "烟煤的低位发热量" and parameter_named(known, "unheard.of") == ""


@pytest.mark.parametrize("sector", ["power", "steel", "cement", "aluminium"])
def test_a_first_months_form_asks_for_all_that_the_sector_has_to_file(sector):
    """CEA-MRV-03: what its bill needs and its allocation rests on, in the guideline's units."""
    first = [row for row in rows_shown([], sector, with_values=False) if row["parameter"]]
    shown = {row["parameter"]: row["measure"] for row in first}
    known = PARAMETERS[sector]
    assert shown == {name: known[name].unit for name in shown}
    needed = {each.id for each in known.values() if each.required}
    assert needed | set(asked(sector, 2025)) <= set(shown)
