"""How much longer things may take on a machine that is busy with other work."""

import os


def patience() -> float:
    """Return how many want each processor, at least 1: a bound in seconds is for a free one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
