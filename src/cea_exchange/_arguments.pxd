"""Arguments from Python: whole numbers and record arrays, taken as they are or refused.

Contents: whole numbers, choices, arrays.

Cython's own conversions would turn 60.05 into 60 and True into 1. The numbers are inline, for they
are converted in every call of an order book; whole numbers of another type, as numpy's, take the
longer way of `exact_whole`.
"""

from cpython.bool cimport PyBool_Check
from cpython.long cimport (
    PyLong_AsLongLongAndOverflow, PyLong_AsUnsignedLongLong, PyLong_Check,
    PyLong_CheckExact,
)
from libc.stdint cimport int64_t, uint32_t, uint64_t

from cea_exchange._records cimport SIDE_BUY, SIDE_SELL


cdef object exact_whole(object value, str name, str expected=*)


cdef inline int64_t exact_int64(object value, str name) except? -1:
    cdef int overflow = 0
    cdef int64_t number
    if not PyLong_CheckExact(value):
        value = exact_whole(value, name)
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow != 0:
        raise ValueError(f"{name}: expected at most 64 bits, got {value}")
    return number


cdef inline uint64_t exact_uint64(object value, str name) except? 0xFFFFFFFFFFFFFFFF:
    cdef int overflow = 0
    cdef int64_t number
    if not PyLong_CheckExact(value):
        value = exact_whole(value, name)
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow > 0 and value < 1 << 64:
        return PyLong_AsUnsignedLongLong(value)
    if overflow != 0 or number < 0:
        raise ValueError(f"{name}: expected within 0..2^64-1, got {value}")
    return <uint64_t>number


cdef inline uint32_t exact_uint32(object value, str name) except? 0xFFFFFFFF:
    cdef int64_t number = exact_int64(value, name)
    if not 0 <= number <= 0xFFFFFFFF:
        raise ValueError(f"{name}: expected within 0..2^32-1, got {value}")
    return <uint32_t>number


cdef inline int exact_member(object value, int least, int most, str name, str words) except -1:
    """A number of a closed list, or its member; bools and floats are neither."""
    cdef int overflow = 0
    cdef int64_t number
    if not PyLong_Check(value) or PyBool_Check(value):
        value = exact_whole(value, name, f"int, {words}")
    number = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow != 0 or number < least or number > most:
        raise ValueError(f"{name}: expected {words}, got {value!r}")
    return <int>number


cdef inline int exact_side(object side) except -1:
    return exact_member(side, SIDE_BUY, SIDE_SELL, "side", "1 (buy) or 2 (sell)")


cdef bint other_bool(object value, str name) except -1


cdef inline bint exact_bool(object value, str name) except -1:
    if value is True:
        return True
    if value is False:
        return False
    return other_bool(value, name)


cdef int exact_self_trade(object word) except -1
cdef str self_trade_word(int self_trade)
cdef int records_check(object array, object dtype, str name) except -1
cdef int64_t numbers_check(object array, str name) except -1
cdef int buffer_take(object array, Py_buffer* view, int flags, str name) except -1
