"""CRC-32C for compiled modules, computed by google-crc32c: one function."""

from libc.stdint cimport uint32_t


# Of what has the CRC `crc` (0 is of nothing), and these bytes after it.
cdef uint32_t crc32c_extend(uint32_t crc, const void* bytes, size_t count) noexcept nogil
