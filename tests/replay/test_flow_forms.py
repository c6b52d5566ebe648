"""Recorded flow of other venues: converted, it replays to the trades that were recorded."""

import json
import random
from pathlib import Path

import pytest

from cea_exchange import OrderBook
from cea_exchange.cli.main import run
from cea_exchange.domain.records import CommandKind
from cea_exchange.loadtest.flow.recorded import recorded_orders
from cea_exchange.matching.flow.forms.records import Record
from cea_exchange.matching.flow.forms.times import clock_ns, counted_ns

BUY, SELL = 1, 2
LETTERS = {BUY: "B", SELL: "S"}


@pytest.fixture
def convert(tmp_path: Path, capfd: pytest.CaptureFixture):
    """Conversion of files given as texts: exit status, report, error."""

    def play(form: str, *texts: str, options: tuple[str, ...] = ()) -> tuple[int, dict, str]:
        paths = [tmp_path / f"{form}_{place}.csv" for place in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        written = ["--orders", str(tmp_path / "orders.csv")]
        written += ["--trades", str(tmp_path / "trades.csv"), "--json"]
        status = run(["convert-flow", form, *map(str, paths), *written, *options])
        output, errors = capfd.readouterr()
        return status, json.loads(output) if output else {}, errors

    return play


@pytest.fixture
def replay(tmp_path: Path, capfd: pytest.CaptureFixture):
    """Replay of what was converted, with the trades expected: exit status and report."""

    def play(tick: str) -> tuple[int, dict]:
        paths = [str(tmp_path / "orders.csv"), "--expect", str(tmp_path / "trades.csv")]
        status = run(["replay", *paths, "--tick", tick, "--json", "--depth", "1000"])
        return status, json.loads(capfd.readouterr().out)

    return play


def lines(path: Path) -> list[str]:
    """The lines below the header, without what is of the record: its line and its times."""
    header, *found = path.read_text().splitlines()
    recorded = len(header.partition(",record")[2].split(","))
    return [line.rsplit(",", recorded)[0] for line in found]


# -- Small files, by hand --------------------------------------------------------------------------

MBO = """\
ts_event,action,side,price,size,order_id,flags,symbol
1,R,N,,0,0,8,XYZ
2,A,B,97.500000000,5,11,128,XYZ
3,A,B,97.500000000,7,12,128,XYZ
4,A,A,97.520000000,9,13,128,XYZ
5,T,A,97.500000000,6,0,0,XYZ
5,F,B,97.500000000,5,11,0,XYZ
5,F,B,97.500000000,1,12,0,XYZ
5,C,B,97.500000000,5,11,0,XYZ
5,C,B,97.500000000,1,12,128,XYZ
6,C,B,97.500000000,2,12,128,XYZ
7,M,A,97.510000000,4,13,128,XYZ
8,T,B,97.510000000,4,13,0,XYZ
8,C,A,97.510000000,4,13,128,XYZ
9,C,B,97.500000000,3,99,128,XYZ
"""


def test_mbo_fills_become_orders_that_hit(convert, replay, tmp_path) -> None:
    """What was filled is not cancelled once more; a trade may name the resting order itself."""
    status, report, errors = convert("mbo", MBO)
    assert (status, errors) == (0, "")
    assert (report["tick"], report["trades"], report["orders_left"]) == ("0.01", 3, 1)
    assert report["passed_over"] == {
        "trades, reported by their fills": 2,
        "cancels of what was filled": 2,
        "about orders from before": 1,
    }
    last = (1 << 64) - 1
    assert lines(tmp_path / "orders.csv") == [
        "enter,11,buy,97.5,5,",
        "enter,12,buy,97.5,7,",
        "enter,13,sell,97.52,9,",
        f"enter,{last},sell,97.5,5,ioc",
        f"enter,{last - 1},sell,97.5,1,ioc",
        "reduce,12,,,2,",
        "amend,13,,97.51,4,",
        f"enter,{last - 2},buy,97.51,4,ioc",
    ]
    assert lines(tmp_path / "trades.csv")[0] == f"97.5,5,sell,{last},11"
    assert (tmp_path / "orders.csv").read_text().splitlines()[6].endswith(",11,6,6000000000")
    status, report = replay("0.01")
    assert (status, report["trades_as_expected"], report["bids"]) == (0, 3, [["97.50", 4, 1]])


def test_mbo_prices_without_a_point_have_nine_decimals(convert, tmp_path) -> None:
    assert convert("mbo", MBO)[0] == 0
    expected = (tmp_path / "orders.csv").read_text()
    assert convert("mbo", MBO.replace("97.", "97"))[0] == 0
    assert (tmp_path / "orders.csv").read_text() == expected
    mixed = MBO.replace("97.510000000", "97510000000", 1)
    status, _, errors = convert("mbo", mixed)
    assert status == 2
    assert "mbo_0.csv:12: price: expected a price with a point, as those before" in errors


ITCH = """\
timestamp,type,order_id,side,shares,price,new_order_id,stock
1,S,,,,,,
2,A,1,B,100,97.5000,,XYZ
3,F,2,B,50,97.5000,,XYZ
4,A,3,S,80,97.5300,,XYZ
5,E,1,,100,,,XYZ
6,X,2,,20,,,XYZ
7,U,3,,60,97.5200,4,XYZ
8,C,4,,10,97.5200,,XYZ
9,C,4,,10,97.0000,,XYZ
10,E,77,,5,,,XYZ
11,P,0,B,5,97.5100,,XYZ
12,D,2,,,,,XYZ
"""


def test_itch_messages_become_commands(convert, replay, tmp_path) -> None:
    status, report, errors = convert("itch", ITCH, options=("--symbol", "XYZ"))
    assert (status, errors) == (0, "")
    assert (report["tick"], report["trades"]) == ("0.01", 2)
    assert report["passed_over"] == {
        "executions at another price": 1,
        "about orders from before": 1,
        "trades of hidden orders": 1,
    }
    last = (1 << 64) - 1
    assert lines(tmp_path / "orders.csv")[3:] == [
        f"enter,{last},sell,97.5,100,ioc",
        "reduce,2,,,20,",
        "cancel,3,,,,",
        "enter,4,sell,97.52,60,",
        f"enter,{last - 1},buy,97.52,10,ioc",
        "reduce,4,,,10,",
        "cancel,2,,,,",
    ]
    status, report = replay("0.01")
    assert (status, report["trades_as_expected"], report["refused"]) == (0, 2, {})
    assert report["asks"] == [["97.52", 40, 1]]


SSE = """\
BizIndex,SecurityID,TickTime,Type,BuyOrderNO,SellOrderNO,Price,Qty,TickBSFlag
1,600000,9150000,S,0,0,0.000,0,OCALL
2,600000,9150010,A,1,0,7.52,300,B
3,600000,9150020,A,0,2,7.50,200,S
4,600000,9160000,A,3,0,7.49,500,B
5,600000,9170000,D,3,0,7.49,500,B
6,600000,9250000,T,1,2,7.51,200,N
7,600000,9300000,A,0,4,7.53,400,S
8,600000,9300100,T,5,4,7.53,400,B
9,600000,9300100,A,5,0,7.54,100,B
10,600000,9300200,T,5,6,7.54,100,S
11,600000,9300200,T,1,6,7.52,50,S
12,600000,9300300,D,1,0,7.52,20,B
13,600000,14570000,A,7,0,7.50,100,B
14,600000,15000000,T,7,8,7.50,100,N
"""


def test_sse_orders_are_put_together_from_their_trades_and_their_rest(
    convert, replay, tmp_path
) -> None:
    """Of the auctions only what the first one left is entered."""
    status, report, errors = convert("sse", SSE)
    assert (status, errors) == (0, "")
    assert report["passed_over"] == {
        "about the phase": 1,
        "trades of an auction": 1,
        "of the closing auction": 2,
    }
    assert lines(tmp_path / "orders.csv") == [
        "enter,1,buy,7.52,100,",
        "enter,4,sell,7.53,400,",
        "enter,5,buy,7.54,500,",
        "enter,6,sell,7.52,150,ioc",
        "reduce,1,,,20,",
    ]
    assert lines(tmp_path / "trades.csv") == [
        "7.53,400,buy,5,4",
        "7.54,100,sell,6,5",
        "7.52,50,sell,6,1",
    ]
    status, report = replay(report["tick"])
    assert (status, report["trades_as_expected"]) == (0, 3)
    assert (report["bids"], report["asks"]) == ([["7.52", 30, 1]], [])


def test_sse_orders_and_trades_of_two_files_are_merged(convert, tmp_path) -> None:
    """As they were before 2023."""
    assert convert("sse", SSE)[0] == 0
    expected = [lines(tmp_path / name) for name in ("orders.csv", "trades.csv")]
    orders = ["BizIndex,SecurityID,OrderTime,OrderType,OrderNO,OrderPrice,Balance,OrderBSFlag"]
    trades = ["BizIndex,SecurityID,Time,TradeBuyNo,TradeSellNo,TradePrice,TradeQty,TradeBSFlag"]
    for line in SSE.splitlines()[2:]:
        index, security, time, kind, buyer, seller, *terms = line.split(",")
        if kind == "T":
            trades.append(",".join([index, security, time, buyer, seller, *terms]))
        else:
            number = buyer if terms[2] == "B" else seller
            orders.append(",".join([index, security, time, kind, number, *terms]))
    status, _, errors = convert("sse", *("\n".join(each) + "\n" for each in (orders, trades)))
    assert (status, errors) == (0, "")
    assert [lines(tmp_path / name) for name in ("orders.csv", "trades.csv")] == expected


SZSE_ORDERS = """\
ChannelNo,ApplSeqNum,SecurityID,Price,OrderQty,Side,OrdType,TransactTime
1,1,000001,10.0200,300.00,1,2,20240102091500000
1,2,000001,10.0000,200.00,2,2,20240102091600000
1,5,000001,10.0300,400.00,50,50,20240102093001000
1,6,000001,0.0000,500.00,49,49,20240102093002000
1,9,000001,0.0000,70.00,1,U,20240102093003000
1,10,000001,0.0000,50.00,2,1,20240102093004000
1,14,000001,9.9000,50.00,1,2,20240102145700000
"""
SZSE_TRADES = """\
ChannelNo,ApplSeqNum,SecurityID,BidApplSeqNum,OfferApplSeqNum,LastPx,LastQty,ExecType,TransactTime
1,3,000001,1,2,10.0100,200.00,F,20240102092500000
1,7,000001,6,5,10.0300,400.00,70,20240102093002000
1,8,000001,6,0,0.0000,60.00,4,20240102093002500
1,11,000001,6,10,10.0300,40.00,F,20240102093004000
1,12,000001,9,10,10.0300,10.00,F,20240102093004000
1,13,000001,9,0,0.0000,60.00,52,20240102093005000
"""


def test_szse_orders_and_trades_are_merged_by_their_sequence(convert, replay, tmp_path) -> None:
    """Orders without a price get that of their last trade, or of their side's best."""
    status, report, errors = convert("szse", SZSE_ORDERS, SZSE_TRADES)
    assert (status, errors) == (0, "")
    assert report["passed_over"] == {"trades of an auction": 1, "of the closing auction": 1}
    assert lines(tmp_path / "orders.csv") == [
        "enter,1,buy,10.02,100,",
        "enter,5,sell,10.03,400,",
        "enter,6,buy,10.03,500,",
        "reduce,6,,,60,",
        "enter,9,buy,10.03,70,",
        "enter,10,sell,10.03,50,",
        "cancel,9,,,,",
    ]
    status, report = replay("0.01")
    assert (status, report["trades_as_expected"]) == (0, 3)
    assert (report["bids"], report["asks"]) == ([["10.02", 100, 1]], [])


def test_trades_with_orders_from_before_are_neither_entered_nor_expected(
    convert, replay, tmp_path
) -> None:
    """What else their other order did stays."""
    header, status, *_ = SSE.splitlines()
    text = "\n".join(
        [
            header,
            "1,600000,9300000,A,0,4,7.53,400,S",
            "2,600000,9300100,T,5,3,7.52,30,B",
            "3,600000,9300100,T,5,4,7.53,400,B",
            "4,600000,9300100,A,5,0,7.54,100,B",
            "5,600000,9300200,T,2,6,7.55,10,S",
            "6,600000,9300300,D,1,0,7.55,10,B\n",
        ]
    )
    assert convert("sse", text)[1]["passed_over"] == {"about orders from before": 3}
    assert lines(tmp_path / "orders.csv") == ["enter,4,sell,7.53,400,", "enter,5,buy,7.54,500,"]
    status, report = replay("0.01")
    assert (status, report["trades_as_expected"], report["bids"]) == (0, 1, [["7.54", 100, 1]])
    orders = "ApplSeqNum,Price,OrderQty,Side,OrdType\n5,7.53,400,2,2\n6,7.54,500,1,2\n"
    trades = "ApplSeqNum,BidApplSeqNum,OfferApplSeqNum,LastPx,LastQty,ExecType\n"
    trades += "7,6,3,7.52,30,F\n8,6,5,7.53,400,F\n9,2,0,0,10,4\n"
    assert convert("szse", orders, trades)[1]["passed_over"] == {"about orders from before": 2}
    status, report = replay("0.01")
    assert (status, report["trades_as_expected"], report["bids"]) == (0, 1, [["7.54", 70, 1]])


# -- Made-up flow, whose book is known -------------------------------------------------------------


class Venue:
    """A book, and what each form tells of its flow."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.book = OrderBook(1, 2_000, order_count_max=10_000)
        self.sequence = 0
        self.texts: dict[str, list[str]] = {
            "mbo": ["action,side,price,size,order_id"],
            "itch": ["type,order_id,side,shares,price,new_order_id"],
            "sse": ["BizIndex,Type,BuyOrderNO,SellOrderNO,Price,Qty,TickBSFlag"],
            "szse": ["ApplSeqNum,Price,OrderQty,Side,OrdType"],
            "szse trades": ["ApplSeqNum,BidApplSeqNum,OfferApplSeqNum,LastPx,LastQty,ExecType"],
        }
        self.trades = 0

    def step(self) -> None:
        """An order, or a cancel of all or some of one."""
        self.sequence += 1
        resting = [
            order_id
            for side in (BUY, SELL)
            for price, _, _ in self.book.depth()[side - 1]
            for order_id in self.book.orders(side, price)
        ]
        if resting and self.draw.random() < 0.4:
            self.cancel(self.draw.choice(resting))
        else:
            self.enter()

    def enter(self) -> None:
        side, size = self.draw.choice((BUY, SELL)), self.draw.randrange(1, 60)
        price, order_id = 1_000 + self.draw.randrange(-8, 9), self.sequence
        result = self.book.enter(order_id, side, price, size)
        text = f"{price // 100}.{price % 100:02d}"
        self.tell("szse", f"{order_id},{text}00,{size}.00,{side},2")
        for maker, _, trade_price, traded in result.trades:
            self.trade(side, maker, trade_price, traded)
        left = result.tonnes_open
        if left:
            letter, numbers = LETTERS[side], self.numbers(side, order_id, 0)
            self.tell("mbo", f"A,{'B' if side == BUY else 'A'},{text}0000000,{left},{order_id}")
            self.tell("itch", f"A,{order_id},{letter},{left},{text}00,")
            self.tell("sse", f"{self.biz_index()},A,{numbers},{text}0,{left},{letter}")

    def trade(self, side: int, maker: int, price: int, size: int) -> None:
        self.trades += 1
        taker, text = self.order_number, f"{price // 100}.{price % 100:02d}"
        self.sequence += 1
        numbers = self.numbers(side, taker, maker)
        maker_letter = "A" if side == BUY else "B"
        self.tell("mbo", f"T,N,{text}0000000,{size},0")
        self.tell("mbo", f"F,{maker_letter},{text}0000000,{size},{maker}")
        self.tell("mbo", f"C,{maker_letter},{text}0000000,{size},{maker}")
        self.tell("itch", f"E,{maker},,{size},,")
        self.tell("sse", f"{self.biz_index()},T,{numbers},{text}0,{size},{LETTERS[side]}")
        self.tell("szse trades", f"{self.sequence},{numbers},{text}00,{size}.00,F")

    def cancel(self, order_id: int) -> None:
        order = self.book.order(order_id)
        assert order is not None
        side, open_size = order["side"], order["tonnes_open"]
        size = self.draw.choice((open_size, self.draw.randrange(1, open_size + 1)))
        if size == open_size:
            self.book.cancel(order_id)
        else:
            self.book.amend(order_id, order["price"], open_size - size)
        numbers = self.numbers(side, order_id, 0)
        text = f"{order['price'] // 100}.{order['price'] % 100:02d}"
        self.tell("mbo", f"C,{'B' if side == BUY else 'A'},{text}0000000,{size},{order_id}")
        self.tell("itch", f"X,{order_id},,{size},," if size < open_size else f"D,{order_id},,,,")
        self.tell("sse", f"{self.biz_index()},D,{numbers},{text},{size},{LETTERS[side]}")
        self.tell("szse trades", f"{self.sequence},{numbers},0.0000,{size}.00,4")

    @property
    def order_number(self) -> int:
        """The order that was entered last: as told to Shenzhen, which tells all."""
        return int(self.texts["szse"][-1].partition(",")[0])

    def biz_index(self) -> int:
        return len(self.texts["sse"])

    @staticmethod
    def numbers(side: int, own: int, other: int) -> str:
        return f"{own},{other}" if side == BUY else f"{other},{own}"

    def tell(self, form: str, line: str) -> None:
        self.texts[form].append(line)

    def text(self, form: str) -> str:
        return "\n".join(self.texts[form]) + "\n"


@pytest.mark.parametrize("form", ["mbo", "itch", "sse", "szse"])
@pytest.mark.parametrize("seed", range(5))
def test_what_a_venue_told_replays_to_its_trades_and_its_book(
    form: str, seed: int, convert, replay
) -> None:
    venue = Venue(seed)
    for _ in range(400):
        venue.step()
    texts = [venue.text(form)] + [venue.text("szse trades")] * (form == "szse")
    status, report, errors = convert(form, *texts)
    assert (status, errors) == (0, "")
    assert (report["trades"], report["tick"]) == (venue.trades, "0.01")
    status, report = replay("0.01")
    assert (status, report["differences"], report["refused"]) == (0, [], {})
    assert report["trades_as_expected"] == venue.trades > 100
    shown = [
        [[f"{price // 100}.{price % 100:02d}", *more] for price, *more in side]
        for side in venue.book.depth()
    ]
    assert [report["bids"], report["asks"]] == shown


# -- Bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "texts", "reported"),
    [
        ("fix", ["a\n"], "FORM: expected one of mbo, itch, sse, szse, got 'fix'"),
        ("mbo", ["action,side\n"], "mbo_0.csv:1: expected a column price, there is none"),
        ("mbo", ["action,side,price,size,order_id,Size\n"], ":1: expected each column once"),
        ("mbo", [MBO.replace("6,C,B", "6,K,B")], ":11: action: expected one of A, C, M, R, T, F"),
        ("mbo", [MBO.replace("9,13,128,XYZ", "9,13,128,ABC")], ":5: expected XYZ only, got 'ABC'"),
        ("mbo", [MBO + "1,2\n"], ":16: expected 8 columns, got 2"),
        ("mbo", [MBO.replace(",7,12", ",0,12")], ":4: size: expected a number of 1 to 922337203"),
        ("mbo", [MBO.replace(",7,12", ",1.5,12")], ":4: size: expected a whole number, got '1.5'"),
        ("itch", [ITCH.replace("12,D", "12,Z")], "type: expected a message type of ITCH"),
        ("itch", [ITCH.replace("2,A,1,B", "2,A,1,X")], "side: expected one of B, S, got 'X'"),
        ("sse", [SSE.replace("\n7,6", "\n6,6")], ":8: BizIndex: expected more than 6, the record"),
        ("sse", [SSE.replace("9300300", "930")], ":13: TickTime: expected a time such as 09:30"),
        ("szse", [SZSE_ORDERS], "szse_0.csv: expected two files"),
        (
            "szse",
            [SZSE_ORDERS, SZSE_TRADES.replace(",70,", ",X,")],
            "szse_1.csv:3: ExecType: expected one of F, 4, 70, 52, got 'X'",
        ),
        ("mbo", [MBO, MBO], "TRADES_FILE: expected none, mbo has all in one file"),
    ],
)
def test_what_can_not_be_read_is_named(
    form: str, texts: list[str], reported: str, convert, tmp_path
) -> None:
    """And nothing is written."""
    options = ("--symbol", "XYZ") if form == "itch" else ()
    status, report, errors = convert(form, *texts, options=options)
    assert (status, report, errors.count("\n")) == (2, {}, 1)
    assert reported in errors
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(("orders", "trades"))]


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        *(("09:30:00", 570), ("2024-01-02 09:30:00.040", 570), ("2024-01-02T14:57:00", 897)),
        *(("93000", 570), ("093000", 570), ("9300004", 570), ("09300004", 570), ("93000040", 570)),
        *(("093000040", 570), ("14570000", 897), ("145700000", 897), ("20240102145959990", 899)),
    ],
)
def test_times_in_their_many_forms(text: str, minute: int) -> None:
    assert Record(1, {"time": text}).minute("time") == minute


DAY_NS = 1_609_718_400 * 10**9
"""4 January 2021, 0:00 in UTC."""


@pytest.mark.parametrize(
    ("read", "text", "ns"),
    [
        (counted_ns, "1609752600000000123", 1_609_752_600_000_000_123),
        (counted_ns, "34200000000001", 34_200_000_000_001),
        (counted_ns, "34200.5", 34_200_500_000_000),
        (counted_ns, "34200", 34_200_000_000_000),
        (counted_ns, "2021-01-04T09:30:00.000000123Z", DAY_NS + 34_200_000_000_123),
        (counted_ns, "2021-01-04 09:30:00+08:00", DAY_NS + 34_200_000_000_000),
        (clock_ns, "93000", 34_200_000_000_000),
        (clock_ns, "9300004", 34_200_040_000_000),
        (clock_ns, "093000040", 34_200_040_000_000),
        (clock_ns, "20210104093000040", DAY_NS + 34_200_040_000_000),
        (clock_ns, "09:30:00.04", 34_200_040_000_000),
        *((read, text, None) for read in (counted_ns, clock_ns) for text in ("", "soon", "25:00")),
        *((read, "2021-02-30 09:30:00", None) for read in (counted_ns, clock_ns)),
        *((clock_ns, text, None) for text in ("939999", "20210230093000", "1")),
    ],
)
def test_times_as_nanoseconds(read, text: str, ns: int | None) -> None:
    assert read(text) == ns


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1609752600000000000", "1609752600250000001"),
        ("2021-01-04T09:30:00.000000000Z", "2021-01-04T09:30:00.250000001Z"),
    ],
)
def test_a_converted_flow_is_a_day_that_load_sends(convert, tmp_path, first, second) -> None:
    """Whatever its times are written as; of a flow without times the error says so."""
    flow = f"""\
ts_event,action,side,price,size,order_id
{first},A,B,97.500000000,5,11
{second},T,A,97.500000000,5,0
{second},F,B,97.500000000,5,11
"""
    assert convert("mbo", flow)[0] == 0
    entered, taken = recorded_orders(tmp_path / "orders.csv")
    assert (entered.kind, entered.price, entered.tonnes) == (CommandKind.ENTER, 97.5, 5)
    assert taken.at_ns - entered.at_ns == 250_000_001
    assert convert("mbo", flow.replace("ts_event", "when"))[0] == 0
    with pytest.raises(ValueError, match=r"orders.csv:2: time_ns: expected a time, got nothing"):
        recorded_orders(tmp_path / "orders.csv")
