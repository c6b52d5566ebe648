"""How large the attacks are."""

import os

ROUNDS = int(os.environ.get("CEA_TEST_ROUNDS", "1"))
