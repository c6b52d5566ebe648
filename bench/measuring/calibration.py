"""The machine at this moment, in two numbers printed beside every figure."""

import ctypes
import functools
from dataclasses import dataclass

from bench.measuring.native import library

CHASE_BYTES = 64 << 20
LOOP_STEPS = 5_000_000
CHASE_STEPS = 200_000


@dataclass(frozen=True)
class Calibration:
    """ns a step of an integer loop, and of a random pointer chase through 64 MiB."""

    loop_ns: float
    chase_ns: float

    def __str__(self) -> str:
        return f"{self.loop_ns:.2f} / {self.chase_ns:.0f}"


@functools.cache
def _probes() -> tuple[ctypes.CDLL, ctypes.c_void_p]:
    probes = library("measuring/calibration.c")
    probes.integer_loop_ns.restype = ctypes.c_double
    probes.pointer_chase_ns.restype = ctypes.c_double
    probes.chase_open.restype = ctypes.c_void_p
    ring = ctypes.c_void_p(probes.chase_open(ctypes.c_int64(CHASE_BYTES)))
    if not ring:
        raise MemoryError("no memory for the pointer chase")
    return probes, ring


def calibrate() -> Calibration:
    """Measure now; takes about 40 ms."""
    probes, ring = _probes()
    return Calibration(
        probes.integer_loop_ns(ctypes.c_int64(LOOP_STEPS)),
        probes.pointer_chase_ns(ring, ctypes.c_int64(CHASE_STEPS)),
    )
