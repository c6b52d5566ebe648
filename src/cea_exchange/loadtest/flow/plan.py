"""The commands of a run, drawn before it: each with its time, its participant and its terms.

Which order a cancel is aimed at is decided just before it is due: not before is it known what is
open.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cea_exchange.domain.records import CommandKind, Side
from cea_exchange.loadtest.flow.arrivals import Times
from cea_exchange.loadtest.flow.workload import (
    DEPTH,
    INTENTIONS,
    LABELS,
    REFUSED,
    Workload,
    WorkloadError,
)
from cea_exchange.loadtest.population import PricePath
from cea_exchange.loadtest.targets.target import Participants

TEN_THOUSANDTHS = 10_000
NOBODY = -1


class PlannedRow(NamedTuple):
    """One command to be sent."""

    due_ns: int
    label: int
    kind: int
    participant: int
    product: int
    side: int
    tif: int
    flags: int
    price: int
    tonnes: int
    counterparty: int
    order_row: int
    """Of a recorded cancel: the row that entered its order, from 1; 0 where any will do."""


class Plan:
    """A column for each field of `PlannedRow`."""

    def __init__(self, columns: dict[str, NDArray[np.int64]]) -> None:
        self._columns = [columns[name] for name in PlannedRow._fields]

    def __len__(self) -> int:
        return len(self._columns[0])

    def rows(self, first: int, count: int) -> list[PlannedRow]:
        """Return some of the rows."""
        part = (column[first : first + count].tolist() for column in self._columns)
        return list(map(PlannedRow._make, zip(*part, strict=True)))

    def first(self, count: int) -> "Plan":
        """Return the beginning of it."""
        pairs = zip(PlannedRow._fields, self._columns, strict=True)
        return Plan({name: column[:count] for name, column in pairs})

    def column(self, name: str) -> NDArray[np.int64]:
        """Return one of the columns."""
        return self._columns[PlannedRow._fields.index(name)]


def plan_draw(
    workload: Workload, times: Times, participants: Participants, *, seed: int, process_index: int
) -> Plan:
    """Draw a plan.

    Parameters
    ----------
    times
        When this process's commands are due.
    participants
        Whose; those that it hosts act.
    """
    draw = np.random.default_rng([0x9A11, seed, process_index])
    return Plan(_columns(workload, times, participants, draw, seed=seed))


def depth_draw(
    workload: Workload, count: int, participants: Participants, *, seed: int, process_index: int
) -> Plan:
    """Draw orders that shall rest on the book before the clock starts; all are due at once."""
    draw = np.random.default_rng([0xDE97, seed, process_index])
    resting = Workload(mix={"passive": 1}, products=workload.products, tonnes=workload.tonnes)
    columns = _columns(resting, np.zeros(count, np.int64), participants, draw, seed=seed)
    columns["label"][:] = LABELS.index(DEPTH)
    return Plan(columns)


def _columns(
    workload: Workload,
    times: Times,
    participants: Participants,
    draw: np.random.Generator,
    *,
    seed: int,
) -> dict[str, NDArray[np.int64]]:
    count = len(times)
    names = list(workload.mix)
    weights = np.array([workload.mix[name] for name in names], np.float64)
    chosen = draw.choice(len(names), size=count, p=weights / weights.sum())
    intentions = [INTENTIONS[name] for name in names]

    def of_intention(values: list[int]) -> NDArray[np.int64]:
        return np.array(values, np.int64)[chosen]

    participant = np.array(participants.hosted, np.int64)[
        draw.integers(len(participants.hosted), size=count)
    ]
    product = draw.integers(len(participants.products), size=count)
    kind = of_intention([each.kind for each in intentions])
    is_bid = np.isin(kind, (CommandKind.BID, CommandKind.BID_CANCEL))
    participant[is_bid], product[is_bid] = _bidders(participants, int(is_bid.sum()), draw)
    side = np.array(participants.sides, np.int64)[participant, product]
    away = draw.integers(
        of_intention([each.away[0] for each in intentions]),
        of_intention([each.away[1] for each in intentions]) + 1,
    )
    tonnes = np.array(workload.tonnes, np.int64)[draw.integers(len(workload.tonnes), size=count)]
    is_block = kind == CommandKind.BLOCK_OFFER
    blocks = np.array(workload.block_tonnes, np.int64)
    tonnes[is_block] = blocks[draw.integers(len(blocks), size=int(is_block.sum()))]
    columns = {
        "due_ns": times,
        "label": of_intention([LABELS.index(name) for name in names]),
        "kind": kind,
        "participant": participant,
        "product": product,
        "side": side,
        "tif": of_intention([each.tif for each in intentions]),
        "flags": of_intention([each.flags for each in intentions]),
        "price": _prices(workload, participants, product, side, away, times, seed),
        "tonnes": tonnes,
        "counterparty": _counterparties(participants, product, side, is_block, draw),
        "order_row": np.zeros(count, np.int64),
    }
    _refused_make(columns, workload, draw)
    return columns


def _bidders(
    participants: Participants, count: int, draw: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return participants and products of bids: who bids buys, as the applicants sell."""
    buyers = [
        (participant, product)
        for participant in participants.hosted
        for product, side in enumerate(participants.sides[participant])
        if side == Side.BUY
    ]
    if count and not buyers:
        raise WorkloadError("bid: expected a participant of each process that buys, got none")
    chosen = np.array(buyers, np.int64).reshape(-1, 2)
    rows = chosen[draw.integers(len(buyers), size=count)] if count else chosen[:0]
    return rows[:, 0], rows[:, 1]


def _refused_make(
    columns: dict[str, NDArray[np.int64]], workload: Workload, draw: np.random.Generator
) -> None:
    is_refused = draw.random(len(columns["kind"])) < workload.refused
    columns["label"][is_refused] = LABELS.index(REFUSED)
    columns["kind"][is_refused] = CommandKind.ENTER
    for name in ("tonnes", "tif", "flags"):
        columns[name][is_refused] = 0


def _prices(
    workload: Workload,
    participants: Participants,
    product: NDArray[np.int64],
    side: NDArray[np.int64],
    away: NDArray[np.int64],
    times: Times,
    seed: int,
) -> NDArray[np.int64]:
    """Return prices around a walk that all processes know alike, by the time."""
    references = [workload.products[name] for name in participants.products]
    prices = np.zeros(len(product), np.int64)
    for index, (name, reference) in enumerate(zip(participants.products, references, strict=True)):
        path = PricePath(name, reference, seed=seed).at_times(times)
        # Half up, so that a small price has steps too.
        step = (np.abs(away) * reference + TEN_THOUSANDTHS // 2) // TEN_THOUSANDTHS
        behind = np.where(away < 0, -step, step)
        here = np.where(side == Side.BUY, path - behind, path + behind)
        prices = np.where(product == index, np.maximum(here, 1), prices)
    return prices


def _counterparties(
    participants: Participants,
    product: NDArray[np.int64],
    side: NDArray[np.int64],
    is_block: NDArray[np.bool_],
    draw: np.random.Generator,
) -> NDArray[np.int64]:
    """Return, for blocks, somebody on the other side."""
    sides = np.array(participants.sides, np.int64)
    found = np.full(len(product), NOBODY, np.int64)
    for row in np.flatnonzero(is_block):
        others = np.flatnonzero(sides[:, product[row]] != side[row])
        if len(others):
            found[row] = others[draw.integers(len(others))]
    return found
