"""What the reference market gives for each workload: nothing is printed that differs from it.

The reference market (plain Python) takes minutes for a workload, so its answers are kept, by the
digest of the command array: those of the standard seeds in expected.json, in git; others in
build/bench. A workload whose digest is in neither is played through the reference market first.
A full run plays the tenth-size workloads again and compares; `python -m bench --reference` plays
all of them and rewrites expected.json.
"""

import hashlib
import json
import sys
from dataclasses import asdict

import numpy as np

from bench.books.engines import batches, market_open, tally_events
from bench.books.tally import Totals, TradeTally, id_mixed
from bench.books.workloads import Workload
from bench.measuring.native import BENCH, BUILD
from bench.measuring.progress import say_sometimes
from cea_exchange.domain.records import EVENT_DTYPE, CommandKind
from cea_exchange.matching.reference import ReferenceMarket

KEPT = BENCH / "books" / "expected.json"
CACHE = BUILD / "expected.json"
BATCH = 2_048


class MixedTally(TradeTally):
    """A tally that turns dense ids into the arbitrary ones first."""

    def add(self, maker, taker, price, tonnes):
        super().add(id_mixed(maker), id_mixed(taker), price, tonnes)


def digest_of(workload: Workload) -> str:
    """32 hex digits of the command array."""
    return hashlib.blake2b(workload.commands.tobytes(), digest_size=16).hexdigest()


def reference_totals(workload: Workload, profile: str = "open") -> dict[str, Totals]:
    """Play a workload of dense ids through the reference market.

    Returns
    -------
    dict
        `dense` and `mixed`: the totals with the ids as they are and as `with_arbitrary_ids`.

    Notes
    -----
    The market gives its own ids, 1, 2, ...: what flow.c gives too.
    """
    market = market_open(ReferenceMarket, profile, workload.order_limit)
    commands = workload.commands.copy()
    if profile == "open":
        commands["order_id"][commands["kind"] == CommandKind.ENTER] = 0
        commands["client_order_id"] = np.arange(1, len(commands) + 1)
    dense, mixed = TradeTally(), MixedTally()
    events = np.zeros(BATCH * 64, EVENT_DTYPE)
    done = 0
    for batch in batches(commands, BATCH):
        while len(batch):
            consumed, produced = market.process(batch, events, True)
            batch = batch[consumed:]
            done += consumed
            for tally in (dense, mixed):
                tally_events(tally, events[:produced])
        say_sometimes(f"reference market, {workload.name}: {done:,} of {len(commands):,}")
    return {"dense": dense.totals(), "mixed": mixed.totals()}


def expected_totals(
    workload: Workload, profile: str = "open", *, again: bool = False
) -> dict[str, Totals]:
    """The reference market's totals for a workload of dense ids, kept or played now."""
    digest = digest_of(workload)
    for path in () if again else (KEPT, CACHE):
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if digest in known:
            return {ids: Totals(**known[digest][ids]) for ids in ("dense", "mixed")}
    totals = reference_totals(workload, profile)
    keep(KEPT if again else CACHE, digest, workload.name, totals)
    return totals


def confirm(workload: Workload, profile: str = "open") -> None:
    """Play a workload again and end the run where the kept answer is another."""
    if reference_totals(workload, profile) != expected_totals(workload, profile):
        sys.exit(f"{workload.name}: the reference market's answer is not what {KEPT.name} says")


def keep(path, digest: str, name: str, totals: dict[str, Totals]) -> None:
    """Add an answer to a file of them."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[digest] = {"workload": name} | {ids: asdict(value) for ids, value in totals.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
