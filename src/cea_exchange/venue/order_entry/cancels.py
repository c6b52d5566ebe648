"""Which commands only cancel or withdraw."""

import numpy as np

from cea_exchange.domain.records import CommandKind


def is_cancel(records: np.ndarray) -> np.ndarray:
    """Return, per command, whether it only takes something back: never kept from anybody.

    Notes
    -----
    Rules: CEA-ORD-06, CEA-BLK-03, CEA-BID-05.
    """
    kind = records["kind"]
    ends_a_block = (kind == CommandKind.BLOCK_WITHDRAW) | (kind == CommandKind.BLOCK_REJECT)
    return (kind == CommandKind.CANCEL) | ends_a_block | (kind == CommandKind.BID_CANCEL)
