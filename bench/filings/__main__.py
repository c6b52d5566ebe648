"""How many planted errors the cross-checks find, by kind, and how many months they name in vain."""

import argparse
import time

from bench.filings.planting import plant
from bench.filings.recall import Recall
from bench.filings.year import nation
from cea_exchange.domain.compliance.plausibility import detect, gather
from cea_exchange.year.nation.members import NATION


def main() -> None:
    """Print the table of a whole nation."""
    parser = argparse.ArgumentParser(prog="python -m bench.filings", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the nation and of the errors")
    parser.add_argument("--each", type=int, default=40, help="errors of each kind")
    parser.add_argument("--scale", type=int, default=1, help="a part of the nation")
    options = parser.parse_args()
    begun = time.perf_counter()
    year = nation(options.seed, options.scale)
    made = time.perf_counter()
    planted = plant(year, options.seed, options.each)
    started = time.perf_counter()
    filings = gather(planted.nation.units, planted.nation.filed, planted.spliced)
    gathered = time.perf_counter()
    findings = detect(filings)
    ended = time.perf_counter()
    print(Recall(findings, planted.where, len(filings.unit)))
    print(
        f"{len(planted.nation.filed)} values of {len(year.units)} units of"
        f" {sum(NATION) // options.scale} enterprises: made in {made - begun:.1f} s, planted in"
        f" {started - made:.1f} s, gathered in {gathered - started:.1f} s, checked in"
        f" {ended - gathered:.1f} s"
    )


if __name__ == "__main__":
    main()
