"""Hashing, inline.

    mix, fold       states, protocol/state_hash.md: a sum of one fold for each entity
    table_place     where a key goes in a table in memory
"""

from libc.stdint cimport uint64_t


cdef inline uint64_t mix(uint64_t word) noexcept nogil:
    """The finalizer of splitmix64."""
    word += <uint64_t>0x9E3779B97F4A7C15
    word = (word ^ (word >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    word = (word ^ (word >> 27)) * <uint64_t>0x94D049BB133111EB
    return word ^ (word >> 31)


cdef inline uint64_t fold(const uint64_t* words, int count) noexcept nogil:
    cdef uint64_t state = 0
    cdef int index
    for index in range(count):
        state = mix(state ^ words[index])
    return state


cdef inline uint64_t table_place(uint64_t key, int bits) noexcept nogil:
    """The first place for a key in a table of 2^bits: 2^64 / golden ratio spreads close keys."""
    return (key * <uint64_t>0x9E3779B97F4A7C15) >> (64 - bits)
