"""What is published of days, weeks, months and years: by the calendar, made again alike."""

import io
import json
from datetime import date
from itertools import count

import numpy as np
import pytest
from openpyxl import load_workbook
from pyarrow import parquet

from cea_exchange.cli.main import run
from cea_exchange.disclosure.periods import Period, period_name, periods_due
from cea_exchange.disclosure.publishing import disclosures, files_of
from cea_exchange.disclosure.record import record_read
from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, EventKind, Phase, Side
from cea_exchange.domain.timetable import day_start, time_to_ns
from cea_exchange.protocol import control
from cea_exchange.venue.durability.sequencer import Sequencer
from support.journal.small_market import PROFILE

pytestmark = pytest.mark.slow

CALENDAR = TradingCalendar.load("cn_carbon")
DAYS = (20241226, 20241227, 20241230, 20241231, 20250102)
ACCOUNTS = ("alice", "bob", "carol", "dave")
PRODUCT = "CEA23"


class Venue:
    """A venue's folder, a day at a time."""

    def __init__(self, data):
        self.data = data
        self.now_ns = 0
        self.ids = count(1)
        self.sequencer = Sequencer.open(data, PROFILE, now_ns=lambda: self.now_ns)
        self.feed_seq = count(1)
        self.feed(control.ProductDeclared(product=PRODUCT, reference_price=9_749))
        for account in ACCOUNTS:
            self.feed(control.AccountDeclared(account=account))
            self.feed(control.TransferIn(account=account, amount=10_000_000_00))
            self.feed(control.TransferIn(account=account, product=PRODUCT, amount=5_000))

    def feed(self, command):
        self.act(control.FeedItem(transfer_seq=next(self.feed_seq), command=command))

    def act(self, message):
        events, (refusal,) = self.sequencer.run_controls([message])
        assert refusal is None, refusal
        return events

    def at(self, day, hour):
        when = date(day // 10_000, day // 100 % 100, day % 100)
        self.now_ns = time_to_ns(day_start(when)) + hour * 3_600 * 10**9

    def begin(self, day):
        self.at(day, 9)
        self.act(control.DayOpen(date=day))
        self.act(control.PhaseSet(phase=Phase.LISTED))
        self.at(day, 10)

    def end(self, day):
        self.at(day, 15)
        self.act(control.DayClose())

    def deal(self, day, seller, buyer, price, tonnes):
        for account, side in ((seller, Side.SELL), (buyer, Side.BUY)):
            row = np.zeros(1, COMMAND_DTYPE)
            row["kind"], row["account_index"], row["side"] = CommandKind.ENTER, account, side
            row["price"], row["tonnes"], row["trading_date"] = price, tonnes, day
            row["client_order_id"] = next(self.ids)
            events = self.sequencer.run_records(row)
        assert EventKind.TRADE in events["kind"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five days in three weeks' parts, two months and two years."""
    venue = Venue(tmp_path_factory.mktemp("venue"))
    for number, day in enumerate(DAYS):
        venue.begin(day)
        if day != DAYS[1]:
            venue.deal(day, 0, 1, 9_700 + 10 * number, 100)
            venue.at(day, 14)
            venue.deal(day, 2, 3, 9_720 + 10 * number, 300)
        if day == DAYS[0]:
            said = {"case": "C1", "by": "an", "second": "bo", "why": "spoofed"}
            venue.act(
                control.MeasureTaken(
                    measure=1, account="bob", step=6, barred=("sales",), **said
                )
            )
            announced = {"about": "risk", "text": "prices moved", "product": PRODUCT}
            venue.act(control.AnnouncementMade(by="an", **announced))
        if day == DAYS[2]:
            venue.act(control.Halt(product=PRODUCT, by="an", why="inside words"))
            venue.act(control.Resume(product=PRODUCT, by="an"))
        venue.end(day)
    venue.act(control.MeasureLifted(measure=1, by="an", second="bo", why="explained"))
    venue.sequencer.close()
    return venue.data


@pytest.fixture(scope="module")
def made(folder):
    found = disclosures(record_read(folder), CALENDAR)
    return {(each.period.kind, each.period.name): each for each in found}


def rows(disclosure, table):
    return disclosure.tables[table]


def test_a_period_is_due_when_its_last_trading_day_is_closed(made):
    """CEA-INF-04: 2 January 2025 is a Thursday; its week, month and year go on."""
    assert {name for kind, name in made if kind == "day"} == {
        *("2024-12-26", "2024-12-27", "2024-12-30", "2024-12-31", "2025-01-02"),
    }
    assert {(kind, name) for kind, name in made if kind != "day"} == {
        ("week", "2024-W52"),
        ("month", "2024-12"),
        ("year", "2024"),
    }
    later = list(periods_due([*DAYS, 20250103], CALENDAR, ("week",)))
    assert later[-1] == Period("week", "2025-W01", (20241230, 20241231, 20250102, 20250103))
    assert period_name("week", date(2024, 12, 30)) == "2025-W01"
    assert list(periods_due([], CALENDAR)) == []


def test_a_months_prices_volume_value_and_mean_are_by_method(made):
    """CEA-INF-05: open of the first day, close of the last, high and low of all between."""
    listed, block, bidding = rows(made["month", "2024-12"], "statistics")
    assert (listed.product, listed.method, listed.days, listed.trades) == (PRODUCT, "listed", 3, 6)
    prices = [str(price) for price in (listed.open, listed.high, listed.low, listed.close)]
    # Day 4 closes at (9730 x 100 + 9750 x 300) / 400.
    assert prices == ["97.00", "97.50", "97.00", "97.45"]
    assert listed.volume == 3 * 400
    value = sum(100 * (9_700 + 10 * n) + 300 * (9_720 + 10 * n) for n in (0, 2, 3))
    assert str(listed.amount) == f"{value // 100}.{value % 100:02}"
    assert str(listed.mean) == "97.32"
    assert str(listed.change) == "-0.04"
    assert (block.volume, block.open, bidding.volume, bidding.mean) == (0, None, 0, None)


def test_k_lines_are_of_half_hours_of_days_and_of_months(made):
    """CEA-INF-05."""
    day = rows(made["day", "2024-12-26"], "lines")
    assert [(line.begins[11:16], str(line.close), line.volume) for line in day] == [
        ("10:00", "97.00", 100),
        ("14:00", "97.20", 300),
    ]
    month = rows(made["month", "2024-12"], "lines")
    assert [line.begins for line in month] == ["2024-12-26", "2024-12-30", "2024-12-31"]
    (year,) = rows(made["year", "2024"], "lines")
    assert (year.begins, year.volume, str(year.high)) == ("2024-12", 1_200, "97.50")


def test_concentration_and_positions_name_nobody(made):
    """CEA-INF-05, CEA-INF-07."""
    buys, sells = rows(made["year", "2024"], "concentration")
    assert (buys.side, buys.traders, buys.largest_per_mille) == ("buy", 2, 750)
    assert (sells.five_largest_per_mille, sells.volume) == (1_000, 1_200)
    (held,) = rows(made["year", "2024"], "positions")
    assert (held.holder, held.accounts, held.tonnes) == ("organisation", 4, 20_000)
    text = dict(files_of(made["day", "2024-12-30"]))["disclosure.json"].decode()
    assert "alice" not in text and "carol" not in text


def test_announcements_and_measures_are_told_as_they_stood_at_the_close(made):
    """CEA-INF-06, CEA-MSR-05: what is lifted later was in force then; no inside word is told."""
    first = made["day", "2024-12-26"]
    (risk,) = rows(first, "announcements")
    assert (risk.about, risk.text) == ("risk", "prices moved")
    third = rows(made["day", "2024-12-30"], "announcements")
    assert [row.about for row in third] == ["suspension", "resumption"]
    assert "inside" not in third[0].text
    assert [row.about for row in rows(made["month", "2024-12"], "announcements")] == [
        *("risk", "suspension", "resumption"),
    ]
    for name in ("2024-12-26", "2025-01-02"):
        (measure,) = rows(made["day", name], "measures")
        assert (measure.account, measure.barred, measure.is_in_force) == ("bob", "sales", "yes")
    counts = {row.figure: row.number for row in rows(made["year", "2024"], "activity")}
    assert (counts["trading days"], counts["halts"], counts["trades"]) == (4, 1, 6)


def test_files_are_made_again_byte_by_byte_and_what_differs_is_told(folder, tmp_path, capsys):
    """CEA-INF-08."""
    out = tmp_path / "out"
    assert run(["disclose", str(folder), "--out", str(out)]) == 0
    month = out / "month" / "2024-12"
    assert len(list(month.iterdir())) == 2 + 3 * 8
    assert run(["verify", str(folder), "--disclosed", str(out)]) == 0
    capsys.readouterr()
    for name, words in (
        ("statistics.xlsx", "its bytes are not what the journal gives"),
        ("lines.parquet", "expected a file, there is none"),
        ("more.csv", "expected no such file"),
    ):
        path = month / name
        before = path.read_bytes() if path.exists() else None
        path.unlink() if name.startswith("lines") else path.write_bytes(b"x")
        assert run(["verify", str(folder), "--disclosed", str(out)]) == 1
        assert f"{path}: {words}" in capsys.readouterr().err
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    (out / "week" / "2024-W01").mkdir()
    assert run(["disclose", str(folder), "--out", str(out), "--check"]) == 1
    assert "expected no such period" in capsys.readouterr().err


def test_every_form_of_a_table_says_the_same(made):
    """CEA-INF-05: and ends in a total."""
    files = dict(files_of(made["month", "2024-12"]))
    csv_lines = files["statistics.csv"].decode().splitlines()
    assert csv_lines[1].startswith("CEA23,listed,3,6,97.00,97.50,97.00,97.45,97.32,-0.04,1200,")
    assert csv_lines[-1].startswith("TOTAL,")
    said = json.loads(files["disclosure.json"])["tables"]["statistics"][0]
    assert (said["mean"], said["volume"]) == ("97.32", 1_200)
    assert "月报" in files["disclosure.txt"].decode()
    sheet = load_workbook(io.BytesIO(files["statistics.xlsx"])).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    table = parquet.read_table(io.BytesIO(files["statistics.parquet"]))
    assert cells[0] == table.column_names == csv_lines[0].split(",")
    assert cells[1][:4] == [PRODUCT, "listed", 3, 6]
    assert [*table.to_pylist()[0].values()] == cells[1]


def test_a_trade_undone_later_stays_in_what_was_published(folder, made, tmp_path):
    """CEA-INF-05."""
    record = record_read(folder)
    tape = record.tape
    (first, *_) = np.flatnonzero(tape.events["kind"] == EventKind.TRADE)
    busted = tape.events[first : first + 1].copy()
    busted["kind"], busted["reason"], busted["trading_date"] = EventKind.TRADE_BUSTED, 0, 0
    busted["seq"] = tape.events["seq"][-1] + 1
    longer = record._replace(
        tape=tape._replace(
            events=np.concatenate((tape.events, busted)),
            time_ns=np.append(tape.time_ns, tape.time_ns[-1]),
        )
    )
    for each in disclosures(longer, CALENDAR):
        key = each.period.kind, each.period.name
        assert dict(files_of(each)) == dict(files_of(made[key])), key
