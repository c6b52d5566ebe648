"""CRC-32C without Python objects: the library's function that google_crc32c has loaded."""

import ctypes

from google_crc32c import _crc32c

from libc.stdint cimport uint8_t, uint64_t

ctypedef uint32_t (*extend_call)(uint32_t, const void*, size_t) noexcept nogil

cdef extend_call library_extend = <extend_call><size_t>ctypes.cast(
    ctypes.CDLL(_crc32c.__file__).crc32c_extend, ctypes.c_void_p
).value


cdef uint32_t crc32c_extend(uint32_t crc, const void* bytes, size_t count) noexcept nogil:
    return library_extend(crc, bytes, count)


cdef inline uint32_t row_sum(const uint8_t* row, size_t row_bytes, uint64_t number) noexcept nogil:
    """Of a row's number, little-endian, and the row."""
    return crc32c_extend(crc32c_extend(0, &number, sizeof(number)), row, row_bytes)


def row_sums(const uint8_t[::1] rows, size_t row_bytes, uint64_t first):
    """Return the checksums of whole rows, of which the first has the number `first`."""
    cdef size_t count = rows.shape[0] // row_bytes
    cdef bytearray sums = bytearray(count * sizeof(uint32_t))
    cdef uint32_t* sum = <uint32_t*><char*>sums
    cdef size_t place
    if count:
        with nogil:
            for place in range(count):
                sum[place] = row_sum(&rows[place * row_bytes], row_bytes, first + place)
    return bytes(sums)


def row_damaged(const uint8_t[::1] rows, size_t row_bytes, uint64_t first, sums):
    """Return the number of the first row whose checksum is another than in `sums`; None if none is.

    Other threads run on meanwhile.
    """
    cdef const uint8_t[::1] known = sums
    cdef size_t count = rows.shape[0] // row_bytes
    cdef const uint32_t* sum
    cdef size_t place = 0
    if known.shape[0] != count * sizeof(uint32_t):
        raise ValueError(f"expected sums of {count} rows, got {known.shape[0]} bytes")
    if not count:
        return None
    sum = <const uint32_t*>&known[0]
    with nogil:
        while place < count:
            if sum[place] != row_sum(&rows[place * row_bytes], row_bytes, first + place):
                break
            place += 1
    return None if place == count else first + place
