"""Command lines that read a file of a person, each with a valid file of its kind."""

from dataclasses import dataclass

from support.places import ROOT

RULES = ROOT / "src" / "cea_exchange"
SCRIPT = ROOT / "tests" / "scripts" / "listed_day.jsonl"
FILE, OUT, DATA = "{file}", "{out}", "{data}"
"""Places in a command line: the variant, a new path for results, and an empty data folder."""


@dataclass(frozen=True)
class Form:
    """One command line and the file that it reads.

    Attributes
    ----------
    arguments
        Behind `cea-exchange`.
    kind
        csv, toml, json, jsonl or xml.
    text
        A valid file.
    number
        A number in it, as it is written: variants replace its first occurrence.
    needed
        A member of it, which variants remove or repeat; of a table it is the first column.
    repeated
        A line that a valid file may have any number of times.
    """

    arguments: tuple[str, ...]
    kind: str
    text: str
    number: str
    needed: str = ""
    repeated: str = "\n"


def _packaged(*names: str) -> str:
    return RULES.joinpath(*names).read_text(encoding="utf-8")


PRODUCT = '{"cmd": "product", "product": "CEA24", "reference_price": "95.00"}\n'
CALENDAR = """name = "tests"
first = 2000-01-01
last = 2099-12-31
closed_weekdays = ["saturday", "sunday"]

[closures]
"""
BIDS = "account,price,tonnes,group\nalice,60.00,40000,\nbob,62.50,30000,north\ncarol,,5000,\n"
TERMED_BIDS = "account,class,price,tonnes,emissions\nalice,kee,95.00,1000,50000\n"
DAYS = "date,last_close,close,tonnes,amount\n2025-07-16,97.49,97.60,1000,97600.00\n"
ORDERS = """action,order_id,side,price,tonnes,tif
enter,1,buy,97.50,100,
enter,2,sell,97.49,40,ioc
cancel,1,,,,
"""
MBO = """ts_event,action,side,price,size,order_id,flags,symbol
1,R,N,,0,0,8,XYZ
2,A,B,97.500000000,5,11,128,XYZ
3,A,A,97.520000000,9,13,128,XYZ
"""
DAILY = """date,open,high,low,close,listed_volume,listed_amount,total_volume
2024-01-02,79.00,79.50,78.90,79.42,2000,158500.00,2000
"""
AUCTIONS = """date,auction,price_eur,min_bid,max_bid,mean_bid,median_bid,volume,bids_total,n_bids,\
n_bidders
2016-01-12,EU,7.10,6.50,7.40,7.05,7.08,20000,50000,20,8
"""
RUN = 'seed = 1\nworkload = "quotes"\nrate = 200\n'
WORKLOAD = """participants = 8
depth = 10
tonnes = [10, 50]

[products]
CEA23 = 9749

[mix]
passive = 50
cancel = 20
"""
LINKS = '"links": [["carol", "bob"]]'
FACTS = f'{{{LINKS}, "float_tonnes": {{"CEA24": 5000}}}}\n'
SWEEP = """title = "The band"

[year]
year = 2024
entities = 6
days = 8

[seeds]
first = 1
count = 2

[grid]
profile.listed_band_bp = [50, 1000]
"""
VENUE = 'profile = "cea"\nproposal_s = 3600\n'
REGISTRY = "fronts = 2\nproposal_s = 3600\n"
BOOK = ("--target", "book", "--rate", "200", "--duration", "0.1")

FORMS = {
    "run": Form(("run", FILE), "jsonl", PRODUCT, "95.00", '"product": "CEA24"', "# A comment.\n"),
    "profile check": Form(
        ("profile", "check", FILE),
        "toml",
        _packaged("domain", "profiles", "cea.toml"),
        "1000",
        'name = "cea"\n',
    ),
    "calendar check": Form(
        ("calendar", "check", FILE), "toml", CALENDAR, "2000", 'name = "tests"\n'
    ),
    "auction": Form(
        ("auction", FILE, "--tonnes", "50000"), "csv", BIDS, "40000", repeated="dave,60.00,1,\n"
    ),
    "adjustment auction": Form(
        ("adjustment", "auction", "beijing_2024_09", FILE, "--floor", "90.00"),
        "csv",
        TERMED_BIDS,
        "1000",
        repeated="dave,kee,95.00,1000,50000\n",
    ),
    "adjustment report": Form(
        ("adjustment", "report", FILE), "csv", DAYS, "1000", repeated=DAYS.splitlines(True)[1]
    ),
    "replay": Form(
        ("replay", FILE, "--tick", "0.01"), "csv", ORDERS, "100", repeated="cancel,9,,,,\n"
    ),
    "convert-flow": Form(
        ("convert-flow", "mbo", FILE), "csv", MBO, "97.500000000", repeated="4,R,N,,0,0,8,XYZ\n"
    ),
    "replay-days": Form(
        ("replay-days", FILE, "--out", OUT, "--accounts", "50"),
        "csv",
        DAILY,
        "2000",
        repeated=DAILY.splitlines(True)[1],
    ),
    "replay-auctions": Form(
        ("replay-auctions", FILE), "csv", AUCTIONS, "20000", repeated=AUCTIONS.splitlines(True)[1]
    ),
    "load --settings": Form(
        ("load", "run", "--settings", FILE, *BOOK), "toml", RUN, "1", 'workload = "quotes"\n'
    ),
    "load --workload": Form(
        ("load", "run", "--workload", FILE, *BOOK), "toml", WORKLOAD, "8", "passive = 50\n"
    ),
    "surveil --limits": Form(
        ("surveil", str(SCRIPT), "--limits", FILE),
        "toml",
        _packaged("supervision", "limits.toml"),
        "800",
        "warning_per_mille = 800\n",
    ),
    "surveil --facts": Form(
        ("surveil", str(SCRIPT), "--facts", FILE), "json", FACTS, "5000", LINKS
    ),
    "sweep": Form(
        ("sweep", FILE, "--out", OUT, "--look"), "toml", SWEEP, "2024", 'title = "The band"\n'
    ),
    "year --plan": Form(
        ("year", "2024", "--out", OUT, "--plan", FILE, "--entities", "2", "--days", "7"),
        "toml",
        _packaged("domain", "compliance", "plans", "2023-2024.toml"),
        "1000",
        "years = [2023, 2024]\n",
    ),
    "bank file check": Form(
        ("bank", "file", "check", FILE),
        "xml",
        (ROOT / "protocol" / "vectors" / "bank" / "statement.xml").read_text(encoding="utf-8"),
        "194980.00",
        "      <ElctrncSeqNb>1</ElctrncSeqNb>\n",
    ),
    "venue check": Form(
        ("venue", "check", "--config", FILE, "--data", DATA),
        "toml",
        VENUE,
        "3600",
        'profile = "cea"\n',
    ),
    "registry check": Form(
        ("registry", "check", "--config", FILE, "--data", DATA),
        "toml",
        REGISTRY,
        "3600",
        "fronts = 2\n",
    ),
}
"""The command lines by their names."""
