"""Obligations: files taken whole or refused whole, corrections on purpose, notices."""

import pytest

from cea_exchange.registry.files import SourceFile
from support.refusing import refuses
from support.registry.compliance_world import BEIJING, SHANGHAI, World, obligation_file, proof

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as world:
        world.products("CEA24")
        world.entity("P1", BEIJING, CEA24=2_000)
        world.entity("P2", SHANGHAI)
        yield world


def obligations(world):
    rows = world.registry.store.execute(
        "SELECT compliance_year, account, due_tonnes FROM obligations"
        " JOIN accounts USING (account_index) ORDER BY 1, 2"
    )
    return rows.fetchall()


def test_a_file_says_who_owes_what_and_until_when(world):
    """CEA-SUR-01, CEA-SUR-02, CEA-OFS-01."""
    assert 1 == world.owe(2024, ("P1", 1_039), ("P2", 20))
    assert [(2024, "P1", 1_039), (2024, "P2", 20)] == obligations(world)
    notice = world.registry.obligations.notice("P1", 2024)
    assert (1_039, 1_039, 20251231, 51) == (
        notice.obligation_tonnes,
        notice.due,
        notice.deadline,
        notice.offset_max,
    )
    assert "to surrender       1039 t\n" in notice.text()
    assert "province           Beijing\n" in notice.text()
    with refuses("OBLIGATION_MISSING: account: expected one with an obligation of 2023, got P1"):
        world.registry.obligations.notice("P1", 2023)


BAD_FILES = (
    ("P2,20,20", "P2,20,-20", ":3: due_tonnes: expected tonnes from 1"),
    ("2024,,TOTAL,120,120", "2024,,TOTAL,120,121", ":6: due_tonnes: expected 120, the sum"),
    ("P2,20,20", "P1,20,20", ":3: account: expected each account once, got P1 of line 2"),
    ("P1,100", "P9,100", ":2: account: expected an open account, got P9"),
    ("due_tonnes", "dues", ":1: expected the columns"),
    ("P2,20,20", "P9,20,20", ":3: account: expected an open account, got P9"),
)


def test_a_bad_file_is_refused_whole(world):
    """CEA-FIL-01: with file, line and reason, and nothing of it is kept."""
    sound = obligation_file(world.registry, 2024, ("P1", 100), ("P2", 20)).data.decode()
    for part, spoiled, said in BAD_FILES:
        assert part in sound
        source = SourceFile("obligations.csv", sound.replace(part, spoiled).encode())
        with refuses(f"FILE_REFUSED: obligations.csv{said}"):
            world.registry.obligations.take(source)
    assert [] == obligations(world)
    assert 0 == world.registry.store.one("SELECT count(*) FROM obligation_files")


def due_file(world, year, verified, due, account="P1"):
    """A file in which an entity owes another amount than what it emitted."""
    whole = obligation_file(world.registry, year, (account, verified)).data.decode()
    lowered = whole.replace(f"{verified},{verified}", f"{verified},{due}")
    return SourceFile("due.csv", lowered.encode())


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024, 2025])
def test_all_that_was_verified_is_owed(world, year):
    """CEA-SUR-01: relief works through the allocation; a file that lowers it is refused."""
    source = due_file(world, year, 1_000_000, 1)
    said = "FILE_REFUSED: .*all 1000000 t verified, got 1 [(]CEA-SUR-01[)]"
    with refuses(said):
        world.registry.obligations.take(source)
    assert [] == obligations(world)
    world.owe(year, ("P1", 1_000_000))
    for due in (1, 999_999):
        with refuses("FILE_REFUSED: .*CEA-SUR-01"):
            world.registry.obligations.correct(due_file(world, year, 1_000_000, due), "a favour")
    assert [(year, "P1", 1_000_000)] == obligations(world)


@pytest.mark.parametrize("year", [2019, 2020])
def test_the_first_plan_lowered_what_was_owed(world, year):
    """CEA-SUR-01: at most 20% short, and gas units not at all."""
    world.registry.obligations.take(due_file(world, year, 3_500_000, 3_400_000))
    assert [(year, "P1", 3_400_000)] == obligations(world)
    with refuses("FILE_REFUSED: .*at most the 20 verified, got 21"):
        world.registry.obligations.take(due_file(world, year, 20, 21, "P2"))


def test_an_obligation_is_replaced_by_an_explicit_correction_only(world):
    """CEA-SUR-10."""
    world.owe(2024, ("P1", 100))
    with refuses("FILE_REFUSED: obligations[.]csv:2: account: expected no obligation of 2024 yet"):
        world.owe(2024, ("P1", 120), ("P2", 20))
    assert [(2024, "P1", 100)] == obligations(world)
    with refuses("FILE_REFUSED: .*:3: account: expected an obligation of 2024 to correct"):
        world.owe(2024, ("P1", 120), ("P2", 20), why="verified anew")
    with refuses("FILE_REFUSED: obligations[.]csv: expected a correction, got what is known"):
        world.owe(2024, ("P1", 100), why="verified anew")
    assert 2 == world.owe(2024, ("P1", 120), why="verified anew")
    assert [(2024, "P1", 120)] == obligations(world)
    assert [("",), ("verified anew",)] == world.registry.store.execute(
        "SELECT why FROM obligation_files ORDER BY file_id"
    ).fetchall()


def test_a_province_hands_in_its_own_entities_only(world):
    source = obligation_file(world.registry, 2024, ("P1", 100), ("P2", 20))
    with refuses("FILE_REFUSED: obligations[.]csv:3: province: expected 11, whose file it is"):
        world.registry.obligations.take(source, province=BEIJING)
    own = obligation_file(world.registry, 2024, ("P1", 100))
    world.registry.obligations.take(own, province=BEIJING)
    assert [(2024, "P1", 100)] == obligations(world)


def test_a_correction_keeps_what_is_covered_and_what_offsets_it(world):
    """CEA-SUR-10, CEA-OFS-01: nothing that was retired or cancelled can be given back."""
    registry = world.registry
    world.owe(2024, ("P1", 1_000))
    registry.offsets.book(proof("N1", "P1", 50))
    number = registry.surrender.apply("P1", 2024, {"CEA24": 940})
    with refuses("FILE_REFUSED: .*due_tonnes: expected at least 990, covered, applied for"):
        world.owe(2024, ("P1", 989), why="verified anew")
    with refuses("FILE_REFUSED: .*so many that 50 t of CCERs may count, got 999"):
        world.owe(2024, ("P1", 999), why="verified anew")
    registry.surrender.accept(number, BEIJING)
    assert registry.surrender.retire(number) is None
    last = registry.surrender.apply("P1", 2024, {"CEA24": 10})
    registry.surrender.accept(last, BEIJING)
    assert "2024-000001" == registry.surrender.retire(last)
    world.owe(2024, ("P1", 1_005), why="verified anew")
    with refuses("CERTIFICATE_MISSING: P1: expected a certificate of 2024, got none"):
        registry.surrender.certificate("P1", 2024)
    assert 5 == registry.obligations.standing("P1", 2024).due
    world.owe(2024, ("P1", 1_000), why="verified once more")
    assert "2024-000002" == registry.surrender.certificate("P1", 2024).number
