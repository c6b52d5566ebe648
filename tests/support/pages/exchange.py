"""The exchange on which the pages' commands are typed: two persons for each act, one day behind it.

It is Thursday, 17 July 2025, in the session in which blocks are agreed too. P001 and P002 have
traded yesterday and today; RESERVE is the authority's, with tonnes and cash to adjust the market.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.security import CurveKeys
from support.pages.typist import Typist
from support.places import ROOT
from support.screens.control_room import connected, operators_set

SCRIPT = """\
{"cmd": "product", "product": "CEA24", "reference_price": "97.49"}
{"cmd": "account", "account": "alice"}
{"cmd": "deposit", "account": "alice", "cash": "1000000.00"}
{"cmd": "open_day", "date": "2025-07-16"}
{"cmd": "phase", "phase": "listed"}
{"cmd": "enter", "account": "alice", "product": "CEA24", "side": "buy", "price": "97.50",\
 "tonnes": 100, "id": "a1"}
{"cmd": "close_day"}
"""
DAY, NEXT_DAY = "2025-07-16", "2025-07-17"
PEOPLE = [
    Participant("P001", "short", {"CEA24": Side.BUY}, 90_000_000_00, {"CEA24": 10_000}),
    Participant("P002", "surplus", {"CEA24": Side.SELL}, 90_000_000_00, {"CEA24": 500_000}),
    Participant("RESERVE", "surplus", {}, 90_000_000_00, {"CEA24": 600_000}),
]
FILES = {
    "days.csv": "date,last_close,close,tonnes,amount\n"
    + "".join(f"2025-07-{7 + day:02},15.00,15.00,10,150.00\n" for day in range(10)),
    "bids.csv": "account,class,price,tonnes,emissions\n"
    "A,kee,96.00,2000,9000\nB,kee,97.00,1999,90000\n",
    "report.pdf": "%PDF-1.4\n",
    "day.jsonl": SCRIPT,
}
# Before the first page: RESERVE has no key that trades, and who acts for the account P001.
BEFORE = (
    "cea-exchange registry key revoke keys/RESERVE.public --key an",
    'cea-exchange registry person add "Li Na" keys/li.public --role initiator --account P001',
    "cea-exchange registry proposal approve NUMBER --hash HASH --key bo",
    'cea-exchange registry person add "Wu Jun" keys/wu.public --role approver --account P001',
    "cea-exchange registry proposal approve NUMBER --hash HASH --key bo",
    "cea-exchange registry key grant keys/reader.public P001 --role reader --key keys/li",
    "cea-exchange registry proposal approve NUMBER --hash HASH --key keys/wu",
)


@contextmanager
def page_exchange(folder: Path) -> Iterator[tuple[LocalExchange, Typist]]:
    """Run venue and registry, and yield who types at them, in their data folder."""
    beside = folder.with_name("backup")
    for each in (folder, beside):
        each.mkdir()
    with LocalExchange(folder) as exchange:
        exchange.prepare(PEOPLE, {"CEA24": 9_749}, start=f"{DAY}T08:30:00+08:00", fronts=0)
        operators_set(exchange)
        for name in ("li", "wu", "reader", "suspect"):
            CurveKeys.new().save(exchange.keys_directory, name)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at=f"{DAY}T13:00:00+08:00")
        _traded(exchange)
        exchange.operate("clock", at=f"{NEXT_DAY}T13:00:00+08:00")
        exchange.wait_until(
            lambda: exchange.operate("status")["phase"] == "listed_and_block", "the next day", 30.0
        )
        trade = _traded(exchange)
        keys = exchange.keys_directory
        typist = Typist(
            folder,
            {
                "DIR": str(folder), "RDIR": str(folder), "/var/lib/cea-exchange": str(folder),
                "/etc/cea-exchange/venue.toml": "venue.toml",
                "/etc/cea-exchange/registry.toml": "registry.toml",
                "/backup": str(beside), "4711": str(trade), "12": "1",
                "20250716-4711-spoofing.jsonl": lambda: min((folder / "found").iterdir()).name,
                "examples/receipt_check.py": f"{ROOT}/examples/receipt_check.py",
                "an.secret": "keys/an.secret",
                "bo.secret": "keys/bo.secret",
                "keys/p1.public": "keys/P001.public",
                "NEWDIR": str(beside / "drilled"), "NEW": str(beside / "new"), "FOLDER": "found",
                "FILE": "registry.copy",
                "SCRIPT": "day.jsonl", "PUBLICKEY": (keys / "suspect.public").read_text().strip(),
            },
            {"CEA_EXCHANGE_DATA": str(folder), "CEA_EXCHANGE_KEY": "an"},
        )  # fmt: skip
        for name, content in FILES.items():
            (folder / name).write_text(content, encoding="utf-8")
        for line in BEFORE:
            assert (said := typist.typed(line)).status == 0, f"{line}: {said.text}"
        yield exchange, typist


def _traded(exchange: LocalExchange) -> int:
    """Let P001 buy 30 t of P002, at whose price nobody dealt before; return the trade's number.

    What P002 offers and takes back far from it is an alert (CEA-SVL-19).
    """
    with connected(exchange, "P001") as buyer, connected(exchange, "P002") as seller:
        for price, tonnes in (("97.49", 40), ("97.80", 300), ("98.00", 500)):
            seller.answer(seller.enter("CEA24", "sell", price=price, tonnes=tonnes))
        buyer.answer(buyer.enter("CEA24", "buy", price="97.49", tonnes=30))
        far = seller.answer(seller.enter("CEA24", "sell", price="107.23", tonnes=10_000))
        seller.answer(seller.cancel(far.order_id))
        return next(each.trade_id for each in buyer.reports(timeout_s=60) if each.trade_id)
