"""What `process` of a book and of a market have in common: arrays in, and what is said of them."""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release
from libc.stdint cimport int64_t

from cea_exchange._arguments cimport buffer_take, exact_bool, records_check
from cea_exchange._records cimport *
from cea_exchange._stream cimport COMMAND_MALFORMED, EVENTS_ALL, EVENTS_TRADES, sink_of

from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE


cdef int batch_open(Batch* batch, object commands, object events, object trades_only) except -1:
    """Borrow a caller's arrays. Their own code may run for that, so ask afterwards who is in."""
    cdef bint trades = exact_bool(trades_only, "trades_only")
    records_check(commands, COMMAND_DTYPE, "commands")
    records_check(events, EVENT_DTYPE, "events")
    buffer_take(commands, &batch.command_view, PyBUF_C_CONTIGUOUS, "commands")
    try:
        buffer_take(events, &batch.event_view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "events")
    except:
        PyBuffer_Release(&batch.command_view)
        raise
    batch.commands = <const CommandRecord*>batch.command_view.buf
    batch.count = batch.command_view.len // <Py_ssize_t>sizeof(CommandRecord)
    batch.sink = sink_of(
        <EventRecord*>batch.event_view.buf,
        batch.event_view.len // <Py_ssize_t>sizeof(EventRecord),
        EVENTS_TRADES if trades else EVENTS_ALL,
    )
    batch.malformed = -1
    batch.consumed = batch.needed = 0
    return 0


cdef int64_t batch_end(const Batch* batch) except -1:
    """How many rows the next command needs, 0 if all were applied; or the row that is none."""
    cdef int64_t row = batch.malformed
    if batch.needed == COMMAND_MALFORMED:
        # Whole a moment ago: another thread writes to the array.
        row = batch.consumed
    if row >= 0:
        raise ValueError(
            f"commands[{row}]: expected a command of the schema, got another: kind, and of an "
            "enter, enquiry or offer side, tif and flags, are within their enums, what does not "
            "apply zero"
        )
    return batch.needed


cdef void batch_close(Batch* batch):
    PyBuffer_Release(&batch.event_view)
    PyBuffer_Release(&batch.command_view)
