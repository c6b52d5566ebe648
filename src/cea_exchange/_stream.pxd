"""Commands in, events out: what the order book and the market have in common, inline.

Contents: commands, events.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from cea_exchange._records cimport *


# -- Commands -------------------------------------------------------------------------------------

cdef enum:
    COMMAND_MALFORMED = -1    # Given back for a command that is none; nothing was done.


cdef inline bint command_malformed(const CommandRecord* command) noexcept nogil:
    """Whether a record is no command of the schema at all.

    Without a branch: what kind comes next is as good as random.
    """
    return (
        (command.reserved != 0)
        | (command.kind < COMMAND_KIND_ENTER) | (command.kind > COMMAND_KIND_AMEND)
        | ((command.kind == COMMAND_KIND_ENTER) & (
            (command.side < SIDE_BUY) | (command.side > SIDE_SELL)
            | (command.tif > TIF_LAST) | (command.flags > ORDER_FLAG_POST_ONLY)
        ))
    )


cdef inline int64_t row_malformed(const CommandRecord* commands, int64_t count) noexcept nogil:
    """The first record that is no command at all, or -1."""
    cdef int64_t row
    for row in range(count):
        if command_malformed(&commands[row]):
            return row
    return -1


# -- Events ---------------------------------------------------------------------------------------

cdef extern from *:
    """
    #define EVENTS_TRADES (1ULL << 7)
    #define EVENTS_ALL UINT64_MAX

    /* memset of 160 bytes becomes "rep stos", which costs more than all else of an event. */
    typedef long long two_words __attribute__((vector_size(16), aligned(1), may_alias));

    static inline void event_clear(void *row) {
        two_words *words = (two_words *)row;
        const two_words zero = {0, 0};
        words[0] = zero; words[1] = zero; words[2] = zero; words[3] = zero; words[4] = zero;
        words[5] = zero; words[6] = zero; words[7] = zero; words[8] = zero; words[9] = zero;
    }
    """
    const uint64_t EVENTS_TRADES  # Kinds a sink takes, a bit each: 1 << EVENT_KIND_TRADE.
    const uint64_t EVENTS_ALL
    void event_clear(EventRecord* row) noexcept nogil


cdef struct EventSink:        # Where events go.
    EventRecord* rows         # The caller's.
    int64_t capacity
    int64_t count             # Rows written so far.
    uint64_t kinds            # Others are numbered, but not written.


cdef inline EventSink sink_of(EventRecord* rows, int64_t capacity, uint64_t kinds) noexcept nogil:
    cdef EventSink sink
    sink.rows = rows
    sink.capacity = capacity
    sink.count = 0
    sink.kinds = kinds
    return sink


cdef inline bint sink_takes(const EventSink* sink, uint8_t kind) noexcept nogil:
    return (sink.kinds >> kind) & 1


cdef inline bint sink_full(const EventSink* sink, uint8_t kind) noexcept nogil:
    """Whether it has no room for one event of a kind."""
    return sink_takes(sink, kind) and sink.count == sink.capacity
