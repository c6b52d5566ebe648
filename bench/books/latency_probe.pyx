"""Times single commands of an OrderBook through its C interface, without Python in between."""

from libc.stdint cimport int64_t, uint32_t

from cea_exchange._book cimport OrderBook, book_apply
from cea_exchange._records cimport CommandRecord, EventRecord
from cea_exchange._stream cimport EVENTS_ALL, EVENTS_TRADES, EventSink, sink_of


cdef extern from "clock.h" nogil:
    int64_t clock_ticks()


def book_probe(
    OrderBook book, const unsigned char[::1] commands, unsigned char[::1] events,
    uint32_t[::1] ticks, uint32_t[::1] event_counts, bint trades_only,
):
    """Apply every command alone and note the ticks it took and the events it gave.

    Parameters
    ----------
    book : OrderBook
        Nobody else may use it meanwhile.
    commands, events : buffers of bytes
        COMMAND_DTYPE records; room for the EVENT_DTYPE records of one command.
    ticks, event_counts : uint32 arrays
        One number a command.
    trades_only : bool
        Whether events other than trades are written.

    Returns
    -------
    int
        How many commands were applied: less than all when the room was too small.
    """
    cdef int64_t count = commands.shape[0] // <Py_ssize_t>sizeof(CommandRecord)
    cdef const CommandRecord* rows = <const CommandRecord*>&commands[0]
    cdef EventSink sink = sink_of(
        <EventRecord*>&events[0], events.shape[0] // <Py_ssize_t>sizeof(EventRecord),
        EVENTS_TRADES if trades_only else EVENTS_ALL,
    )
    cdef int64_t row, start, end, needed
    with nogil:
        for row in range(count):
            sink.count = 0
            start = clock_ticks()
            needed = book_apply(&book.state, &rows[row], &sink)
            end = clock_ticks()
            ticks[row] = <uint32_t>(end - start)
            event_counts[row] = <uint32_t>sink.count
            if needed != 0:
                break
        else:
            row = count
    return row
