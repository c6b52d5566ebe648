"""Reproducers: of the tape an alert was found on, the few commands in which it is found again.

The commands are read off the events that answered them, and dropped as long as the alert remains.
What is a share of the market in the alert is one of a smaller market then; what the accounts did
themselves stays as it was.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from cea_exchange.domain.records import (
    BIDDING_OPENED_DTYPE,
    BlockFlag,
    EventKind,
    Method,
    OrderFlag,
    Pricing,
    Reason,
    Side,
    Tif,
)
from cea_exchange.domain.timetable import changes_of_day, time_from_ns
from cea_exchange.domain.units import cash_format, fen_of, price_format
from cea_exchange.supervision.alerts import GRADES, Alert
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.limits import Limits, limits_packaged
from cea_exchange.supervision.patterns.context import NO_FACTS, Facts
from cea_exchange.supervision.sources import ScriptTape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.supervision.tape import Tape

Fields = dict[str, Any]

HOLDING_PATTERNS = ("corner", "evasion")
"""They are about what is held: in their reproducers deposits are the tape's."""
TRIALS_MAX = 200
"""So often a script is played at most while it is made smaller."""


class NotReproduced(ValueError):
    """An alert was not found again in the commands that its tape gives."""


class Said(NamedTuple):
    """A command, as its answer tells it.

    Attributes
    ----------
    unit
        The order, block or bidding it belongs to: they are kept or dropped together.
    row
        Of the event that answered it.
    accounts
        Who sent it, and whom it was for.
    """

    unit: int
    row: int
    fields: Fields
    accounts: tuple[int, ...]


def reproducer(
    tape: Tape, alert: Alert, *, limits: Limits | None = None, facts: Facts = NO_FACTS
) -> list[Fields]:
    """Return the commands of a market script in which an alert of a tape is found again.

    Raises
    ------
    NotReproduced
        It is not found again even in all that the tape's events tell of commands.
    """
    columns = Columns(tape, facts.links)
    said = list(commands_said(columns))
    by_name = {name: index for index, name in enumerate(tape.accounts)}
    who = {by_name[name] for name in alert.accounts}

    def shows(units: set[int]) -> bool:
        script = _script(columns, [s for s in said if s.unit in units], alert, who)
        return _is_found(script, tape, alert, limits or limits_packaged(), facts)

    product = tape.products.index(alert.product) if alert.product else None
    for units in _excerpts(columns, said, who, product, alert):
        if shows(units):
            kept = _fewest(units, shows)
            return _script(columns, [s for s in said if s.unit in kept], alert, who)
    raise NotReproduced(
        f"{alert.pattern} of {', '.join(alert.accounts)}: not found again in the tape's commands"
    )


def script_text(script: Iterable[Fields], alert: Alert) -> str:
    """Return a reproducer as a file: what it shows, and a command a line."""
    head = f"# {alert.rule} {alert.pattern}, {alert.grade}: {alert.sentence}"
    lines = (json.dumps(fields, ensure_ascii=False) for fields in script)
    return "\n".join((head, *lines, ""))


def played(script: Iterable[Fields], tape: Tape) -> Tape:
    """Return the tape of a script, under another tape's rules."""
    market = ScriptTape(tape.profile)
    for fields in script:
        market.play(fields)
    return market.tape()


def _is_found(script: list[Fields], tape: Tape, alert: Alert, limits: Limits, facts: Facts) -> bool:
    names = {fields["account"] for fields in script if fields["cmd"] == "account"}
    links = tuple(pair for pair in facts.links if names.issuperset(pair))
    known = Facts(
        links=links,
        float_tonnes=facts.float_tonnes,
        need_tonnes={name: need for name, need in facts.need_tonnes.items() if name in names},
        holding_limit_tonnes=facts.holding_limit_tonnes,
        allocation_tonnes=facts.allocation_tonnes,
    )
    found = surveil(played(script, tape), limits=limits, facts=known, patterns=(alert.pattern,))
    least = GRADES.index(alert.grade)
    return any(other.same == alert.same and GRADES.index(other.grade) >= least for other in found)


# -- Which commands -------------------------------------------------------------------------------


def _excerpts(
    columns: Columns, said: list[Said], who: set[int], product: int | None, alert: Alert
) -> Iterator[set[int]]:
    """Yield sets of units that may show an alert, small ones first."""
    own = {s.unit for s in said if who.intersection(s.accounts)}
    trades = columns.trades
    met = trades[np.isin(trades["buyer"], list(who)) | np.isin(trades["seller"], list(who))]
    partners = {*met["buy_order"].tolist(), *met["sell_order"].tolist()}
    seq = columns.events["seq"]
    span = {
        s.unit
        for s in said
        if s.unit in own and alert.first_seq <= int(seq[s.row]) <= alert.last_seq
    }
    of_product = {s.unit for s in said if product is None or _product(columns, s) == product}
    yield (span | (partners & of_product))
    yield (own | partners) & of_product
    day = columns.day_of_row
    first = int(np.searchsorted(seq, alert.first_seq))
    last = int(np.searchsorted(seq, alert.last_seq))
    yield {s.unit for s in said if s.unit in of_product and day[first] <= day[s.row] <= day[last]}
    yield of_product


def _product(columns: Columns, said: Said) -> int:
    return int(columns.events["product_index"][said.row])


def _fewest(units: set[int], shows: Callable[[set[int]], bool]) -> set[int]:
    """Drop units, many at once and then fewer, as long as the alert is shown."""
    kept, size, trials = sorted(units), max(len(units) // 2, 1), 0
    while size and trials < TRIALS_MAX:
        start = 0
        while start < len(kept) and trials < TRIALS_MAX:
            fewer = kept[:start] + kept[start + size :]
            trials += 1
            if fewer and shows(set(fewer)):
                kept = fewer
            else:
                start += size
        size //= 2
    return set(kept)


# -- Commands of events ---------------------------------------------------------------------------


def commands_said(columns: Columns) -> Iterator[Said]:
    """Yield the commands that a tape's events answered, in order; refused ones are left out."""
    events = columns.events
    kinds = (
        *(EventKind.ORDER_ACCEPTED, EventKind.ORDER_AMENDED, EventKind.ORDER_CANCELED),
        *(EventKind.BLOCK_OFFERED, EventKind.BLOCK_COUNTERED, EventKind.BLOCK_WITHDRAWN),
        *(EventKind.BLOCK_REJECTED, EventKind.BIDDING_OPENED, EventKind.BID_ACCEPTED),
        *(EventKind.BID_CANCELED, EventKind.BIDDING_CLOSED, EventKind.TRADE),
    )
    for row in columns.rows(*kinds):
        event = events[row]
        made = _MAKERS[int(event["kind"])](columns, int(row), event)
        if made is not None:
            fields, unit, accounts = made
            yield Said(unit, int(row), fields, accounts)


Made = tuple[Fields, int, tuple[int, ...]] | None


def _names(columns: Columns, event: np.void) -> tuple[str, str]:
    tape = columns.tape
    return tape.accounts[int(event["account_index"])], tape.products[int(event["product_index"])]


def _terms(event: np.void) -> Fields:
    return {"price": price_format(int(event["price"])), "tonnes": int(event["tonnes"])}


def _entered(columns: Columns, row: int, event: np.void) -> Made:
    account, product = _names(columns, event)
    fields = {
        "cmd": "enter",
        "id": f"o{event['order_id']}",
        "account": account,
        "product": product,
        "side": Side(int(event["side"])).name.lower(),
        **_terms(event),
    }
    if event["tif"] != Tif.DAY:
        fields["tif"] = Tif(int(event["tif"])).name.lower()
    if int(event["flags"]) & OrderFlag.POST_ONLY:
        fields["post_only"] = True
    if event["counter_order_id"]:
        fields["pick"] = f"o{event['counter_order_id']}"
    return fields, int(event["order_id"]), (int(event["account_index"]),)


def _changed(cmd: str) -> Callable[[Columns, int, np.void], Made]:
    def made(columns: Columns, row: int, event: np.void) -> Made:
        if cmd != "amend" and event["reason"] != Reason.REQUESTED:
            return None
        account = columns.tape.accounts[int(event["account_index"])]
        fields = {"cmd": cmd, "id": f"o{event['order_id']}", "account": account}
        if cmd == "amend":
            fields |= _terms(event)
        unit = event["counter_order_id"] if cmd == "bid_cancel" else event["order_id"]
        return fields, int(unit), (int(event["account_index"]),)

    return made


def _block(cmd: str) -> Callable[[Columns, int, np.void], Made]:
    def made(columns: Columns, row: int, event: np.void) -> Made:
        by_other = int(event["flags"]) & BlockFlag.BY_COUNTERPARTY
        at = "counter_account_index" if by_other and cmd != "block_offer" else "account_index"
        account = int(event[at])
        if account >= len(columns.tape.accounts):
            return None
        fields = {"cmd": cmd, "id": f"o{event['order_id']}"}
        fields["account"] = columns.tape.accounts[account]
        who: tuple[int, ...] = (account,)
        if cmd in ("block_offer", "block_counter"):
            fields |= _terms(event)
        if cmd == "block_offer":
            fields["product"] = columns.tape.products[int(event["product_index"])]
            fields["side"] = Side(int(event["side"])).name.lower()
            if int(event["flags"]) & BlockFlag.TO_ACCOUNT:
                other = int(event["counter_account_index"])
                fields["counterparty"], who = columns.tape.accounts[other], (account, other)
        return fields, int(event["order_id"]), who

    return made


def _accepted(columns: Columns, row: int, event: np.void) -> Made:
    """Of a block's trade: the taker accepted."""
    if event["method"] != Method.BLOCK:
        return None
    account = int(event["account_index"])
    name = columns.tape.accounts[account]
    fields = {"cmd": "block_accept", "id": f"o{event['order_id']}", "account": name}
    return fields, int(event["order_id"]), (account,)


def _bidding(columns: Columns, row: int, event: np.void) -> Made:
    opened = columns.events[row : row + 1].view(BIDDING_OPENED_DTYPE)[0]
    account, product = _names(columns, event)
    side = Side(int(opened["side"]))
    limit = "floor" if side == Side.SELL else "ceiling"
    fields = {
        "cmd": "bidding_open",
        "id": f"o{opened['bidding_id']}",
        "account": account,
        "product": product,
        "side": side.name.lower(),
        "tonnes": int(opened["tonnes"]),
        limit: price_format(int(opened[limit])),
        "pricing": Pricing(int(opened["pricing"])).name.lower(),
    }
    return fields, int(opened["bidding_id"]), (int(event["account_index"]),)


def _bid(columns: Columns, row: int, event: np.void) -> Made:
    account = columns.tape.accounts[int(event["account_index"])]
    fields = {
        "cmd": "bid",
        "id": f"o{event['order_id']}",
        "bidding": f"o{event['counter_order_id']}",
        "account": account,
        **_terms(event),
    }
    # A bid is of no use without its bidding.
    return fields, int(event["counter_order_id"]), (int(event["account_index"]),)


def _bidding_closed(columns: Columns, row: int, event: np.void) -> Made:
    fields = {"cmd": "bidding_close", "id": f"o{event['order_id']}"}
    return fields, int(event["order_id"]), ()


_MAKERS: dict[int, Callable[[Columns, int, np.void], Made]] = {
    EventKind.ORDER_ACCEPTED: _entered,
    EventKind.ORDER_AMENDED: _changed("amend"),
    EventKind.ORDER_CANCELED: _changed("cancel"),
    EventKind.BLOCK_OFFERED: _block("block_offer"),
    EventKind.BLOCK_COUNTERED: _block("block_counter"),
    EventKind.BLOCK_WITHDRAWN: _block("block_withdraw"),
    EventKind.BLOCK_REJECTED: _block("block_reject"),
    EventKind.TRADE: _accepted,
    EventKind.BIDDING_OPENED: _bidding,
    EventKind.BID_ACCEPTED: _bid,
    EventKind.BID_CANCELED: _changed("bid_cancel"),
    EventKind.BIDDING_CLOSED: _bidding_closed,
}


# -- The script -----------------------------------------------------------------------------------


def _script(columns: Columns, said: list[Said], alert: Alert, who: set[int]) -> list[Fields]:
    """Return a whole script: names, deposits, commands at their times, and the last day's end."""
    tape = columns.tape
    accounts = sorted(who.union(*(s.accounts for s in said))) if said else sorted(who)
    products = sorted({_product(columns, s) for s in said} - {65535})
    if alert.product:
        products = sorted({*products, tape.products.index(alert.product)})
    first_day = int(columns.day_of_row[min((s.row for s in said), default=0)])
    script: list[Fields] = [
        {
            "cmd": "product",
            "product": tape.products[p],
            "reference_price": price_format(columns.reference(first_day, p)),
        }
        for p in products
    ]
    for account in accounts:
        fields = {"cmd": "account", "account": tape.accounts[account]}
        if tape.groups[account]:
            fields["group"] = tape.groups[account]
        script.append(fields)
    script += _deposits(columns, said, accounts, products, alert)
    moment = None
    for each in said:
        time_ns = int(columns.time_ns[each.row])
        if time_ns != moment:
            script.append({"cmd": "clock", "at": time_from_ns(time_ns).isoformat()})
            moment = time_ns
        script.append(each.fields)
    if moment is not None:
        day = time_from_ns(moment).date()
        end = max(changes_of_day(tape.profile, day)[-1].at, time_from_ns(moment) + timedelta(0))
        script.append({"cmd": "clock", "at": end.isoformat()})
    return script


def _deposits(
    columns: Columns, said: list[Said], accounts: list[int], products: list[int], alert: Alert
) -> Iterator[Fields]:
    """Yield what accounts need for their commands; where holdings matter, what the tape has."""
    tape, events = columns.tape, columns.events
    cash = dict.fromkeys(accounts, 0)
    tonnes = {(account, product): 0 for account in accounts for product in products}
    for each in said:
        amount = int(each.fields.get("tonnes", 0))
        price = each.fields.get("price") or each.fields.get("ceiling") or each.fields.get("floor")
        side, product = each.fields.get("side"), _product(columns, each)
        for account in each.accounts:
            if side != "sell" or account != each.accounts[0]:
                cash[account] += amount * (fen_of(price) if price else 0)
            if (side != "buy" or account != each.accounts[0]) and (account, product) in tonnes:
                tonnes[account, product] += amount
    if alert.pattern in HOLDING_PATTERNS:
        tonnes = dict.fromkeys(tonnes, 0)
        moved = columns.rows(EventKind.DEPOSITED)
        for row in moved:
            key = int(events["account_index"][row]), int(events["product_index"][row])
            if key in tonnes:
                tonnes[key] += int(events["tonnes"][row])
    for account in accounts:
        if cash[account]:
            # What fees may take is not more than this.
            whole = cash_format(cash[account] * 11 // 10 + 1_000_000)
            yield {"cmd": "deposit", "account": tape.accounts[account], "cash": whole}
    for (account, product), amount in tonnes.items():
        if amount:
            yield {
                "cmd": "deposit",
                "account": tape.accounts[account],
                "product": tape.products[product],
                "tonnes": amount,
            }
