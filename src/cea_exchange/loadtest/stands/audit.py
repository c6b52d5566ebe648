"""What must hold after any run and any kills: participants' logs, the venue's events, the registry.

Each check counts what it looked at and names what it finds; the first finding is the one to read.
Nothing here asks a daemon: all is read from files.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cea_exchange.control_plane.signals import module_command
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    CommandKind,
    EventKind,
    Method,
    Reason,
    Side,
)
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.journal import event_rows_read
from cea_exchange.ledger.record_store import StoreError
from cea_exchange.loadtest.targets.target import Reconciliation
from cea_exchange.loadtest.targets.venue_log import REPORTS_FILE, SENT_FILE
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.store import RegistryStore

Rows = NDArray[Any]

ACCEPTANCES = (
    EventKind.ORDER_ACCEPTED,
    EventKind.ORDER_AMENDED,
    EventKind.BLOCK_ENQUIRED,
    EventKind.BLOCK_OFFERED,
    EventKind.BLOCK_COUNTERED,
    EventKind.BLOCK_REJECTED,
    EventKind.BID_ACCEPTED,
)
ACCEPTANCES_IF_REQUESTED = (
    EventKind.ORDER_CANCELED,
    EventKind.BLOCK_WITHDRAWN,
    EventKind.BID_CANCELED,
)
_TERMS_ACCEPTED = (
    (
        EventKind.ORDER_ACCEPTED,
        CommandKind.ENTER,
        ("side", "tif", "flags", "product_index", "price", "tonnes"),
    ),
    (EventKind.BID_ACCEPTED, CommandKind.BID, ("price", "tonnes")),
)
BLOCK_KINDS = tuple(kind for kind in EventKind if kind.name.startswith("BLOCK_"))

VERIFY = module_command("cea_exchange.cli.main", "verify")
VERIFY_S_MAX = 3_600.0


@dataclass(frozen=True)
class ParticipantLog:
    """What a participant wrote down."""

    name: str
    account_index: int
    sent: Rows
    reports: Rows

    @classmethod
    def read(cls, directory: Path, account_index: int) -> "ParticipantLog":
        """Read the two files of a participant's directory, which is named for it."""
        return cls(
            directory.name,
            account_index,
            rows_read(directory / SENT_FILE, COMMAND_DTYPE),
            rows_read(directory / REPORTS_FILE, EVENT_DTYPE),
        )


def audit_all(
    data: Path, directories: list[Path], database: str | None = None
) -> Reconciliation:
    """Run every check on a data folder at rest and its participants' directories.

    Parameters
    ----------
    data : Path
        Of venue and registry, neither of which may be running.
    directories : list of Path
        One per participant, named for it.
    database : str, optional
        The registry's, as `RegistryStore.open_reader` takes it.
    """
    found = Reconciliation()
    try:
        reader = RegistryStore.open_reader(data, database)
    except StoreError as error:
        found.differences.append(f"the registry can't be read: {error}")
        return found
    with reader as store:
        accounts: dict[str, int] = dict(
            store.execute("SELECT account, account_index FROM accounts").fetchall()
        )
        trades = store.execute(
            "SELECT settlement_seq, trade_id, buyer_index, seller_index, product_index, price,"
            " tonnes FROM trades WHERE state = 'settled' ORDER BY settlement_seq"
        ).fetchall()
        records = np.concatenate([*records_from(store)])
    logs = [ParticipantLog.read(each, accounts[each.name]) for each in directories]
    events = venue_events(data)
    for log in logs:
        found.differences += answer_faults(log, events)
        found.differences += report_faults(log, events)
    found.differences += trade_faults(logs, events, trades)
    found.differences += settlement_faults(events, records)
    found.differences += ledger_faults(data, database)
    found.differences += verify_faults(data)
    found.checked = {
        "participants": len(logs),
        "commands": sum(len(log.sent) for log in logs),
        "acceptances": int(np.count_nonzero(is_acceptance(events))),
        "reports": sum(len(log.reports) for log in logs),
        "trades": len(trades),
        "settlement_records": len(records),
        "events": len(events),
        "block_events": int(np.count_nonzero(np.isin(events["kind"], BLOCK_KINDS))),
        "block_trades": int(np.count_nonzero(is_trade_by(Method.BLOCK, events))),
        "bidding_trades": int(np.count_nonzero(is_trade_by(Method.BIDDING, events))),
        **reason_counts(events, EventKind.ORDER_CANCELED, "canceled"),
        **reason_counts(events, EventKind.ORDER_REJECTED, "rejected"),
    }
    return found


def rows_read(path: Path, dtype: np.dtype[Any]) -> Rows:
    """Return the whole records of a file; none if it is not there."""
    content = path.read_bytes() if path.exists() else b""
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)


def positions_of(reports: Rows) -> Rows:
    """Return the reports' numbers in the account's own stream; 0 is an unnumbered refusal.

    Of a trade that it did not take, the account sees no other number than its own as maker.
    """
    return np.where(
        reports["report_seq"] == 0, reports["counter_report_seq"], reports["report_seq"]
    )


def reason_counts(events: Rows, kind: EventKind, name: str) -> dict[str, int]:
    """Count events of a kind by their reason, so that one sees what happened at all."""
    reasons, counts = np.unique(events["reason"][events["kind"] == kind], return_counts=True)
    return {
        f"{name}_{Reason(reason).name.lower()}": count
        for reason, count in zip(reasons.tolist(), counts.tolist(), strict=True)
    }


def venue_events(data: Path) -> Rows:
    """Return all rows of the venue's event store."""
    return events_of(data, event_log_id(data))


def event_log_id(data: Path) -> Any:
    """Return the id of the log that a venue has written, as it said when it listened last."""
    return json.loads((data / "venue" / "endpoints.json").read_text())["log_id"]


def events_of(data: Path, log_id: Any) -> Rows:
    """Return all rows of the event store of a log; a venue that never listened has one too."""
    rows = event_rows_read(data / "events", log_id=log_id)
    return np.frombuffer(rows.read(1, rows.count), EVENT_DTYPE)


def is_acceptance(events: Rows) -> Rows:
    """Mark the events that acknowledge a command."""
    kind = events["kind"]
    accepted = np.isin(kind, ACCEPTANCES)
    requested = np.isin(kind, ACCEPTANCES_IF_REQUESTED) & (events["reason"] == Reason.REQUESTED)
    # A block's trade is the answer to who accepted it.
    return accepted | requested | is_trade_by(Method.BLOCK, events)


def is_trade_by(method: Method, events: Rows) -> Rows:
    """Mark the trades of one method."""
    return (events["kind"] == EventKind.TRADE) & (events["method"] == method)


def answer_faults(log: ParticipantLog, events: Rows) -> Iterator[str]:
    """Every command is answered; what was acknowledged happened, once, and as it was sent."""
    ids = log.sent["client_order_id"]
    if (np.diff(ids.astype(np.int64)) <= 0).any():
        yield f"{log.name}: its log of sent commands is not in order"
    own = log.reports[log.reports["account_index"] == log.account_index]
    refused = own["kind"] == EventKind.ORDER_REJECTED
    shown = own[is_acceptance(own) | refused]
    for lost in np.setdiff1d(ids, shown["client_order_id"])[:3]:
        yield f"{log.name}: command {lost} was sent and never answered"
    accepted = events[is_acceptance(events) & (events["account_index"] == log.account_index)]
    made, counts = np.unique(accepted["client_order_id"], return_counts=True)
    acknowledged = own["client_order_id"][is_acceptance(own)]
    for lost in np.setdiff1d(acknowledged, made)[:3]:
        yield f"{log.name}: acknowledged command {lost} is lost at the venue"
    for twice in made[counts > 1][:3]:
        yield f"{log.name}: command {twice} was accepted twice"
    for strange in np.setdiff1d(made, ids)[:3]:
        yield f"{log.name}: the venue accepted command {strange}, which was never sent"
    for event_kind, command_kind, terms in _TERMS_ACCEPTED:
        orders = accepted[accepted["kind"] == event_kind]
        orders = orders[np.isin(orders["client_order_id"], ids)]
        asked = log.sent[np.searchsorted(ids, orders["client_order_id"])]
        same = asked["kind"] == command_kind
        for field_name in terms:
            same &= asked[field_name] == orders[field_name]
        for other in orders["client_order_id"][~same][:3]:
            name = command_kind.name.lower()
            yield f"{log.name}: {name} {other} was accepted with other terms than were sent"


def report_faults(log: ParticipantLog, events: Rows) -> Iterator[str]:
    """The participant has its reports 1 to n, in order, each as the venue keeps it."""
    positions = positions_of(log.reports)
    numbered, positions = log.reports[positions > 0], positions[positions > 0]
    odd = np.flatnonzero(positions != np.arange(1, len(positions) + 1, dtype=np.uint64))
    if len(odd):
        place, got = int(odd[0]) + 1, int(positions[odd[0]])
        what = "comes again" if got < place else f"is missing, {got} comes next"
        yield f"{log.name}: report {min(place, got)} {what}"
        return
    expected = venue_reports(events, log.account_index)
    if len(expected) != len(numbered):
        yield f"{log.name}: has {len(numbered)} reports, the venue numbered {len(expected)}"
    common = min(len(expected), len(numbered))
    differs = np.flatnonzero(expected[:common] != numbered[:common])
    if len(differs):
        yield f"{log.name}: report {int(differs[0]) + 1} is not the venue's"


def venue_reports(events: Rows, account_index: int) -> Rows:
    """Return an account's reports out of the venue's events, as protocol/order_entry.md says."""
    layouts = (EventKind.DAY_CLOSED, EventKind.CHECKPOINT)
    own = events[
        (events["report_seq"] != 0)
        & (events["account_index"] == account_index)
        & ~np.isin(events["kind"], layouts)
    ]
    made = events[
        np.isin(events["kind"], (EventKind.TRADE, *BLOCK_KINDS))
        & (events["counter_report_seq"] != 0)
        & (events["counter_account_index"] == account_index)
    ]
    # What is the other side's is emptied; `side` is the taker's. Of a block only numbers and ids
    # are: its parties know each other.
    of_block, to_other = (np.isin(rows["kind"], BLOCK_KINDS) for rows in (own, made))
    own["counter_account_index"][~of_block] = made["account_index"][~to_other] = ACCOUNT_NONE
    own["counter_report_seq"] = made["report_seq"] = 0
    own["counter_client_order_id"][~of_block] = made["client_order_id"] = 0
    own["counter_tonnes_open"][~of_block] = made["tonnes_open"][~to_other] = 0
    made["operator_index"] = 0
    trades = own["kind"] == EventKind.TRADE
    own["sell_fee"][trades & (own["side"] == Side.BUY)] = 0
    own["buy_fee"][trades & (own["side"] == Side.SELL)] = 0
    made["buy_fee"][made["side"] == Side.BUY] = 0
    made["sell_fee"][made["side"] == Side.SELL] = 0
    reports = np.concatenate((own, made))
    return reports[np.argsort(positions_of(reports), kind="stable")]


def trade_faults(logs: list[ParticipantLog], events: Rows, settled: list[tuple]) -> Iterator[str]:
    """Each trade was reported to both its sides and is settled once, with the same terms."""
    trades = events[events["kind"] == EventKind.TRADE]
    expected = np.arange(1, len(trades) + 1, dtype=np.uint64)
    if (trades["trade_id"] != expected).any():
        yield "the venue's trades are not numbered 1 to n"
    shown = [log.reports[log.reports["kind"] == EventKind.TRADE] for log in logs]
    for side, of_side in (
        ("taker", [rows[rows["account_index"] != ACCOUNT_NONE] for rows in shown]),
        ("maker", [rows[rows["account_index"] == ACCOUNT_NONE] for rows in shown]),
    ):
        ids = np.concatenate([rows["trade_id"] for rows in of_side])
        counts = np.bincount(ids.astype(np.int64), minlength=len(trades) + 1)
        for odd in np.flatnonzero(counts[1:] != 1)[:3]:
            yield f"trade {odd + 1} was reported to {counts[odd + 1]} {side}s"
    bought = trades["side"] == Side.BUY
    taker, maker = trades["account_index"], trades["counter_account_index"]
    columns = (
        trades["settlement_seq"], trades["trade_id"],
        np.where(bought, taker, maker), np.where(bought, maker, taker),
        trades["product_index"], trades["price"], trades["tonnes"],
    )  # fmt: skip
    made = dict(enumerate(zip(*(column.tolist() for column in columns), strict=True), 1))
    seen = set()
    for row in settled:
        trade_id = row[1]
        if trade_id in seen:
            yield f"trade {trade_id} is settled twice"
        elif made.get(trade_id) != row:
            yield f"trade {trade_id} is settled as {row}, the venue made {made.get(trade_id)}"
        seen.add(trade_id)
    for trade_id in sorted(made.keys() - seen)[:3]:
        yield f"trade {trade_id} was made and is not settled"


def settlement_faults(events: Rows, records: Rows) -> Iterator[str]:
    """The registry has the venue's settlement stream, all of it, record for record."""
    stream = events[events["settlement_seq"] != 0]
    common = min(len(stream), len(records))
    differs = np.flatnonzero(stream[:common] != records[:common])
    if len(differs):
        yield f"settlement record {int(differs[0]) + 1} of the registry is not the venue's"
    if len(stream) != len(records):
        yield f"the registry has {len(records)} settlement records, the venue {len(stream)}"


def ledger_faults(data: Path, database: str | None = None) -> Iterator[str]:
    """The ledger holds, and at the last sequence both sides have the same hash."""
    found = check_ledger(data, database)
    yield from found.differences
    if found.checkpoint_seq != found.last_seq or found.venue_hash != found.registry_hash:
        yield (
            f"at settlement sequence {found.last_seq} both hashes must be known and equal: "
            f"{found.venue_hash} and {found.registry_hash} at {found.checkpoint_seq}"
        )


def verify_faults(data: Path) -> Iterator[str]:
    """`cea-exchange verify` replays the journal and finds every recorded hash and event again."""
    result = subprocess.run(
        [*VERIFY, str(data)], capture_output=True, text=True, check=False, timeout=VERIFY_S_MAX
    )
    if result.returncode:
        yield f"verify: {result.stderr.strip().splitlines()[-1:]}"
