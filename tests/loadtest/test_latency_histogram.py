"""The histogram of latencies is HdrHistogram's: the same counts, percentiles and text."""

import base64
import zlib

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram

from cea_exchange.loadtest.results.latency_histogram import (
    LATENCY_NS_MAX,
    LATENCY_NS_MIN,
    SIGNIFICANT_DIGITS,
    LatencyHistogram,
)

PERCENTILES = (0, 1, 10, 50, 75, 90, 99, 99.9, 99.99, 99.999, 100)
DRAWN = np.random.default_rng(23)
CASES = {
    "none": np.zeros(0, np.int64),
    "one": np.array([1_234_567]),
    "around every power of two": np.concatenate(
        [(1 << np.arange(10, 40)) + off for off in (-1, 0, 1)]
    ),
    "both ends and beyond": np.array([0, 1, 999, 1_000, LATENCY_NS_MAX, LATENCY_NS_MAX + 1, 2**60]),
    "log-normal": DRAWN.lognormal(14, 2, 5_000).astype(np.int64),
    "uniform": DRAWN.integers(1_000, 10**10, 5_000),
    "the same often": np.full(3_000, 50_000),
}


def theirs(values) -> HdrHistogram:
    histogram = HdrHistogram(LATENCY_NS_MIN, LATENCY_NS_MAX, SIGNIFICANT_DIGITS)
    for value in np.clip(values, LATENCY_NS_MIN, LATENCY_NS_MAX).tolist():
        histogram.record_value(value)
    return histogram


def ours(values) -> LatencyHistogram:
    histogram = LatencyHistogram()
    histogram.record_all(np.asarray(values, np.int64))
    return histogram


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_figures_and_text_are_those_of_the_library(values):
    histogram, library = ours(values), theirs(values)
    assert histogram.count == library.get_total_count() == len(values)
    assert histogram.max == library.get_max_value()
    for percentile in PERCENTILES:
        assert histogram.at(percentile) == library.get_value_at_percentile(percentile)
    # zlib may pack otherwise elsewhere; what is packed is the same.
    written, expected = (base64.b64decode(text) for text in (histogram.encode(), library.encode()))
    assert written[:4] == expected[:4]
    assert zlib.decompress(written[8:]) == zlib.decompress(expected[8:])


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_each_reads_what_the_other_wrote(values):
    library = theirs(values)
    for read in (LatencyHistogram.decode(library.encode().decode()),
                 LatencyHistogram.decode(ours(values).encode())):  # fmt: skip
        assert read.count == len(values)
        assert [read.at(p) for p in PERCENTILES] == [ours(values).at(p) for p in PERCENTILES]
    read = HdrHistogram.decode(ours(values).encode())
    assert read.get_total_count() == len(values)
    assert read.get_value_at_percentile(99) == library.get_value_at_percentile(99)


def test_one_by_one_is_the_same_as_all_at_once_and_as_a_sum():
    for values in CASES.values():
        single, half = LatencyHistogram(), LatencyHistogram()
        for value in values.tolist():
            single.record(value)
        half.record_all(values[::2])
        half.add(ours(values[1::2]))
        assert single.encode() == half.encode() == ours(values).encode()


def test_what_is_no_histogram_is_refused_with_words():
    good = ours(CASES["log-normal"]).encode()
    other = HdrHistogram(1, 10**6, 2)
    other.record_value(5)
    raw = base64.b64decode(good)
    unpacked = zlib.decompress(raw[8:])
    huge = zlib.compress(unpacked + b"\0" * (5 << 20))
    for text in (
        *("", "no base64!", good[:-8], good[:40], "AAAA" + good[4:]),
        other.encode().decode(),
        base64.b64encode(raw[:4] + len(huge).to_bytes(4) + huge).decode(),
    ):
        with pytest.raises(ValueError, match="^histogram: expected a whole one, got one where "):
            LatencyHistogram.decode(text)


@pytest.mark.parametrize("counts", [b"\x80", b"\xff" * 10 + b"\x01", b"\x02" * 40_000])
def test_counts_that_are_cut_too_long_or_too_many_are_refused(counts):
    raw = base64.b64decode(ours([]).encode())
    header = bytearray(zlib.decompress(raw[8:]))
    header[4:8] = len(counts).to_bytes(4)
    payload = zlib.compress(bytes(header) + counts)
    text = base64.b64encode(raw[:4] + len(payload).to_bytes(4) + payload).decode()
    with pytest.raises(ValueError, match="^histogram: "):
        LatencyHistogram.decode(text)
