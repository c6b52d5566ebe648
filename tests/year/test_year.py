"""A small nation's year: all systems agree, and it is the same again, stopped or not."""

import json
import re
import sqlite3
from html import escape

import msgspec
import pytest

from cea_exchange import plots
from cea_exchange.cli.main import run as cea_exchange
from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.plans import plan
from cea_exchange.domain.units import price_parse
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
from cea_exchange.year.checkpoint import FAILED, OtherYear
from cea_exchange.year.firms.firms import Firms
from cea_exchange.year.institutions.market import YearFailed
from cea_exchange.year.outcome.report import report_write
from cea_exchange.year.own_plan import own_plan
from cea_exchange.year.run import LOCK, YearRun
from cea_exchange.year.setting import YearSetting
from support.places import ROOT
from support.year.chinese import chinese_reports
from support.year.recomputed import recomputed
from support.year.small import SMALL, hashes, options, plan_as_later, played
from support.year.tables import table_rows

pytestmark = pytest.mark.slow

PROFILES = ROOT / "src/cea_exchange/domain/profiles"


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A folder with a year, and what came of it."""
    folder = tmp_path_factory.mktemp("year") / "out"
    return folder, played(folder)


def test_every_system_says_the_same_of_the_year(year):
    """CEA-PLK-01, CEA-STL-01, CEA-SUR-03: allocated, traded, settled, surrendered, reconciled."""
    _, outcome = year
    assert {each.name: each.differences for each in outcome.reconciled if not each.agrees} == {}
    assert len(outcome.reconciled) >= 6 and all(each.count for each in outcome.reconciled)
    figures = outcome.figures
    assert figures.entities == SMALL.entities and figures.orders == SMALL.orders
    assert figures.trades > 0 < figures.volume_tonnes
    covered = figures.surrendered_tonnes + figures.offset_tonnes
    assert figures.due_tonnes == covered + figures.short_tonnes
    assert figures.offset_tonnes > 0
    assert figures.entities == figures.complied + figures.fined


def test_every_entity_is_as_the_rules_and_the_input_alone_make_it(year):
    """CEA-PLN-13, CEA-SUR-01: allocation, obligation, balance and surrender, 10 of 10."""
    folder, _ = year
    expected = recomputed(folder, SMALL)
    assert len(expected.allocated) == SMALL.entities
    assert expected.differences() == []


def test_an_entity_with_a_tonne_too_many_is_noticed(year):
    """The recomputation can fail."""
    folder, _ = year
    expected = recomputed(folder, SMALL)
    account = min(expected.allocated)
    expected.allocated[account] += 1
    assert [line for line in expected.differences() if account in line]


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(year, tmp_path):
    folder, _ = year
    played(tmp_path / "again")
    assert hashes(tmp_path / "again") == hashes(folder)
    other = msgspec.structs.replace(SMALL, seed=8)
    played(tmp_path / "other", other)
    assert hashes(tmp_path / "other")["trades.csv"] != hashes(folder)["trades.csv"]


@pytest.mark.nightly
@pytest.mark.parametrize("days", [0, 5, 13, 19])
def test_a_year_that_was_stopped_goes_on_to_the_same_end(year, tmp_path, days):
    folder, _ = year
    YearRun(tmp_path / "out", SMALL).run(stop_after=days)
    played(tmp_path / "out")
    assert hashes(tmp_path / "out") == hashes(folder)


@pytest.mark.parametrize(
    "of", [2021, 2026, *(pytest.param(y, marks=pytest.mark.nightly) for y in (2022, 2023, 2025))]
)
def test_other_years_are_played_by_their_own_plans(tmp_path, of):
    """Until 2023 power alone; what pays for a year is what may (CEA-SUR-03, CEA-SUR-04)."""
    setting = msgspec.structs.replace(SMALL, year=of, entities=5, orders=100, days=7)
    outcome = played(tmp_path / "out", setting)
    assert outcome.agrees
    sectors = {row["sector"] for row in table_rows(tmp_path / "out", "entities")}
    assert (sectors == {"power"}) == (of < 2024)
    assert recomputed(tmp_path / "out", setting).differences() == []


AT_NIGHT = [pytest.param(of, marks=pytest.mark.nightly) for of in (2021, 2022, 2024, 2025, 2026)]


@pytest.mark.parametrize("of", [2023, *AT_NIGHT])
def test_a_whole_year_of_twenty_entities_is_completed_and_reconciled(tmp_path, of):
    """CEA-CAL-02: 2023 is traded from before the voluntary market's first day on."""
    outcome = played(tmp_path / "out", YearSetting(year=of, entities=20, seed=1, orders=6_000))
    assert outcome.agrees
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert not files & {LOCK, FAILED}


class Broken(Firms):
    """Firms that fail once a quarter of the year is over."""

    def blocks(self, day, firms):
        if day.days_left < 3 * day.days // 4:
            raise YearFailed("the firms have failed")
        return super().blocks(day, firms)


def test_a_failed_year_gives_its_folder_to_a_year_of_any_setting(tmp_path, year):
    folder = tmp_path / "out"
    broken = msgspec.structs.replace(SMALL, seed=6, firms=f"{__name__}:Broken")
    for _attempt in range(2):
        with pytest.raises(YearFailed, match="the firms have failed"):
            YearRun(folder, broken).run()
        assert (folder / FAILED).read_bytes() == b"YearFailed: the firms have failed\n"
    assert played(folder).agrees
    assert hashes(folder) == hashes(year[0])
    assert not (folder / FAILED).exists()


def test_a_year_killed_as_it_keeps_its_setting_begins_anew(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "year.json.new").write_text('{"year": 20', encoding="utf-8")
    assert YearRun(folder, SMALL).run(stop_after=2).days_done == 2


def test_closes_steer_the_prices(year, tmp_path):
    """Each day's close is near the file's, as far as the day's band lets it."""
    _, unsteered = year
    days = YearRun(tmp_path / "days", SMALL).days.trading_days
    aims = {date_number(day): 9_749 - 100 * place for place, day in enumerate(days)}
    steered = msgspec.structs.replace(SMALL, closes=aims)
    outcome = played(tmp_path / "out", steered)
    traded = [
        row
        for row in table_rows(tmp_path / "out", "bulletins")
        if row["subjCode"].startswith("CEA") and int(row["listedTradeVolume"])
    ]
    assert len(traded) > 10
    for row in traded:
        before = price_parse(row["lastClosPric"])
        aim = aims[int(row["quotPoin"].replace("-", ""))]
        reached = min(max(aim, before * 9 // 10), before * 11 // 10)
        assert abs(price_parse(row["closPric"]) - reached) * 100 <= 4 * reached
    assert outcome.figures.close_fen < 9_000 < unsteered.figures.close_fen
    assert {each.origin for each in outcome.beside if each.figure == "close_fen"} == {"input"}


def test_a_plan_of_ones_own_allocates_and_is_forgotten_after_the_trial(year, tmp_path):
    """Industries, as emitted in 2024, are compared as a later plan does (CEA-PLN-17)."""
    packaged, setting = plan(2024), msgspec.structs.replace(SMALL, plan=plan_as_later(), days=10)
    assert played(tmp_path / "out", setting).agrees
    assert plan(2024) == packaged
    with own_plan(setting):
        assert recomputed(tmp_path / "out", setting).differences() == []
    cement = [row for row in table_rows(tmp_path / "out", "allocations") if row["enterprise"] > "C"]
    assert any(row["tonnes"] != row["due_tonnes"] for row in cement if row["enterprise"] < "D")


def test_a_market_of_ones_own_rules_is_traded_by_them(tmp_path):
    """CEA-LST-01, CEA-LST-02: a narrower band, and blocks of fewer tonnes."""
    text = (PROFILES / "cea.toml").read_text(encoding="utf-8")
    own = text.replace("listed_band_bp = {value = 1000,", "listed_band_bp = {value = 150,")
    own = own.replace("block_tonnes_min = {value = 100_000,", "block_tonnes_min = {value = 2_000,")
    assert own.count("value = 150,") == own.count("value = 2_000,") == 1
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")
    setting = msgspec.structs.replace(SMALL, profile=str(tmp_path / "own.toml"), orders=800)
    outcome = played(tmp_path / "out", setting)
    assert outcome.agrees
    before = {
        (row["subjCode"], row["quotPoin"].replace("-", "")): price_parse(row["lastClosPric"])
        for row in table_rows(tmp_path / "out", "bulletins")
    }
    by_method = {"listed": [], "block": []}
    for row in table_rows(tmp_path / "out", "trades"):
        if row["method"] in by_method:
            by_method[row["method"]].append(row)
    assert by_method["listed"] and by_method["block"]
    assert max(int(row["tonnes"]) for row in by_method["listed"]) < 2_000
    assert 2_000 <= min(int(row["tonnes"]) for row in by_method["block"]) < 100_000
    for row in by_method["listed"]:
        close = before[row["product"], row["trading_date"]]
        assert 10_000 * abs(int(row["price_fen"]) - close) <= 150 * close + 5_000


def test_a_bank_that_is_instructed_of_each_trade_says_what_the_ledger_says(year, tmp_path):
    """CEA-BNK-13: and nobody trades otherwise for its sake."""
    folder, _ = year
    outcome = played(tmp_path / "out", msgspec.structs.replace(SMALL, has_bank=True))
    (cash,) = [each for each in outcome.reconciled if each.name.startswith("cash: ")]
    assert cash.agrees and cash.count == SMALL.entities and outcome.agrees
    assert hashes(tmp_path / "out")["trades.csv"] == hashes(folder)["trades.csv"]


def test_a_folder_of_another_year_is_refused(year):
    folder, _ = year
    with pytest.raises(OtherYear, match="seed 5"):
        YearRun(folder, msgspec.structs.replace(SMALL, seed=9))


def test_the_report_needs_nothing_from_outside_and_is_the_same_again(year):
    pytest.importorskip("matplotlib")
    folder, outcome = year
    state = YearRun(folder, SMALL).run()
    text = report_write(folder, SMALL, state, outcome).read_text(encoding="utf-8")
    assert text.count("<svg") == text.count("</svg>") == 5
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!["'#])""", text)
    for each in outcome.reconciled:
        assert escape(each.name) in text
    for words in ("the model&#x27;s is", "188,646,053 t", "97.49 yuan/t", "Surrender toward"):
        assert words in text, words
    assert report_write(folder, SMALL, state, outcome).read_text(encoding="utf-8") == text


def test_the_report_is_chinese_where_that_is_spoken_and_lacks_no_text(year):
    folder, outcome = year
    state = YearRun(folder, SMALL).run()
    english = report_write(folder, SMALL, state, outcome).read_text(encoding="utf-8")
    with chinese_reports():
        text = report_write(folder, SMALL, state, outcome).read_text(encoding="utf-8")
    assert "<html lang=zh>" in text and "<h2>模型与公布数据对照</h2>" in text
    assert "<td>应清缴量</td>" in text and "188,646,053 吨" in text and "97.49 元/吨" in text
    plain = re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", plain)
    assert report_write(folder, SMALL, state, outcome).read_text(encoding="utf-8") == english


def test_a_year_shows_itself_in_lines_tables_and_a_plot(year):
    pytest.importorskip("matplotlib")
    folder, outcome = year
    state = YearRun(folder, SMALL).run()
    assert repr(outcome).endswith("all systems agree>") and len(repr(state)) < 200
    assert f"{outcome.figures.due_tonnes:,} t" in outcome._repr_html_()
    assert escape(outcome.reconciled[0].name) in outcome._repr_html_()
    last = state.bulletins[-1]
    assert f"{last.trading_date}</td>" in state._repr_html_()
    prices, volumes, *_ = plots.year(folder).axes
    closes = [bulletin.composite.close / 100 for bulletin in state.bulletins]
    assert list(prices.lines[0].get_ydata()) == closes
    drawn = sum(bar.get_height() for bars in volumes.containers for bar in bars)
    traded = sum(bulletin.composite.day.total.volume for bulletin in state.bulletins)
    assert drawn == pytest.approx(traded / 1e6)


def test_the_command_says_what_came_of_it_and_goes_on_where_it_was(year, tmp_path, capsys):
    folder, outcome = year
    command = ["year", *options(SMALL), "--out", str(tmp_path / "out")]
    YearRun(tmp_path / "out", SMALL).run(stop_after=11)
    assert cea_exchange(command) == 0
    printed = capsys.readouterr().out
    assert f"{outcome.figures.due_tonnes:,} t" in printed and "model's own" in printed
    assert hashes(tmp_path / "out") == hashes(folder)
    assert cea_exchange([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["trades"] == outcome.figures.trades
    assert cea_exchange([*command, "--days", "9"]) == 2
    assert "the setting that the folder's year has, got days 20 there" in capsys.readouterr().err


def test_the_ledger_opens_to_the_registrys_own_commands(year, capsys):
    folder, _ = year
    assert cea_exchange(["registry", "reconcile", "--data", str(folder)]) == 0
    assert "venue hash = registry hash" in capsys.readouterr().out
    assert cea_exchange(["registry", "verify", "--data", str(folder)]) == 0


def test_firms_of_ones_own_decide_who_trades(tmp_path, monkeypatch):
    """The example's firms trade nothing but what they lack, at any price."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    setting = msgspec.structs.replace(SMALL, firms="frugal_firms:FrugalFirms")
    outcome = played(tmp_path / "out", setting)
    assert outcome.agrees
    sellers = {row["seller"] for row in table_rows(tmp_path / "out", "trades")}
    buyers = {row["buyer"] for row in table_rows(tmp_path / "out", "trades")}
    assert sellers and buyers and not sellers & buyers


def test_a_year_that_another_process_plays_is_left_alone(year):
    folder, _ = year
    with FolderLock(folder / LOCK), pytest.raises(FolderInUse, match="in use by process"):
        YearRun(folder, SMALL).run()


def test_a_folder_whose_database_is_another_programs_is_refused_in_words(tmp_path, capsys):
    """As one that an earlier version has begun."""
    from cea_exchange.cli.main import run as cea_exchange

    YearRun(tmp_path / "out", SMALL).run(stop_after=2)
    (kept,) = (tmp_path / "out").glob(".checkpoint/platform/*.sqlite")
    with sqlite3.connect(kept) as connection:
        connection.execute("DROP TABLE firm_tie_ends")
    assert cea_exchange(["year", *options(SMALL), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("cea-exchange: ") and "firm_tie_ends" in said


@pytest.mark.parametrize("firms", ["no.such:Firms", "os:nothing", "os:path", "math:sqrt"])
def test_what_names_no_firms_is_refused(tmp_path, firms):
    setting = msgspec.structs.replace(SMALL, firms=firms)
    with pytest.raises(ValueError, match=f"expected MODULE:CLASS.*, got '{firms}'"):
        YearRun(tmp_path / "out", setting)
    assert not (tmp_path / "out").exists()
