"""From an issue to a certificate: lots at the registry, on each database it can have."""

import pytest

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.ccer.lots.places import Place
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.ledger.double_entry import Compartment
from support.ccer.programme import (
    DayClock,
    accounts_opened,
    batch_issued,
    project_registered,
    registry_open,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


def refused(code: str):
    return refuses(code, ProgrammeError)


@pytest.fixture
def clock():
    return DayClock()


@pytest.fixture
def ccer(tmp_path, database_address, clock):
    """A registry where 10,000 t of 2022 and 700 t of 2023 were issued to the owner."""
    with registry_open(tmp_path, clock, database_address) as ccer:
        accounts_opened(ccer)
        project_registered(ccer, clock)
        batch_issued(ccer, clock, {2022: 10_000})
        yield ccer
        nothing_found(ccer)


def held(ccer, account, compartment=Compartment.REGISTRATION, instrument="WIND-1-2022"):
    books = ccer.books
    index = -7 if account == "cancelled" else books.account(account)
    place = Place(books.instrument(instrument), index, int(compartment))
    return [(lot.first, lot.last) for lot in books.places.held(place)]


def nothing_found(ccer):
    for name, check in checks().items():
        assert [] == ccer.store.execute(check.sql).fetchall(), name
    with ccer.store.view():
        assert [*content_differences(ccer.store)] == []


def test_a_lot_is_split_moved_and_cancelled(ccer):
    """CCER-LOT-02, CCER-LOT-03, CCER-LOT-04, CCER-TRF-01 (RB3, example 1)."""
    move = ccer.transfers.transfer
    move("transfer", "SEAWIND", "A", "WIND-1-2022", 10_000, document="contract 1")
    move("transfer", "A", "B", "WIND-1-2022", 4_000, document="contract 2")
    assert (held(ccer, "A"), held(ccer, "B")) == ([(4_001, 10_000)], [(1, 4_000)])
    number = ccer.cancellations.apply("B", "WIND-1-2022", 1_500, purpose="public_benefit")
    assert held(ccer, "B", Compartment.APPLIED) == [(1, 1_500)]
    assert ccer.cancellations.approve(number)["proofs"] == []
    assert (held(ccer, "B"), held(ccer, "cancelled")) == ([(1_501, 4_000)], [(1, 1_500)])
    with refused("SERIALS_NOT_HELD: serials: expected 1400 to 1600 to be there whole"):
        move("transfer", "B", "A", "WIND-1-2022", [Lot(1, 1_400, 1_600)], document="contract 3")
    assert held(ccer, "B") == [(1_501, 4_000)]
    nothing_found(ccer)


def test_what_was_cancelled_is_not_sold(ccer):
    """CCER-CAN-03, CCER-LOT-03 (RB3 34.22): neither moved nor sent to the exchange."""
    number = ccer.cancellations.apply("SEAWIND", "WIND-1-2022", 1_500, purpose="public_benefit")
    ccer.cancellations.approve(number)
    gone = [Lot(1, 1_000, 1_600)]
    with refused("SERIALS_NOT_HELD: serials: expected 1000 to 1600 to be there whole"):
        ccer.market_transfers.to_market("SEAWIND", "WIND-1-2022", gone, price_fen=8_000)
    with refused("SERIALS_NOT_HELD: serials: expected 1000 to 1600 to be there whole"):
        ccer.transfers.transfer("transfer", "SEAWIND", "A", "WIND-1-2022", gone, document="c 1")
    nothing_found(ccer)


def test_the_oldest_batch_is_cancelled_first(ccer, clock):
    """CCER-LOT-03 (RB3, example 2): of two batches of one instrument, the one issued first."""
    move = ccer.transfers.transfer
    batch_issued(ccer, clock, {2023: 1_200})
    with refused("CCERS_NOT_HELD: tonnes: expected at most the 10000 t there are, got 10001"):
        ccer.cancellations.apply("SEAWIND", "WIND-1-2022", 10_001, purpose="public_benefit")
    move("transfer", "SEAWIND", "A", "WIND-1-2023", [Lot(2, 501, 1_200)], document="c 1")
    assert held(ccer, "SEAWIND", instrument="WIND-1-2023") == [(1, 500)]
    number = ccer.cancellations.apply("A", "WIND-1-2023", 150, purpose="company_offset")
    ccer.cancellations.approve(number)
    assert held(ccer, "A", instrument="WIND-1-2023") == [(651, 1_200)]
    nothing_found(ccer)


def test_a_certificate_is_public_and_names_the_serials(ccer):
    """CCER-CAN-02, CCER-CAN-03."""
    number = ccer.cancellations.apply(
        "SEAWIND", "WIND-1-2022", 40, purpose="event_neutrality", beneficiary="Asian Games"
    )
    certificate = ccer.cancellations.approve(number)["certificate"]
    assert certificate == "CC-2024-000001"
    assert ccer.cancellations.certificate(certificate) == {
        "certificate": certificate,
        "date": ccer.books.business_date(),
        "holder": "Sea Wind Ltd",
        "project": "WIND-1",
        "generation_year": 2022,
        "tonnes": 40,
        "serials": [[1, 1, 40]],
        "purpose": "event_neutrality",
        "beneficiary": "Asian Games",
        "compliance_year": 0,
    }
    with refused("CANCELLATION_STATE: cancellation 1: expected .* applied for, got done"):
        ccer.cancellations.approve(number)
    with refused("CERTIFICATE_UNKNOWN"):
        ccer.cancellations.certificate("CC-2024-000002")


def test_what_is_refused_is_free_again(ccer):
    """CCER-CAN-03: the same serials."""
    number = ccer.cancellations.apply(
        "SEAWIND", "WIND-1-2022", [Lot(1, 500, 600)], purpose="public_benefit"
    )
    assert held(ccer, "SEAWIND") == [(1, 499), (601, 10_000)]
    ccer.cancellations.refuse(number, "not needed")
    assert held(ccer, "SEAWIND") == [(1, 499), (500, 600), (601, 10_000)]
    nothing_found(ccer)


def test_every_serial_has_its_pedigree(ccer):
    """CCER-LOT-04."""
    move = ccer.transfers.transfer
    move("transfer", "SEAWIND", "A", "WIND-1-2022", 4_000, document="contract 1")
    move("transfer", "A", "B", "WIND-1-2022", [Lot(1, 1_000, 2_000)], document="contract 2")
    ccer.cancellations.approve(
        ccer.cancellations.apply("B", "WIND-1-2022", 10, purpose="public_benefit")
    )
    steps = [
        (step["kind"], step["account"], step["compartment"], step["serial_first"])
        for step in ccer.pedigree("WIND-1", 1, 1_009)
    ]
    assert steps == [
        ("issue", "SEAWIND", "registration", 1),
        ("set_aside", "SEAWIND", "applied", 1),
        ("enforced", "A", "registration", 1),
        ("set_aside", "A", "applied", 1_000),
        ("enforced", "B", "registration", 1_000),
        ("set_aside", "B", "applied", 1_000),
        ("cancelled", "cancellation account", "registration", 1_000),
    ]
    assert [step["account"] for step in ccer.pedigree("WIND-1", 1, 5_000)] == ["SEAWIND"]
    with refused("SERIALS_NOT_HELD: serial: expected one that was issued, got 10001"):
        ccer.pedigree("WIND-1", 1, 10_001)
    with refused("BATCH_UNKNOWN"):
        ccer.pedigree("WIND-1", 2, 1)
    now = ccer.whereabouts("WIND-1", 1, 999, 1_010)
    assert [(each["account"], each["serial_first"]) for each in now] == [
        *(("A", 1), ("cancellation account", 1_000), ("B", 1_010))
    ]


def test_a_restricted_holder_gives_nothing_away(ccer):
    """CCER-ACC-03, CCER-TRF-01: by its own will."""
    ccer.accounts.restrict("SEAWIND", "false licence")
    for act in (
        lambda: ccer.transfers.transfer(
            "transfer", "SEAWIND", "A", "WIND-1-2022", 1, document="contract"
        ),
        lambda: ccer.cancellations.apply("SEAWIND", "WIND-1-2022", 1, purpose="public_benefit"),
    ):
        with refused("ACCOUNT_RESTRICTED"):
            act()
    ccer.transfers.transfer("enforcement", "SEAWIND", "A", "WIND-1-2022", 1, document="(2024)1")
    ccer.accounts.restore("SEAWIND", "licence seen")
    with refused("ACCOUNT_STATE: account SEAWIND: expected one that is restricted, got open"):
        ccer.accounts.restore("SEAWIND", "again")
    ccer.transfers.transfer("transfer", "SEAWIND", "A", "WIND-1-2022", 1, document="contract")
    assert held(ccer, "A") == [(1, 1), (2, 2)]


def test_vvbs_and_provinces_hold_nothing(ccer):
    """CCER-ACC-02."""
    with refused("ACCOUNT_KIND: account: expected one of kind owner or entity or trader, got CQC"):
        ccer.transfers.transfer("transfer", "SEAWIND", "CQC", "WIND-1-2022", 1, document="c")
    with refused("SAME_ACCOUNT"):
        ccer.transfers.transfer(
            "transfer", "SEAWIND", "SEAWIND", "WIND-1-2022", 1, document="contract"
        )
    with refused("INSTRUMENT_UNKNOWN: .*got 'WIND-1-2021'"):
        ccer.transfers.transfer("transfer", "SEAWIND", "A", "WIND-1-2021", 1, document="c")
