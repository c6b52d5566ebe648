"""How large the attacks are, and for how long what is drawn goes on."""

import os

ROUNDS = int(os.environ.get("CEA_TEST_ROUNDS", "1"))


def examples(count: int) -> int:
    """Return so many for each round; three fifths of them by day, where there is one round."""
    return count * ROUNDS if ROUNDS > 1 else count * 3 // 5
