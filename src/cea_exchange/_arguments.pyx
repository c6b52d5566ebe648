"""Arguments from Python: numbers and words, and record arrays, borrowed for the call."""

import numpy as np

from cea_exchange.domain.units import boolean, whole_number

from cpython.buffer cimport PyObject_GetBuffer


cdef tuple SELF_TRADE_WORDS = (
    "allow", "reject", "cancel_resting", "cancel_incoming", "cancel_both",
)


cdef object exact_whole(object value, str name, str expected="int"):
    """The int that a whole number of another type is; its own code may run for that."""
    return whole_number(value, name, expected)


cdef bint other_bool(object value, str name) except -1:
    """The yes or no of another type, as numpy's."""
    return boolean(value, name)


cdef int exact_self_trade(object word) except -1:
    """The `SelfTrade` that a word names."""
    if word not in SELF_TRADE_WORDS:
        raise ValueError(
            f"self_trade: expected one of {', '.join(SELF_TRADE_WORDS)}, got {word!r}"
        )
    return SELF_TRADE_WORDS.index(word)


cdef str self_trade_word(int self_trade):
    return SELF_TRADE_WORDS[self_trade]


cdef int records_check(object array, object dtype, str name) except -1:
    """Refuse what is not a one-dimensional array of the record."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a numpy array, got {type(array).__name__}")
    if array.dtype is not dtype and array.dtype != dtype:
        raise TypeError(f"{name}: expected the record's dtype, got {array.dtype}")
    if array.ndim != 1:
        raise TypeError(f"{name}: expected one dimension, got {array.ndim}")


cdef int64_t numbers_check(object array, str name) except -1:
    """Refuse what is no array of int64 rows; return how many rows it has."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: expected a numpy array, got {type(array).__name__}")
    if array.dtype != np.int64 or array.ndim != 2:
        raise TypeError(
            f"{name}: expected int64 with two dimensions, got {array.dtype} with {array.ndim}"
        )
    return array.shape[0]


cdef int buffer_take(object array, Py_buffer* view, int flags, str name) except -1:
    """Borrow an array's memory; the caller releases it."""
    try:
        PyObject_GetBuffer(array, view, flags)
    except (ValueError, BufferError) as error:
        raise TypeError(
            f"{name}: expected contiguous memory, writable if filled: {error}"
        ) from None
