"""Three schemes planted in a year: found, acted against, and told in what is published."""

import csv
import json

import msgspec
import pytest

from cea_exchange.cli.main import run as cea_exchange
from cea_exchange.disclosure.publishing import WHOLE
from cea_exchange.domain.documents.cases import AlertTaken, Closed, PenaltyComputed
from cea_exchange.venue.cases.case_log import DOCUMENTS, case_files_read, papers_differing
from cea_exchange.venue.operations.act_log import acts_read
from cea_exchange.year.firms import abusers
from cea_exchange.year.outcome.supervision import PUBLISHED, report_part, supervised_of
from cea_exchange.year.run import YearRun
from cea_exchange.year.setting import YearSetting

pytestmark = pytest.mark.slow

YEAR = YearSetting(
    year=2024, entities=14, seed=7, orders=800, days=10, supervised=True, abusers=True
)


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    folder = tmp_path_factory.mktemp("year") / "out"
    run = YearRun(folder, YEAR)
    state = run.run()
    return folder, state, supervised_of(folder, YEAR.mode, state.firms, run.calendar)


@pytest.mark.nightly
def test_three_planted_schemes_are_found_each_under_its_own_pattern(year):
    """CEA-SVL-03, CEA-SVL-05, CEA-SVL-06."""
    _, state, supervised = year
    assert (supervised.planted, supervised.found) == (3, 3)
    assert {row.pattern for row in supervised.cases if row.planted == "yes"} == {
        scheme.pattern for scheme in abusers.schemes(state.firms)
    }


def test_each_has_a_case_a_measure_in_force_and_a_penalty(year):
    """CEA-CAS-01, CEA-CAS-04, CEA-MSR-02, CEA-ABU-01."""
    folder, _, supervised = year
    files = case_files_read(folder / "venue")
    planted = [row for row in supervised.cases if row.planted == "yes"]
    for row in planted:
        file = files[row.case]
        assert isinstance(file[1].body, AlertTaken)
        assert isinstance(file[-2].body, PenaltyComputed)
        assert file[-1].body == Closed(outcome="to_authority")
        assert row.fine_least_fen >= 50_000_000
        assert row.measures
        # It goes on, and the market takes nothing of it any more.
        assert row.refused > 0
        assert not list(papers_differing(folder / "venue", file))
    assert list((folder / "venue" / DOCUMENTS).iterdir())
    acts = {act.what for act in acts_read(folder / "venue")}
    assert {"case_entered", "measure_taken"} <= acts


def test_the_report_has_each_case_with_its_day_and_its_fine(year):
    _, _, supervised = year
    part = "".join(report_part(supervised))
    assert part.count("<tr>") == 1 + len(supervised.cases) and "class=wide" in part
    for row in supervised.cases:
        day = f"{row.opened_on}"
        assert f"<td>{day[:4]}-{day[4:6]}-{day[6:]}</td>" in part
    assert "<td>500,000 to 5,000,000</td>" in part


def test_the_measures_are_in_what_the_exchange_publishes_of_the_year(year):
    """CEA-INF-06, CEA-MSR-05."""
    folder, state, _ = year
    (disclosed,) = (folder / PUBLISHED / "year").glob(f"*/{WHOLE}.json")
    measures = json.loads(disclosed.read_bytes())["tables"]["measures"]
    expected = {firm.account for scheme in abusers.schemes(state.firms) for firm in scheme.firms}
    assert {measure["account"] for measure in measures} == expected
    assert {measure["is_in_force"] for measure in measures} == {"yes"}
    with (folder / "tables" / "cases.csv").open(encoding="utf-8") as file:
        assert {row["planted"] for row in csv.DictReader(file)} >= {"yes"}


def test_the_years_venue_is_verified_and_disclosed_as_any(year, tmp_path, capsys):
    """CEA-INF-08: byte by byte; a byte that is another is named."""
    folder, _, _ = year
    data, out = str(folder / "venue"), folder / PUBLISHED
    assert cea_exchange(["verify", data, "--disclosed", str(out)]) == 0
    path = next((out / "year").glob("*/statistics.csv"))
    before = path.read_bytes()
    path.write_bytes(before.replace(b"1", b"2", 1))
    assert cea_exchange(["disclose", data, "--out", str(out), "--check"]) == 1
    assert f"{path}: its bytes are not what the journal gives" in capsys.readouterr().err
    path.write_bytes(before)


@pytest.mark.nightly
def test_a_supervised_year_that_was_stopped_comes_to_the_same_cases(year, tmp_path):
    _, _, supervised = year
    YearRun(tmp_path / "out", YEAR).run(stop_after=9)
    run = YearRun(tmp_path / "out", YEAR)
    state = run.run()
    again = supervised_of(tmp_path / "out", YEAR.mode, state.firms, run.calendar)
    assert again.cases == supervised.cases


def test_abusers_need_firms_of_no_group():
    setting = msgspec.structs.replace(YEAR, entities=2)
    assert setting.abusers
    with pytest.raises(ValueError, match="expected 5 firms of no group, got 0"):
        abusers.chosen([])
