"""Whatever is looked at, of 10,000 entities and years: an answer that arrives, in a short time."""

import time

import msgspec
import pytest

from cea_exchange.institution.control.admin_door import ANSWER_BYTES_MAX
from cea_exchange.registry.control.admin import REGISTRY_REQUESTS
from cea_exchange.registry.registry import Registry
from support.patience import patience
from support.registry.grown_registry import TRADES_A_DAY, account, days, grow
from support.registry.service_callers import Staff

pytestmark = pytest.mark.slow

PAGE_S = 0.5
"""Of the processor: a tenth of it is what is aimed at."""
PAGES_MAX = 6
DAY = days(5)[4]

# Of each look what is asked, as many questions as there are ways to go through its table.
LOOKS = {
    "status": [{}],
    "account_list": [{}, {"province": 31}, {"state": "closed"}],
    "account_show": [{"account": account(0)}, {"account": account(7)}],
    "acts": [{"count": 1_000}, {"since": 40_000, "count": 1_000}],
    "allocation_remaining": [{"account": account(0)}],
    "allocation_show": [{"preview_id": 1}],
    "balance": [
        {"account": account(5)},
        {"account": account(5), "as_of_date": DAY},
        {"account": account(5), "as_of": 3 * TRADES_A_DAY},
        {"account": account(5), "as_of_settlement": 3 * TRADES_A_DAY},
    ],
    "bank_differences": [{}],
    "bank_reconcile": [{}],
    "calendar_show": [{}],
    "carryover_notice": [{"account": account(5)}],
    "bank_statements": [{}],
    "bank_unapplied": [{}],
    "claim_list": [{}, {"paid": True}],
    "compliance_list": [{"compliance_year": 2024}],
    "correction_list": [{"compliance_year": 2024}, {"compliance_year": 2023, "province": 31}],
    "default_list": [{}, {"ended": True}],
    "default_show": [{"default_id": 1}],
    "dispositions": [{}, {"state": "applied"}],
    "duty_list": [{}, {"province": 31}],
    "entries": [{"count": 1_000}, {"account": account(5)}, {"product": "CEA25", "count": 1_000}],
    "failures": [{}],
    "freezes": [{}, {"account": account(5)}],
    "objections": [{}, {"state": "open"}],
    "obligation_notice": [{"account": account(5), "compliance_year": 2024}],
    "person_list": [{}, {"account": account(5)}],
    "proposals": [{"count": 1_000}, {"count": 1_000, "all": True}],
    "public_notices": [{}],
    "receipt": [{"account": account(5), "business_date": days(40)[39]}],
    "proceeds_list": [{}],
    "reserve_show": [{}],
    "seat": [{}],
    "shortfall_list": [{"compliance_year": 2023}, {"compliance_year": 2023, "province": 31}],
    "statement": [{"account": account(5), "business_date": DAY},
                  {"account": account(0), "business_date": days(1)[0]}],
    "surrender_certificate": [{"account": account(0), "compliance_year": 2024}],
    "surrender_history": [{"account": account(0), "compliance_year": 2024}],
    "surrender_list": [{"state": "retired"}, {"state": "rejected", "province": 31},
                       {"state": "accepted"}],
    "offset_proofs": [{}],
    "offset_shares": [{}],
    "transfers": [{"count": 1_000}, {"account": account(5)}],
}  # fmt: skip
LONGER = {"bank_reconcile": 5.0, "bank_differences": 5.0}
"""Both read all that the bank has booked, and all that was posted of it."""
GOES_ON = {"acts": "since", "entries": "after", "transfers": "after"}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    with Registry.open(tmp_path_factory.mktemp("grown")) as registry:
        grow(registry)
        yield registry


def pages(staff, op, fields):
    """Yield of each page what it took, its bytes and its answer."""
    following = {}
    for _ in range(PAGES_MAX):
        began = time.process_time()
        answer = staff.rex(op, **{**fields, **following})
        took_s = time.process_time() - began
        yield took_s, len(msgspec.msgpack.encode(answer)), answer
        if answer.get("next") is None:
            return
        following = {GOES_ON.get(op, "first"): answer["next"]}


def test_every_look_is_asked():
    looks = [each for each in REGISTRY_REQUESTS.types if each.is_look]
    assert {str(each.__struct_config__.tag) for each in looks} == {*LOOKS}
    assert {op for op, each in REGISTRY_REQUESTS.by_op.items() if each.is_look} == {*LOOKS}


@pytest.mark.parametrize("op", sorted(LOOKS))
def test_a_page_is_bounded_in_bytes_and_time(grown, op):
    staff = Staff(grown)
    for fields in LOOKS[op]:
        for took_s, size, answer in pages(staff, op, fields):
            print(f"{op} {fields}: {1e3 * took_s:.1f} ms, {size:,} bytes")
            assert answer["ok"], answer
            assert size <= ANSWER_BYTES_MAX
            assert took_s < LONGER.get(op, PAGE_S) * patience()


def all_of(staff, op, name, **fields):
    """All rows of a list, page by page."""
    rows, following = [], {}
    while following is not None:
        answer = staff.rex(op, **{**fields, **following})
        rows += answer[name]
        further = answer["next"]
        following = None if further is None else {GOES_ON.get(op, "first"): further}
    return rows


def test_nothing_is_left_out_between_two_pages(grown):
    staff = Staff(grown)
    short = all_of(staff, "shortfall_list", "shortfalls", compliance_year=2023, province=31)
    assert {31} == {row["province"] for row in short}
    everybody = all_of(staff, "compliance_list", "entities", compliance_year=2023)
    assert list(range(10_000)) == [row["account_index"] for row in everybody]
    rejected = all_of(staff, "surrender_list", "surrenders", state="rejected", province=31)
    assert len(rejected) == 6_000 and all(row["tonnes"] == {"CEA": 100, "CEA21-22": 100}
                                          for row in rejected)  # fmt: skip
    assert list(range(1, 4_001)) == [
        row["objection_id"] for row in all_of(staff, "objections", "objections")
    ]
    assert 20_000 + 3 == len(all_of(staff, "person_list", "persons")) - 1
    transfers = all_of(staff, "transfers", "transfers", account=account(5), count=3)
    assert 6 == len(transfers)
