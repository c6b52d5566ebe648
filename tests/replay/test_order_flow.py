"""Order files through a book: every event is the plain book's, and bad lines are named."""

import csv
import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from cea_exchange.cli.flows import flow_files, replay_orders
from cea_exchange.cli.main import run
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, EventKind
from cea_exchange.matching.flow._flow_text import COMMAND_COLUMNS, CommandReader
from cea_exchange.matching.flow.order_flow import EVENT_COLUMNS, Tick, tick_of
from support.book.plain_book import EVENT_ROW, PlainBook, Row

HEADER = "action,order_id,side,price,tonnes,owner,tif,post_only,pick_order_id"
ACTIONS = {1: "enter", 2: "cancel", 3: "amend"}
SIDES = {0: "", 1: "buy", 2: "sell"}
TIFS = {0: "day", 1: "ioc", 2: "fok"}


def flow(seed: int, count: int) -> list[Row]:
    """Commands near one price; ids up to 64 bits, some unknown, some used twice."""
    draw = random.Random(seed)
    ids: list[int] = [1]
    rows = []
    for _ in range(count):
        if draw.random() < 0.6:
            new = draw.choice((draw.randrange(1, 1_000), draw.randrange(1 << 64)))
            ids.append(new)
            pick = draw.choice(ids[-5:]) if draw.random() < 0.1 else 0
            rows.append(
                Row(
                    1,
                    side=draw.randrange(1, 3),
                    tif=draw.choice((0, 0, 0, 1, 2)),
                    flags=draw.random() < 0.1,
                    account_index=draw.randrange(4),
                    order_id=new,
                    pick_order_id=pick,
                    price=1_000 + draw.randrange(-20, 20),
                    tonnes=draw.choice((1, 5, 100, 0, -3, 1 << 60)),
                )
            )
        elif draw.random() < 0.5:
            rows.append(Row(2, order_id=draw.choice(ids)))
        else:
            price, tonnes = 1_000 + draw.randrange(-20, 20), draw.randrange(1, 60)
            rows.append(Row(3, order_id=draw.choice(ids), price=price, tonnes=tonnes))
    return rows


def line_of(row: Row, tick: Tick) -> str:
    """A command as a line; what the action does not need is left out."""
    if row.kind == 2:
        return f"cancel,{row.order_id},,,,,,,"
    terms = f"{SIDES[row.side]},{tick.text(row.price)},{row.tonnes}"
    if row.kind == 3:
        return f"amend,{row.order_id},{terms},,,,"
    more = f"{row.account_index or ''},{TIFS[row.tif]},{int(row.flags)},{row.pick_order_id or ''}"
    return f"{ACTIONS[row.kind]},{row.order_id},{terms},{more}"


def write(path: Path, rows: list[Row], tick: Tick = Tick()) -> Path:
    """The file of a flow."""
    path.write_text("\n".join([HEADER, *(line_of(row, tick) for row in rows)]) + "\n")
    return path


def replay(path: Path, capfd: pytest.CaptureFixture, *more: str) -> tuple[int, dict, str]:
    """Exit status, report, error."""
    status = run(["replay", str(path), "--json", *more])
    output, errors = capfd.readouterr()
    return status, json.loads(output) if output else {}, errors


def judged(rows: list[Row], **settings: object) -> tuple[PlainBook, list[tuple[int, ...]]]:
    """The plain book after the flow, and its events."""
    prices = [row.price for row in rows if row.kind != 2]
    book = PlainBook(
        min(prices),
        max(prices),
        order_count_max=sum(row.kind == 1 for row in rows),
        **settings,
    )
    events: list[tuple[int, ...]] = []
    for row in rows:
        events += book.apply(row) or []
    return book, events


@pytest.mark.parametrize("policy", ["allow", "reject", "cancel_resting", "cancel_both"])
@pytest.mark.parametrize("levels", [None, 2])
def test_every_event_is_the_plain_books(
    policy: str, levels: int | None, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    rows = flow(5, 1_500)
    book, events = judged(rows, self_trade=policy, levels_max=levels)
    options = ["--self-trade", policy, "--events", str(tmp_path / "events.npy")]
    options += [] if levels is None else ["--levels", str(levels)]
    status, report, errors = replay(write(tmp_path / "flow.csv", rows), capfd, *options)
    assert (status, errors) == (0, "")
    written = np.load(tmp_path / "events.npy")
    assert written.dtype == EVENT_DTYPE
    assert [EVENT_ROW.unpack(row.tobytes()) for row in written] == events
    assert report["state_hash"] == f"{book.state_hash():016x}"
    assert (report["messages"], report["orders_resting"]) == (1_500, len(book))
    kinds = [event[0] for event in events]
    for name, count in report["events"].items():
        assert kinds.count(EventKind[name.upper()]) == count
    assert sum(report["events"].values()) == len(events)
    assert report["trades"] == report["events"]["trade"] > 50
    assert sum(report["refused"].values()) == report["events"]["order_rejected"] > 50
    # Of an event: its kind first, tonnes in the thirteenth place.
    traded = written["tonnes"][written["kind"] == EventKind.TRADE].tolist()
    assert report["volume"] == sum(traded) > 1 << 60
    bids, asks = book.depth()
    shown = [[[str(price), *more] for price, *more in side[:5]] for side in (bids, asks)]
    assert [report["bids"], report["asks"]] == shown


@pytest.mark.parametrize("text", ["0.01", "0.05", "5", "0.000000001"])
def test_decimal_prices_are_exact(text: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    rows, tick = flow(6, 300), tick_of(text)
    expected = replay(write(tmp_path / "ticks.csv", rows), capfd)[1]
    path = write(tmp_path / "decimals.csv", rows, tick)
    status, report, errors = replay(path, capfd, "--tick", text)
    assert (status, errors) == (0, "")
    assert report["state_hash"] == expected["state_hash"]
    reported = [[tick.text(int(price)), *more] for price, *more in expected["bids"]]
    assert report["bids"] == reported


def test_events_as_text(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(
        "tonnes,price,action,side,order_id,owner,tif\n"
        "100,97.5,enter,buy,1,7,\n40,97.49,enter,sell,2,8,day\n,,cancel,,3,,\n"
        "10,97.60,enter,sell,4,8,ioc\n"
    )
    events = tmp_path / "events.csv"
    assert run(["replay", str(path), "--tick", "0.01", "--events", str(events)]) == 0
    assert "97.50" in capfd.readouterr().out
    assert events.read_text().splitlines() == [
        ",".join(EVENT_COLUMNS),
        "1,order_accepted,,buy,1,7,,,97.50,100,100",
        "2,order_rested,,buy,1,7,,,97.50,100,100",
        "3,order_accepted,,sell,2,8,,,97.49,40,40",
        "4,trade,,sell,2,8,1,7,97.50,40,0",
        "5,order_rejected,ORDER_UNKNOWN,,3,0,,,0.00,0,0",
        "6,order_accepted,,sell,4,8,,,97.60,10,10",
        "7,order_canceled,IOC,sell,4,8,,,97.60,10,0",
    ]


def test_both_forms_of_events_say_the_same(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = write(tmp_path / "flow.csv", flow(8, 400))
    for name in ("events.csv", "events.npy"):
        assert replay(path, capfd, "--events", str(tmp_path / name))[0] == 0
    records = np.load(tmp_path / "events.npy")
    with (tmp_path / "events.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(records) == len(lines) > 400
    for name in ("seq", "order_id", "price", "tonnes", "tonnes_open"):
        assert [int(line[name]) for line in lines] == records[name].tolist()


@pytest.mark.parametrize("part_rows", [1, 3, 100])
def test_a_file_in_many_parts_gives_the_same(
    part_rows: int, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks end within lines; a command's events may be more than there is room for."""
    path = write(tmp_path / "flow.csv", flow(9, 500))
    expected = replay(path, capfd, "--events", str(tmp_path / "whole.npy"))
    packed = tmp_path / "flow.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(replay_orders, "PART_ROWS", part_rows)
    monkeypatch.setattr(replay_orders, "EVENT_ROWS", 1)
    monkeypatch.setattr(flow_files, "BLOCK_BYTES", 10 + part_rows)
    status, report, errors = replay(packed, capfd, "--events", str(tmp_path / "parts.npy"))
    assert (status, errors) == (0, "")
    rates = {name: report[name] for name in report if "per_second" in name}
    assert report == expected[1] | rates
    assert (tmp_path / "parts.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_zeros_behind_the_last_decimal_say_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(f"{HEADER}\nenter,1,buy,97.500000000,5,,,,\nenter,2,sell,98,5,,,,\n")
    status, report, errors = replay(path, capfd, "--tick", "0.01", "--price-min", "97.0000")
    assert (status, errors) == (0, "")
    assert (report["bids"], report["asks"]) == ([["97.50", 5, 1]], [["98.00", 5, 1]])
    path.write_text(f"{HEADER}\nenter,1,buy,97.000,5,,,,\n")
    assert replay(path, capfd)[1]["bids"] == [["97", 5, 1]]
    path.write_text(f"{HEADER}\nenter,1,buy,97.501,5,,,,\n")
    reported = "expected a price of at most 2 decimals in column 4, got '97.501'"
    assert reported in replay(path, capfd, "--tick", "0.01")[2]


def test_a_partial_cancel_keeps_the_orders_place(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """All of it takes the order off; more than there is, and unknown orders, are refused."""
    path, events = tmp_path / "flow.csv", tmp_path / "events.csv"
    path.write_text(
        f"{HEADER}\nenter,1,buy,100,5,,,,\nenter,2,buy,100,5,,,,\nreduce,1,,,2,,,,\n"
        "enter,3,sell,100,4,,,,\nreduce,2,,,4,,,,\nreduce,2,,,4,,,,\nreduce,9,,,4,,,,\n"
        "enter,5,buy,90,7,,,,\nreduce,5,,,8,,,,\ncancel,5,,,3,,,,\n"
    )
    status, report, errors = replay(path, capfd, "--events", str(events))
    assert (status, errors, report["messages"]) == (0, "", 10)
    lines = [line.split(",", 1)[1] for line in events.read_text().splitlines()[1:]]
    assert lines[4:] == [
        "order_amended,,buy,1,0,,,100,3,3",
        "order_accepted,,sell,3,0,,,100,4,4",
        "trade,,sell,3,0,1,0,100,3,1",
        "trade,,sell,3,0,2,0,100,1,0",
        "order_canceled,REQUESTED,buy,2,0,,,100,4,0",
        "order_rejected,ORDER_UNKNOWN,,2,0,,,0,4,0",
        "order_rejected,ORDER_UNKNOWN,,9,0,,,0,4,0",
        "order_accepted,,buy,5,0,,,90,7,7",
        "order_rested,,buy,5,0,,,90,7,7",
        "order_rejected,TONNES_NOT_POSITIVE,buy,5,0,,,90,-1,0",
        "order_canceled,REQUESTED,buy,5,0,,,90,7,0",
    ]


@pytest.mark.parametrize("part_rows", [1, 2, 100])
def test_other_columns_are_kept_through_to_the_events(
    part_rows: int, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every event has those of the command that it is of; a name that events have is told apart."""
    monkeypatch.setattr(replay_orders, "PART_ROWS", part_rows)
    path, events = tmp_path / "flow.csv", tmp_path / "events.csv"
    path.write_text(
        "time,action,order_id,side,price,tonnes,seq\n"
        "09:30, enter,1,buy,100,5, 71\n09:31,reduce,1,,,1,72\r\n09:32,enter,2,sell,100,9,73\n"
    )
    status, _, errors = replay(path, capfd, "--events", str(events))
    assert (status, errors) == (0, "")
    header, *lines = events.read_text().splitlines()
    assert header == ",".join([*EVENT_COLUMNS, "time", "command_seq"])
    assert [line.split(",")[1] + "," + ",".join(line.split(",")[11:]) for line in lines] == [
        "order_accepted,09:30,71",
        "order_rested,09:30,71",
        "order_amended,09:31,72",
        "order_accepted,09:32,73",
        "trade,09:32,73",
        "order_rested,09:32,73",
    ]


GOOD = "enter,1,buy,100,5,,,,"
BAD_LINES = {
    "buy,1,buy,100,5,,,,": "expected enter, cancel, reduce or amend in column 1, got 'buy'",
    "enter,1,bid,100,5,,,,": "expected buy or sell in column 3, got 'bid'",
    "enter,-1,buy,100,5,,,,": "expected a whole number, not negative in column 2, got '-1'",
    "enter,18446744073709551616,buy,100,5,,,,": "a number within 64 bits (an owner: 32)",
    "enter,1,buy,9223372036854775808,5,,,,": "a number within 64 bits",
    "enter,1,buy,100,9223372036854775808,,,,": "a number within 64 bits",
    "enter,1,buy,100,5,4294967296,,,": "a number within 64 bits (an owner: 32) in column 6",
    "reduce,1,,,,,,,": "expected a value of tonnes in this line, got nothing",
    "reduce,1,,,0,,,,": "expected a whole number above 0 in column 5, got '0'",
    "reduce,1,,,-3,,,,": "expected a whole number above 0 in column 5, got '-3'",
    "enter,1,buy,100.,5,,,,": "expected a price in whole ticks in column 4, got '100.'",
    "enter,1,buy,100.5,5,,,,": "expected a price in whole ticks in column 4, got '100.5'",
    "enter,1,buy,one,5,,,,": "expected a price in whole ticks in column 4, got 'one'",
    "enter,1,buy,100,5.0,,,,": "expected a whole number in column 5, got '5.0'",
    "enter,1,buy,100,5,,gtc,,": "expected day, ioc or fok in column 7, got 'gtc'",
    "enter,1,buy,100,5,,,yes,": "expected 0 or 1 in column 8, got 'yes'",
    "enter,1,,100,5,,,,": "expected a value of side in this line, got nothing",
    "enter,1,buy,,5,,,,": "expected a value of price in this line, got nothing",
    "amend,1,,100,,,,,": "expected a value of tonnes in this line, got nothing",
    "cancel,,,,,,,,": "expected a value of order_id in this line, got nothing",
    ",1,buy,100,5,,,,": "expected a value of action in this line, got nothing",
    "enter,1,buy,100,5": "expected 9 columns, got 5",
    "enter,1,buy,100,5,,,,,": "expected 9 columns, got 10",
    "": "expected 9 columns, got an empty line",
    "\x00\x01\x02": "expected enter, cancel, reduce or amend in column 1, got '\\x00\\x01\\x02'",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_bad_line_is_named(line: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Exit status 2, one line; nothing was written."""
    path = tmp_path / "flow.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n{line}\n{GOOD}\n")
    status, report, errors = replay(path, capfd, "--events", str(tmp_path / "events.csv"))
    assert (status, report, errors.count("\n")) == (2, {}, 1)
    assert f"{path}:3: " in errors
    assert BAD_LINES[line] in errors
    assert not (tmp_path / "events.csv").exists()


BAD_HEADERS = {
    "action,order_id,side,price": "expected a column tonnes, there is none",
    "action,order_id,side,price,tonnes,Post-Only": "expected post_only, got 'Post-Only'",
    "action,order_id,side,price,tonnes,": "expected a name for each column, got ''",
    "action,order_id,side,price,tonnes,note,note": "expected each column once, got note twice",
    "action,order_id,side,price,tonnes,side": "expected each column once, got side twice",
}


@pytest.mark.parametrize("header", BAD_HEADERS)
def test_a_bad_header_is_named(header: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(header + "\n")
    status, _, errors = replay(path, capfd)
    assert status == 2
    assert f"{path}:1: " in errors and BAD_HEADERS[header] in errors


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        (["--tick", "0"], "--tick: expected a tick such as 0.01"),
        (["--tick", "1e-2"], "--tick: expected a tick such as 0.01"),
        (["--tick", "3"], "expected a multiple of the tick in column 4, got '100'"),
        (["--self-trade", "never"], "--self-trade: expected one of allow, reject"),
        (["--levels", "-1"], "--levels: expected within 0..2^32-1, got -1"),
        (["--profile", "open"], "--profile: expected none"),
        (["book.csv"], "BOOK: expected none"),
        (["--price-min", "5", "--price-max", "4"], "--price-max: expected 5 or more, got 4"),
        (["--price-min", "1.5"], "--price-min: expected a price of at most 0 decimals"),
        (["--price-max", "99999999999999"], "expected prices within 68719476736 ticks"),
        (["--events", "no/such/folder/events.csv"], "expected a file to write"),
    ],
)
def test_bad_options_are_named(
    options: list[str], reported: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    status, report, errors = replay(path, capfd, *options)
    assert (status, report, errors.count("\n")) == (2, {}, 1)
    assert reported in errors


def test_a_narrower_range_refuses_what_lies_outside(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    path = tmp_path / "flow.csv"
    far = "enter,2,sell,9000000000000000000,5,,,,"
    path.write_text(f"{HEADER}\n{GOOD}\n{far}\n")
    assert "--price-max narrow them" in replay(path, capfd)[2]
    status, report, _ = replay(path, capfd, "--price-min", "1", "--price-max", "200")
    assert (status, report["refused"]) == (0, {"PRICE_OUT_OF_BAND": 1})


def test_an_order_file_without_orders(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(HEADER + "\n\n")
    status, report, _ = replay(path, capfd)
    assert (status, report["messages"], report["bids"]) == (0, 0, [])


def test_numbers_at_the_edges_of_their_bits() -> None:
    reader = CommandReader(COMMAND_COLUMNS)
    commands = np.zeros(2, COMMAND_DTYPE)
    least, most = -(1 << 63), (1 << 63) - 1
    text = (
        f"enter,{2**64 - 1},sell,{least},{most},{2**32 - 1},fok,1,{2**64 - 1}\r\n"
        f" enter , 7 ,buy, {most},{least},,,,\n"
    ).encode()
    assert reader.read(text, commands) == (2, len(text), None)
    assert commands[0]["order_id"] == commands[0]["pick_order_id"] == 2**64 - 1
    assert commands["price"].tolist() == [least, most]
    assert commands["tonnes"].tolist() == [most, least]
    assert commands["account_index"].tolist() == [2**32 - 1, 0]
    assert (commands[0]["tif"], commands[0]["flags"], commands[1]["side"]) == (2, 1, 1)


def test_a_line_without_its_end_waits() -> None:
    reader = CommandReader(("action", "order_id", "side", "price", "tonnes"))
    commands = np.zeros(4, COMMAND_DTYPE)
    assert reader.read(b"cancel,5,,,\ncancel,6,,,", commands) == (1, 12, None)
    assert reader.read(b"", commands) == (0, 0, None)
    assert reader.read(b"cancel,5,,,\n" * 9, commands) == (4, 48, None)
    with pytest.raises(TypeError):
        reader.read("cancel,5,,,\n", commands)
    with pytest.raises(TypeError):
        reader.read(b"cancel,5,,,\n", commands[::2])
    with pytest.raises(ValueError):
        CommandReader(("price", "volume"))
    with pytest.raises(ValueError):
        CommandReader([None] * 257)


def test_prices_as_text_go_both_ways() -> None:
    tick = tick_of("0.05")
    assert tick == Tick(2, 5)
    for price, text in {0: "0.00", 1: "0.05", -3: "-0.15", 1949: "97.45"}.items():
        assert (tick.text(price), tick.ticks(text)) == (text, price)
    assert tick.ticks("97.4") == 1948
    for text in ("97.41", "97.455", "", "x", "1.", "--1"):
        with pytest.raises(ValueError):
            tick.ticks(text)
