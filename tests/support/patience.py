"""How much longer things may take on a machine that is busy with other work."""

import os

from cea_exchange.institution.control.admin_client import InstitutionRefused

LOOKS_MAX = 5


def patience() -> float:
    """Return how many want each processor, at least 1: a bound in seconds is for a free one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def asked_again(ask):
    """Return what `ask` returns; again, as a person would, where a busy machine gave up a look."""
    for _ in range(LOOKS_MAX - 1):
        try:
            return ask()
        except InstitutionRefused as error:
            if error.answer["code"] != "TOO_SLOW":
                raise
    return ask()
