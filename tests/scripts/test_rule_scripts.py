"""The scripts show every rule of trading, every number of the rulebook, event and reject reason.

What no script can show stands in `tests/scripts/README.md`, with the test that shows it instead.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from cea_exchange.domain.records import Reason
from support.market.market_scripts import SCRIPTS
from support.places import ROOT

README = (SCRIPTS / "README.md").read_text(encoding="utf-8")
RULES = (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
RULE_SCRIPTS = sorted(
    path for path in (SCRIPTS / "rules").glob("*.jsonl") if not path.stem.endswith(".events")
)
ID_LENGTH = len("CEA-LST-02")

SECTIONS = (
    "Products and accounts",
    "Orders",
    "Listed agreement trading",
    "Block agreement trading",
    "Single-direction bidding",
    "Awards of biddings and auctions",
    "Cash and allowances",
    "The trading day",
    "Prices of the day",
)
NUMBERS = {6: 18, 7: 10, 8: 7, 9: 14}
"""How many rules the rulebook's sections about trading have."""
OPEN_POINTS = 8
"""What the rulebook's section 7 leaves open."""


def events_of(scripts: list[Path]) -> list[dict[str, Any]]:
    """All events that the scripts must give."""
    return [
        json.loads(line)
        for script in scripts
        for line in script.with_suffix(".events.jsonl").read_text(encoding="utf-8").splitlines()
    ]


EVENTS = events_of([p for p in SCRIPTS.rglob("*.jsonl") if not p.stem.endswith(".events")])


def table(heading: str) -> dict[str, str]:
    """First and last column of a table in the folder's README."""
    part = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {row[0].strip("`"): row[-1] for row in rows[1:]}


def rules_of_trading() -> set[str]:
    """Rules of the sections above, and of others that cite the rulebook's sections 6 to 9."""
    found, section = set(), ""
    for line in RULES.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| CEA-"):
            rule, *_, source, _ = (cell.strip() for cell in line.strip("|").split("|"))
            cited = re.search(r"RB .*(?<![.\d])[6-9](\.\d| D\d)", source)
            if section in SECTIONS or cited:
                found.add(rule)
    return found


def head(script: Path) -> str:
    """A script's first comment, in one line."""
    lines = []
    for line in script.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# ") or line.startswith("# profile: "):
            break
        lines.append(line.removeprefix("# "))
    return " ".join(lines)


# -- Rules -----------------------------------------------------------------------------------------


def test_every_rule_of_trading_has_a_script_or_says_why_not() -> None:
    """Never both."""
    shown = {script.stem[:ID_LENGTH] for script in RULE_SCRIPTS}
    excused = set(table("Rules without a script"))
    assert shown | excused == rules_of_trading()
    assert not shown & excused


@pytest.mark.parametrize("script", RULE_SCRIPTS, ids=lambda script: script.stem)
def test_a_script_says_which_rule_it_shows(script: Path) -> None:
    """CEA-LST-02, RB 7.2: what the rule says."""
    rule = script.stem[:ID_LENGTH]
    assert re.match(rf"{rule}(, RB \d[\d., D]*)?: .", head(script))


def test_every_number_of_the_rulebook_is_shown() -> None:
    """Sections 6 to 9, and what section 7 leaves open."""
    numbers = {f"{section}.{i}" for section, last in NUMBERS.items() for i in range(1, last + 1)}
    numbers |= {f"7 D{i}" for i in range(1, OPEN_POINTS + 1)}
    shown = set()
    for script in RULE_SCRIPTS:
        if match := re.match(r"\S+, RB ([^:]+):", head(script)):
            shown |= set(match[1].split(", "))
    excused = set(table("Numbers of the rulebook without a script"))
    assert shown & excused == set()
    assert numbers <= shown | excused


def test_tests_that_stand_in_for_scripts_are_there() -> None:
    """By file and function."""
    tables = ("Rules without a script", "Numbers of the rulebook without a script")
    for heading in (*tables, "Reasons without a script"):
        for test in table(heading).values():
            path, function = test.split("::")
            text = (ROOT / path).read_text(encoding="utf-8")
            assert f"def {function}(" in text, test


# -- Reasons ---------------------------------------------------------------------------------------

_NEW = "ACCOUNT_UNKNOWN ORDER_ID_DUPLICATE ACCOUNT_SUSPENDED PHASE_CLOSED PRODUCT_HALTED"
_TERMS = "TONNES_NOT_POSITIVE AMOUNT_TOO_LARGE"
_COVER = "RESTRICTED HOLDING_LIMIT CASH_INSUFFICIENT ALLOWANCES_INSUFFICIENT"
_COVER += " ALLOWANCES_BOUGHT_TODAY"
_LISTED = f"{_TERMS} LISTED_TONNES_TOO_LARGE PRICE_OUT_OF_BAND {_COVER} SELF_TRADE"
_GAP = "WITHIN_GAP OTHER_SIDE_OPEN"
"""In `ccer_day`, and of the other commands in tests/market/listed/test_ccer_market.py."""
_BLOCK = f"{_TERMS} BLOCK_TONNES_TOO_SMALL PRICE_OUT_OF_BAND"
_TAKEN_BACK = "ACCOUNT_UNKNOWN BLOCK_UNKNOWN ACCOUNT_SUSPENDED PHASE_CLOSED COUNTERPARTY_MISMATCH"
_OF_OPERATOR = "BIDDING_UNKNOWN PHASE_CLOSED BIDDING_NOT_OPEN"

REASONS = {
    "enter": f"PRODUCT_UNKNOWN {_NEW} {_LISTED} PICK_NOT_AVAILABLE POST_ONLY_WOULD_TRADE"
    f" FOK_NOT_FILLABLE CAPACITY {_GAP}",
    # A suspended account has no order left; an amended one leaves room for itself.
    "amend": f"ACCOUNT_UNKNOWN ORDER_UNKNOWN PHASE_CLOSED PRODUCT_HALTED {_LISTED}"
    " POST_ONLY_WOULD_TRADE",
    "cancel": "ACCOUNT_UNKNOWN ORDER_UNKNOWN PHASE_CLOSED",
    # Of fixed terms are blocks in some of the regional pilots.
    "block_enquiry": f"PRODUCT_UNKNOWN {_NEW} COUNTERPARTY_MISMATCH TERMS_FIXED {_BLOCK} CAPACITY",
    "block_offer": f"PRODUCT_UNKNOWN BLOCK_UNKNOWN {_NEW} COUNTERPARTY_MISMATCH {_BLOCK} {_COVER}"
    " CAPACITY",
    "block_counter": f"{_TAKEN_BACK} PRODUCT_HALTED TERMS_FIXED {_BLOCK} {_COVER}",
    "block_accept": f"{_TAKEN_BACK} PRODUCT_HALTED {_COVER}",
    "block_reject": _TAKEN_BACK,
    "block_withdraw": _TAKEN_BACK,
    "block_confirm": "BLOCK_UNKNOWN PHASE_CLOSED PRODUCT_HALTED",
    "block_refuse": "BLOCK_UNKNOWN",
    "bidding_open": f"PRODUCT_UNKNOWN {_NEW} BIDDING_NOT_OPEN {_TERMS} BIDDING_TONNES_TOO_SMALL"
    f" BIDDING_FLOOR_NOT_ALLOWED {_COVER} CAPACITY",
    "bid": f"BIDDING_UNKNOWN {_NEW} BIDDING_NOT_OPEN {_TERMS} BIDDING_TONNES_TOO_SMALL"
    f" BID_OUT_OF_RANGE {_COVER} SELF_TRADE CAPACITY",
    # A suspended account has no bid left.
    "bid_cancel": "ACCOUNT_UNKNOWN ORDER_UNKNOWN PHASE_CLOSED PRODUCT_HALTED",
    "bidding_close": _OF_OPERATOR,
    "bidding_cancel": _OF_OPERATOR,
    "halt": "PRODUCT_UNKNOWN",
    "resume": "PRODUCT_UNKNOWN",
    "suspend": "ACCOUNT_UNKNOWN",
    "restrict": "ACCOUNT_UNKNOWN",
    "restore": "ACCOUNT_UNKNOWN",
    "reference_price": "PRODUCT_UNKNOWN PHASE_CLOSED AMOUNT_TOO_LARGE",
    "deposit": f"PRODUCT_UNKNOWN ACCOUNT_UNKNOWN {_TERMS}",
    "withdraw": "PRODUCT_UNKNOWN ACCOUNT_UNKNOWN ACCOUNT_SUSPENDED TONNES_NOT_POSITIVE"
    " RESTRICTED CASH_INSUFFICIENT ALLOWANCES_INSUFFICIENT ALLOWANCES_BOUGHT_TODAY"
    " PROCEEDS_OF_TODAY",
}
"""What each command of a script can be refused for."""


@pytest.mark.parametrize("command", REASONS)
def test_every_reason_of_a_command_is_reached(command: str) -> None:
    """CEA-ORD-10: these reasons and no others."""
    reached = {event["reason"] for event in EVENTS if event.get("command") == command}
    assert reached == set(REASONS[command].split())


def test_no_reason_is_left_out() -> None:
    """Each is some command's, or the gateway's."""
    named = {reason for reasons in REASONS.values() for reason in reasons.split()}
    refusals = {reason.name for reason in Reason if Reason.NONE < reason < Reason.REQUESTED}
    assert named | set(table("Reasons without a script")) == refusals


def test_every_cause_of_a_cancellation_is_reached() -> None:
    """Of orders, blocks, bids and biddings; but for what only a venue does."""
    reached = {
        event["reason"]
        for event in EVENTS
        if event["event"].endswith(("_canceled", "_withdrawn")) and "reason" in event
    }
    causes = {reason.name for reason in Reason if reason >= Reason.REQUESTED}
    assert reached == causes - {"DISCONNECTED", "KILLED"}


# -- Events ----------------------------------------------------------------------------------------

_ORDER = "id account product side price tonnes"
_OFFER = f"{_ORDER} counterparty to_group enquiry"
_BID = "id bidding account product price tonnes"

FIELDS = {
    "order_accepted": f"{_ORDER} tif post_only pick",
    "order_rested": _ORDER,
    "order_amended": _ORDER,
    "order_expired": _ORDER,
    "order_canceled": f"{_ORDER} reason",
    "order_rejected": "id account product command reason",
    "bid_rejected": "id account product command reason",
    "transfer_rejected": "id account product command reason",
    "trade": "product method price tonnes buyer seller buy_id sell_id aggressor intra_group"
    " buy_fee sell_fee",
    "block_enquired": _OFFER,
    "block_offered": _OFFER,
    "block_countered": _ORDER,
    "block_agreed": _ORDER,
    "block_withdrawn": f"{_ORDER} reason",
    "block_rejected": _ORDER,
    "block_lapsed": _ORDER,
    "bidding_opened": "id account product side tonnes floor ceiling pricing opens_at closes_at",
    "bid_accepted": _BID,
    "bid_canceled": f"{_BID} reason",
    "bidding_closed": "id account product clearing_price tonnes bidders",
    "bidding_canceled": "id account product reason",
    "day_opened": "date",
    "phase_changed": "phase",
    "day_closed": "date product open high low close volume amount",
    "composite_closed": "date price",
    "halted": "product",
    "resumed": "product",
    "account_suspended": "account",
    "account_restored": "account",
    "account_restricted": "account barred",
    "reference_price_changed": "product price",
    "product_listed": "product price",
    "product_delisted": "product",
    "large_holder": "account product tonnes",
    "deposited": "account product cash tonnes",
    "withdrawn": "account product cash tonnes",
    "state": "day phase books accounts state_hash",
}
"""What users were promised of each event; there may be more."""


def test_every_event_is_told_with_its_fields() -> None:
    """And no other event is."""
    reported = defaultdict(list)
    for event in EVENTS:
        reported[event["event"]].append(event)
    assert set(reported) == set(FIELDS)
    for name, events in reported.items():
        for event in events:
            assert set(FIELDS[name].split()) <= set(event), event


MONEY = {
    "price", "floor", "ceiling", "clearing_price", "cash", "buy_fee", "sell_fee",
    "open", "high", "low", "close",
}  # fmt: skip
TIMES = {"opens_at", "closes_at"}
WHOLE = {"seq", "tonnes", "bidders", "trade_id", "volume_intra_group"}
FLAGS = {"post_only", "intra_group", "halted"}
NESTED = {"volume", "amount", "books", "accounts", "blocks", "biddings", "barred"}


def has_its_form(field: str, value: Any) -> bool:
    """Prices and amounts are two-decimal strings, tonnes integers, names text."""
    if field in WHOLE:
        return type(value) is int
    if field in FLAGS:
        return type(value) is bool
    if field in MONEY:
        return re.fullmatch(r"\d+\.\d\d", value) is not None
    if field in TIMES:
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00", value) is not None
    return type(value) is str


def test_every_field_has_its_form() -> None:
    """What is absent is null; a day's volumes are tonnes, its amounts yuan, by method."""
    methods = {"listed", "block", "bidding"}
    for event in EVENTS:
        for field, value in event.items():
            if value is not None and field not in NESTED:
                assert has_its_form(field, value), (field, event)
        if event["event"] == "day_closed":
            assert set(event["volume"]) == set(event["amount"]) == methods
            assert all(has_its_form("tonnes", tonnes) for tonnes in event["volume"].values())
            assert all(has_its_form("cash", yuan) for yuan in event["amount"].values())
