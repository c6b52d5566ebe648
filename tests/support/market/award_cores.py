"""Both awards behind one signature, for tests that hold of either."""

from collections.abc import Sequence

import numpy as np

from cea_exchange.core.award import award_arrays
from cea_exchange.matching.award import Award, AwardRules, Bid, award


def award_compiled(bids: Sequence[Bid], offered_tonnes: int, rules: AwardRules) -> Award:
    rows = np.array(bids, dtype=np.int64).reshape(-1, len(Bid._fields))
    fills, clearing_price, reason = award_arrays(rows, offered_tonnes, rules)
    return Award(tuple(fills.tolist()), clearing_price, reason)


CORES = {"plain": award, "compiled": award_compiled}
