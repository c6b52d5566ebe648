"""Closed lists that both requests and services know: why a plan changes, parts of accounts, ..."""

from typing import Literal

Cause = Literal[
    "new_facility_or_fuel", "better_meter", "data_wrong", "more_accurate", "against_guideline",
    "ministry",
]  # fmt: skip
"""Why a plan that counts may be changed, and for nothing else."""

Part = Literal["registry", "voluntary"]
"""Of an enterprise's account: for registry and trading, and for the voluntary market."""

Irregularity = Literal["unapproved_unit", "unapproved_uprating", "faulty_sampling"]
"""What a verifier reports to a province."""
