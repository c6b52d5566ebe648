"""What is written of any entries is read back as the same entries, in every format."""

import unicodedata
from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.domain.naming import name_check, normal_name_check
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.files.formats import READ
from cea_exchange.registry.files import (
    ALLOCATION,
    CANCELLATION_PROOFS,
    OBLIGATIONS,
    Allocation,
    CancellationProof,
    FileRefused,
    Obligation,
    SourceFile,
    allocation_read,
    cancellation_proofs_read,
    obligations_read,
    table_bytes,
)

pytestmark = pytest.mark.property

ROWS_MOST = 8


def normal(text):
    return unicodedata.normalize("NFKC", text)


def is_name(text):
    try:
        return bool(normal_name_check(name_check(text)))
    except ValueError:
        return False


# Of any character at all four names in five would be refused, and so would Hypothesis.
SEEN = st.characters(exclude_categories=("C", "Z")).filter(lambda each: is_name(normal(each)))
# Above all what spreadsheets and CSV give a meaning of their own.
NAMES = (
    st.one_of(
        st.from_regex(r"[A-Z][0-9]{1,6}", fullmatch=True),
        st.text(st.sampled_from("=+-@#,;\"'/\\0019TRUEN&<>_x华能"), min_size=1, max_size=12),
        st.text(SEEN, min_size=1, max_size=16),
    )
    .map(normal)
    .filter(lambda text: text != "TOTAL" and "_x" not in text and is_name(text))
)
# Each file's sum stays below 2^62.
TONNES = st.one_of(st.integers(1, 10**7), st.integers(1, 2**58))
PROVINCE_CODES = st.sampled_from(sorted(PROVINCES))
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@st.composite
def allocations(draw):
    common = {
        "compliance_year": draw(st.integers(2019, 2099)),
        "product": draw(NAMES),
        "stage": draw(st.sampled_from(("pre", "final", "adjustment"))),
    }
    accounts = draw(st.lists(NAMES, min_size=1, max_size=ROWS_MOST, unique=True))
    return [
        Allocation(
            **common,
            province=draw(PROVINCE_CODES),
            account=account,
            tonnes=draw(TONNES),
            at_risk=draw(st.booleans()),
        )
        for account in accounts
    ]


@st.composite
def obligations(draw):
    year = draw(st.integers(2019, 2099))
    rows = []
    for account in draw(st.lists(NAMES, min_size=1, max_size=ROWS_MOST, unique=True)):
        due, verified = sorted((draw(TONNES), draw(TONNES)))
        row = Obligation(
            compliance_year=year,
            province=draw(PROVINCE_CODES),
            account=account,
            verified_tonnes=verified,
            due_tonnes=due,
        )
        rows.append(row)
    return rows


@st.composite
def proofs(draw):
    year = draw(st.integers(2019, 2099))
    rows, first = [], 1
    for proof in draw(st.lists(NAMES, min_size=1, max_size=ROWS_MOST, unique=True)):
        tonnes = draw(TONNES)
        days = sorted((draw(DAYS), draw(DAYS)))
        registered_on, cancelled_on = (int(day.strftime("%Y%m%d")) for day in days)
        row = CancellationProof(
            proof=proof,
            compliance_year=year,
            account=draw(NAMES),
            project=draw(NAMES),
            serial_first=first,
            serial_last=first + tonnes - 1,
            tonnes=tonnes,
            registered_on=registered_on,
            cancelled_on=cancelled_on,
            quota_managed=draw(st.sampled_from(("no", "regional", "national"))),
            project_started_on=registered_on,
            applied_on=registered_on,
            produced_from=registered_on,
            produced_to=registered_on,
        )
        rows.append(row)
        first += tonnes
    return rows


@pytest.mark.parametrize("form", READ)
@settings(max_examples=25)
@given(rows=allocations())
def test_allocations_are_read_as_they_were_written(form, rows):
    table = allocation_read(
        SourceFile(f"x{form}", table_bytes(ALLOCATION, rows, form)),
        provinces={row.account: row.province for row in rows},
    )
    assert list(table.rows) == rows


@pytest.mark.parametrize("form", READ)
@settings(max_examples=20)
@given(rows=obligations())
def test_obligations_are_read_as_they_were_written(form, rows):
    source = SourceFile(f"x{form}", table_bytes(OBLIGATIONS, rows, form))
    assert list(obligations_read(source).rows) == rows


@pytest.mark.parametrize("form", READ)
@settings(max_examples=20)
@given(rows=proofs())
def test_proofs_are_read_as_they_were_written(form, rows):
    source = SourceFile(f"x{form}", table_bytes(CANCELLATION_PROOFS, rows, form))
    assert list(cancellation_proofs_read(source).rows) == rows


@settings(max_examples=50)
@given(rows=proofs())
def test_json_lines_are_read_as_they_were_written(rows):
    lines = table_bytes(CANCELLATION_PROOFS, rows, ".jsonl").splitlines()
    assert [msgspec.json.decode(line, type=CancellationProof) for line in lines] == rows


@settings(max_examples=60)
@given(rows=allocations(), data=st.data())
def test_a_spoiled_file_is_refused_or_is_of_sound_rows(rows, data):
    """Nothing but a refusal comes of bytes changed at will, and its text names the file."""
    form = data.draw(st.sampled_from(READ))
    spoiled = bytearray(table_bytes(ALLOCATION, rows, form))
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        table = allocation_read(SourceFile(f"x{form}", bytes(spoiled)))
    except FileRefused as error:
        assert all(line.startswith(f"x{form}:") for line in str(error).splitlines())
    else:
        assert sum(row.tonnes for row in table.rows) < 2**62
