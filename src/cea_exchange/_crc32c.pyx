"""CRC-32C without Python objects: the library's function that google_crc32c has loaded."""

import ctypes

from google_crc32c import _crc32c

ctypedef uint32_t (*extend_call)(uint32_t, const void*, size_t) noexcept nogil

cdef extend_call library_extend = <extend_call><size_t>ctypes.cast(
    ctypes.CDLL(_crc32c.__file__).crc32c_extend, ctypes.c_void_p
).value


cdef uint32_t crc32c_extend(uint32_t crc, const void* bytes, size_t count) noexcept nogil:
    return library_extend(crc, bytes, count)
