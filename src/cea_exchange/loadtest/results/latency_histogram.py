"""Latencies in an HDR histogram: three significant digits from a microsecond to ten minutes.

Buckets, percentiles and the text form are those of HdrHistogram (hdrhistogram.org), whose tools
read what `encode` writes; numpy does what its Python package needs a compiled module and, at run
time, a build tool for.
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

LATENCY_NS_MIN = 1_000
LATENCY_NS_MAX = 600 * 10**9
SIGNIFICANT_DIGITS = 3

_UNIT_BITS = 9
"""Of the largest power of two up to the smallest latency: what is finer is not told apart."""
_HALF_BITS = 10
"""A bucket's values differ in so many bits, which are three digits and some more."""
_HALF = 1 << _HALF_BITS
_BUCKET_BITS = _UNIT_BITS + _HALF_BITS + 1
"""The first bucket has all values of no more bits; each further one those of one bit more."""
_BUCKETS = (LATENCY_NS_MAX >> _UNIT_BITS).bit_length() - _HALF_BITS
_COUNTS = (_BUCKETS + 1) * _HALF

_COOKIE, _COOKIE_COMPRESSED = 0x1C849313, 0x1C849314
"""Version 2 of the form, with counts of any length."""
_OUTER = struct.Struct(">II")
_HEADER = struct.Struct(">IIIIQQd")
_SETTING = (0, SIGNIFICANT_DIGITS, LATENCY_NS_MIN, LATENCY_NS_MAX, 1.0)
_PAYLOAD_BYTES_MAX = 4 << 20


class LatencyHistogram:
    """How often which latency was seen, in nanoseconds; sums of histograms lose nothing."""

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(_COUNTS, np.int64)

    def record(self, latency_ns: int) -> None:
        """Count a latency; beyond ten minutes counts as ten minutes, likewise below the least."""
        value = min(max(int(latency_ns), LATENCY_NS_MIN), LATENCY_NS_MAX)
        bucket = max(value.bit_length() - _BUCKET_BITS, 0)
        self._counts[(bucket << _HALF_BITS) + (value >> (bucket + _UNIT_BITS))] += 1

    def record_all(self, latencies_ns: NDArray[np.int64]) -> None:
        """Count many latencies at once."""
        values = np.clip(latencies_ns, LATENCY_NS_MIN, LATENCY_NS_MAX)
        # Below 2^53 a float knows how many bits a number has.
        bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
        buckets = np.maximum(bits - _BUCKET_BITS, 0)
        indexes = (buckets << _HALF_BITS) + (values >> (buckets + _UNIT_BITS))
        self._counts += np.bincount(indexes, minlength=_COUNTS)

    def add(self, other: "LatencyHistogram") -> None:
        """Add all that another one has."""
        self._counts += other._counts

    @property
    def count(self) -> int:
        """Return how many latencies there are."""
        return int(self._counts.sum())

    @property
    def max(self) -> int:
        """Return the largest, to three digits; 0 where there is none."""
        seen = np.flatnonzero(self._counts)
        return _highest(int(seen[-1])) if len(seen) else 0

    def at(self, percentile: float) -> int:
        """Return what so many percent of the latencies are not above; 0 where there is none."""
        sums = np.cumsum(self._counts)
        if not sums[-1]:
            return 0
        wanted = max(int(min(percentile, 100.0) * int(sums[-1]) / 100 + 0.5), 1)
        index = int(np.searchsorted(sums, wanted))
        return _highest(index) if percentile else _lowest(index)

    # -- Its text ----------------------------------------------------------------------------------

    def encode(self) -> str:
        """Return it in HdrHistogram's own text form."""
        seen = np.flatnonzero(self._counts)
        counts = self._counts[: int(seen[-1]) + 1 if len(seen) else 0].tolist()
        written = b"".join(_number(number) for number in _runs(counts))
        payload = zlib.compress(_HEADER.pack(_COOKIE, len(written), *_SETTING) + written)
        return base64.b64encode(_OUTER.pack(_COOKIE_COMPRESSED, len(payload)) + payload).decode()

    @classmethod
    def decode(cls, text: str) -> "LatencyHistogram":
        """Return the histogram that `encode` wrote down.

        Raises
        ------
        ValueError
            It is none, is cut, or has other settings than this one.
        """
        try:
            outer = base64.b64decode(text, validate=True)
            cookie, length = _OUTER.unpack_from(outer)
            payload = outer[_OUTER.size :]
            if (cookie, length) != (_COOKIE_COMPRESSED, len(payload)):
                raise ValueError(f"expected {_COOKIE_COMPRESSED:x} and {length} bytes, got"
                                 f" {cookie:x} and {len(payload)}")  # fmt: skip
            unpacking = zlib.decompressobj()
            data = unpacking.decompress(payload, _PAYLOAD_BYTES_MAX)
            if not unpacking.eof:
                raise ValueError(f"expected all in {_PAYLOAD_BYTES_MAX} bytes")
            cookie, length, *setting = _HEADER.unpack_from(data)
            if (cookie, *setting) != (_COOKIE, *_SETTING):
                raise ValueError(f"expected the settings {_SETTING}, got {tuple(setting)}")
            written = data[_HEADER.size :]
            if length != len(written):
                raise ValueError(f"expected {length} bytes of counts, got {len(written)}")
            found = cls()
            found._counts_read(_numbers(written))
        except (binascii.Error, struct.error, zlib.error, ValueError) as error:
            raise ValueError(f"histogram: expected a whole one, got one where {error}") from error
        return found

    def _counts_read(self, numbers: Iterable[int]) -> None:
        index = 0
        for number in numbers:
            if number > 0:
                if index >= _COUNTS:
                    raise ValueError(f"more than {_COUNTS} counts come")
                self._counts[index] = number
            # A negative one is a run of zeros.
            index += max(1, -number)


def _lowest(index: int) -> int:
    bucket = max((index >> _HALF_BITS) - 1, 0)
    return (index - (bucket << _HALF_BITS)) << (bucket + _UNIT_BITS)


def _highest(index: int) -> int:
    bucket = max((index >> _HALF_BITS) - 1, 0)
    return _lowest(index) + (1 << (bucket + _UNIT_BITS)) - 1


def _runs(counts: Iterable[int]) -> Iterator[int]:
    """Yield counts, and for zeros in a row how many, as a negative number."""
    zeros = 0
    for count in counts:
        if count == 0:
            zeros += 1
            continue
        if zeros:
            yield -zeros
        zeros = 0
        yield count


def _number(number: int) -> bytes:
    """Write a number so that small ones are short: seven bits a byte, the sign in the lowest."""
    left = (number << 1) ^ (number >> 63)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


def _numbers(written: bytes) -> Iterator[int]:
    left = shift = 0
    for byte in written:
        left |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63:
            raise ValueError("a count has more than 63 bits")
        if byte < 0x80:
            yield (left >> 1) ^ -(left & 1)
            left = shift = 0
    if shift:
        raise ValueError("the last count is cut")
