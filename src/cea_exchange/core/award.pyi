from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from cea_exchange.matching.award import AwardRules

def award_arrays(
    bids: NDArray[np.int64], offered_tonnes: SupportsIndex, rules: AwardRules
) -> tuple[NDArray[np.int64], int | None, str | None]: ...
