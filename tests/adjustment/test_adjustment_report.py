"""The report: where triggers stood, what was done, and what no trigger let anybody do."""

import json
from datetime import date, timedelta

import pytest

from cea_exchange.adjustment.days import Day
from cea_exchange.adjustment.report import Done, report_of
from cea_exchange.adjustment.triggers import triggers_read
from cea_exchange.cli.main import run

FIRST = date(2025, 7, 14)
CORRIDOR = {"beijing_corridor": triggers_read()["beijing_corridor"]}


def days_at(*prices: int) -> list[Day]:
    return [
        Day(FIRST + timedelta(days=n), price, price, 10, 10 * price)
        for n, price in enumerate(prices)
    ]


def act(day: date, kind: str, trigger: str = "beijing_corridor") -> Done:
    fields = {"adjustment": 1, "kind": kind, "trigger": trigger}
    return Done(day=day, what="market_adjusted", by="an", second="bo", why="x", fields=fields)


def test_changes_are_told_and_unfounded_acts_are_named() -> None:
    """CEA-ADJ-12: the mean passes 150.00 yuan on the eleventh day."""
    days = days_at(*[15_000] * 10, 15_010, 15_010)
    acts = [act(days[10].date, "sale"), act(days[9].date, "sale"), act(days[11].date, "purchase")]
    found = report_of(CORRIDOR, days, acts, first=days[0].date, last=days[-1].date)
    assert [(each.day, each.stands) for each in found.standings] == [
        (days[10].date, "sale"),
        (days[11].date, "sale"),
    ]
    assert [each.day for each in found.acts] == [day.date for day in days[9:]]
    assert [(each.day, each.fields["kind"]) for each in found.unfounded] == [
        (days[9].date, "sale"),
        (days[11].date, "purchase"),
    ]
    (alone,) = report_of(
        CORRIDOR, days, acts, first=days[9].date, last=days[9].date
    ).standings
    assert alone.stands is None and alone.said == (
        "the mean of 10 days is 150.00; the corridor is 20.00 to 150.00"
    )


def test_a_span_without_a_day_is_refused() -> None:
    """CEA-ADJ-12."""
    with pytest.raises(ValueError, match="expected one from 2026-01-01 to 2026-01-01"):
        report_of(CORRIDOR, days_at(1), [], first=date(2026, 1, 1), last=date(2026, 1, 1))


def test_the_command_line_reports_and_awards(tmp_path, capsys) -> None:
    """CEA-ADJ-05, CEA-ADJ-12."""
    days = tmp_path / "days.csv"
    rows = [f"2025-07-{14 + n},15.00,15.00,10,150.00" for n in range(10)]
    days.write_text("\n".join(["date,last_close,close,tonnes,amount", *rows]) + "\n")
    assert run(["adjustment", "report", str(days), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    stood = {each["trigger"]: each["stands"] for each in shown["standings"]}
    assert stood["beijing_corridor"] == "purchase" and shown["acts"] == []
    assert run(["adjustment", "report", str(days), "--date", "2025-07-20"]) == 0
    assert "no mean of 10 days" in capsys.readouterr().out
    assert run(["adjustment", "triggers"]) == 0
    assert "CEA-ADJ-06" in capsys.readouterr().out
    bids = tmp_path / "bids.csv"
    bids.write_text("account,class,price,tonnes,emissions\nA,kee,16.09,2000,\nA,kee,17.00,999,\n")
    wanted = ["adjustment", "auction", "guangdong_2017_03", str(bids), "--floor", "16.09"]
    assert run(wanted) == 0
    shown = capsys.readouterr().out
    assert "bid 2 of A does not count: tonnes: expected 1000 or more" in shown
    assert "clearing price 16.09" in shown
    assert run(["adjustment", "auctions", "--json"]) == 0
    assert "shenzhen_2024" in json.loads(capsys.readouterr().out)
    assert run(["adjustment", "auction", "nowhere", str(bids)]) == 2
    assert run(["adjustment", "report", str(tmp_path)]) == 2
    capsys.readouterr()
    gone = str(tmp_path / "gone.csv")
    for wanted in (["report", gone], ["auction", "guangdong_2017_03", gone, "--floor", "1.00"]):
        assert run(["adjustment", *wanted]) == 2
        assert f"{gone}: expected " in (said := capsys.readouterr().err)
        assert said.endswith(", No such file or directory\n")
