"""A command never writes over a file that it reads: it says so before it opens one."""

import pytest

from cea_exchange.cli.main import run

ORDERS = "action,order_id,side,price,tonnes\nenter,1,buy,97.50,100\nenter,2,sell,97.49,40\n"
SCRIPT = '{"cmd":"open_day","date":"2025-07-16"}\n'
TRADES = "price,tonnes\n97.50,40\n"
REPLAY = ("replay", "orders.csv", "--tick", "0.01")


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ((*REPLAY, "--events", "orders.csv"), "orders.csv"),
        ((*REPLAY, "--events", "link.csv"), "orders.csv"),
        ((*REPLAY, "--events", "other.csv"), "orders.csv"),
        ((*REPLAY, "--expect", "trades.csv", "--events", "./trades.csv"), "trades.csv"),
        (("run", "script.jsonl", "--statements", "script.jsonl"), "script.jsonl"),
        (("run", "script.jsonl", "--statements", "cea.toml", "--profile", "cea.toml"), "cea.toml"),
        (("convert-flow", "mbo", "orders.csv", "--orders", "orders.csv"), "orders.csv"),
        (("convert-flow", "mbo", "orders.csv", "--orders", "a", "--trades", "a"), "orders.csv"),
        (("replay-days", "days.csv", "--out", "."), "days.csv"),
        (("bulletin", "none", "--opening", "day.json", "--out", "day.json"), "day.json"),
    ],
)
def test_no_command_writes_over_what_it_reads(arguments, kept, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name in ("orders.csv", "trades.csv", "script.jsonl", "cea.toml", "days.csv", "day.json"):
        content = {"orders.csv": ORDERS, "script.jsonl": SCRIPT}.get(name, TRADES)
        (tmp_path / name).write_text(content)
    (tmp_path / "link.csv").symlink_to("orders.csv")
    (tmp_path / "other.csv").hardlink_to(tmp_path / "orders.csv")
    before = (tmp_path / kept).read_bytes()
    assert run(list(arguments)) == 2
    output, error = capfd.readouterr()
    assert (output, error.count("\n")) == ("", 1)
    assert "expected files that differ, got one twice" in error
    assert (tmp_path / kept).read_bytes() == before
