"""`verify` makes each bulletin anew; a venue's start writes what is missing."""

import pytest
from msgspec.structs import replace

from cea_exchange.cli.main import run
from cea_exchange.domain.documents.bulletin_forms import bulletin_json
from cea_exchange.domain.records import Side
from cea_exchange.journal import JournalError
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.market import state_machine
from cea_exchange.venue.publication.bulletins import (
    bulletin_read,
    bulletin_write,
    bulletins_of_folder,
    written_dates,
)
from support.journal.small_market import day_begin, orders, sequencer_open
from support.venue.venue_world import world_open

DAYS = (20241231, 20250102)


@pytest.fixture
def data(tmp_path):
    """A folder of two closed days with their bulletins."""
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    sequencer.run_records(orders((0, 1, Side.SELL, 9745, 100), (1, 1, Side.BUY, 9745, 70)))
    for act in (control.DayClose(), control.DayOpen(date=DAYS[1]), control.DayClose()):
        sequencer.run_controls([act])
    sequencer.close()
    for bulletin in bulletins_of_folder(tmp_path):
        bulletin_write(tmp_path / "bulletins", bulletin)
    return tmp_path


def verify(data, **options):
    return verify_data(data, core_class=ReferenceMarket, **options)


def test_a_sound_folder_has_all_its_bulletins(data):
    result = verify(data)
    assert (result.bulletins, result.missing) == (2, ())


@pytest.mark.parametrize("suffix", ["txt", "csv", "json"])
@pytest.mark.parametrize("day", ["2024-12-31", "2025-01-02"])
def test_a_changed_bulletin_is_named(data, day, suffix):
    path = data / "bulletins" / f"{day}.{suffix}"
    path.write_bytes(path.read_bytes().replace(b"70", b"71").replace(b"97.45", b"97.46"))
    with pytest.raises(JournalError, match=f"{day}.{suffix}"):
        verify(data)


def test_a_changed_figure_is_named_though_all_three_files_agree(data):
    path = data / "bulletins" / "2024-12-31.json"
    read = bulletin_read(path)
    bulletin_write(path.parent, replace(read, composite=replace(read.composite, close=9800)))
    with pytest.raises(JournalError, match="not the one that the events give"):
        verify(data)


@pytest.mark.parametrize("suffix", ["txt", "csv", "json"])
def test_a_missing_bulletin_is_listed(data, suffix):
    (data / "bulletins" / f"2024-12-31.{suffix}").unlink()
    result = verify(data)
    assert (result.bulletins, result.missing) == (1, (f"bulletins/2024-12-31.{suffix}",))


@pytest.mark.parametrize("day", ["2024-12-30", "2025-01-03", "2024-99-99"])
def test_a_bulletin_of_a_day_that_never_closed_is_named(data, day):
    (data / "bulletins" / f"{day}.json").write_text("{}")
    with pytest.raises(JournalError, match=f"no such day.*{day}"):
        verify(data)


def test_the_command_names_each_missing_file(data, monkeypatch, capsys):
    monkeypatch.setattr(state_machine, "compiled_market", lambda: ReferenceMarket)
    (data / "bulletins" / "2024-12-31.txt").unlink()
    assert run(["verify", str(data)]) == 0
    assert "bulletins/2024-12-31.txt: the venue's next start makes it" in capsys.readouterr().out


def test_opening_figures_are_given_or_kept(data):
    opening = data / "given.json"
    first = bulletin_read(data / "bulletins" / "2024-12-31.json")
    opening.write_bytes(bulletin_json(replace(first, trading_date=20241230)))
    for bulletin in bulletins_of_folder(data, opening=opening):
        bulletin_write(data / "bulletins", bulletin)
    with pytest.raises(JournalError, match="bulletins/2024-12-31"):
        verify(data)
    assert verify(data, opening=opening).bulletins == 2
    opening.rename(data / "bulletins" / "opening.json")
    assert verify(data).bulletins == 2


@pytest.mark.e2e
def test_a_start_writes_a_missing_bulletin_of_the_middle_with_its_opening_figures(tmp_path):
    opening, data = tmp_path / "opening.json", tmp_path / "data"
    opening.write_text(
        '{"quotPoin": "2024-12-30", "market": "cea", "composite": {"subjCode": "COMCEA",'
        ' "closPric": "97.00", "methods": [{"methodCode": 20, "yearVolume": 5, "totalVolume": 7}]}}'
    )
    settings = {"wait_for_confirmation": False, "bulletin_opening": str(opening)}
    folder = data / "bulletins"
    with world_open(data, **settings) as world:
        world.listed()
        for at in ("2024-12-31T15:00", "2025-01-02T09:30", "2025-01-02T15:00"):
            world.admin(op="clock", at=f"{at}:00+08:00")
        world.until(lambda: written_dates(folder) == list(DAYS), timeout_s=30.0)
        world.stop()
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        (folder / "2024-12-31.csv").unlink()
        opening.unlink()
        published = []
        world.start()
        world.venue.venue._bulletins._publish = published.append
        world.until((folder / "2024-12-31.csv").exists, timeout_s=30.0)
        world.stop()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert published == []
    assert verify_data(data).bulletins == 2
