"""A product's totals of a day, put together from the halves in a DayClosed record."""

import numpy as np

from cea_exchange.domain.enums import Method


def day_volume(closed: np.void, method: Method) -> int:
    """Return the tonnes that a method traded."""
    name = f"volume_{method.name.lower()}"
    return int(closed[f"{name}_high"]) << 64 | int(closed[name])


def day_volume_intra_group(closed: np.void) -> int:
    """Return the tonnes that blocks traded between accounts of one group."""
    return int(closed["volume_intra_group_high"]) << 64 | int(closed["volume_intra_group"])


def day_amount(closed: np.void, method: Method) -> int:
    """Return the fen that a method traded."""
    name = f"amount_{method.name.lower()}"
    return int(closed[f"{name}_high"]) << 64 | int(closed[f"{name}_low"])
