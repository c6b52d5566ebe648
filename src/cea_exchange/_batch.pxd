"""A batch of commands and the space for its events: a caller's arrays, borrowed for one call.

    Batch           the arrays as rows, and what came of them
    batch_open      borrows them, or says what is wrong with them
    batch_end       says which row was no command, or how many rows the next one needs
    batch_close     gives them back

Between opening and closing whoever is asked applies `commands` to its state, without the GIL.
"""

from libc.stdint cimport int64_t

from cea_exchange._records cimport CommandRecord
from cea_exchange._stream cimport EventSink


cdef struct Batch:
    Py_buffer command_view
    Py_buffer event_view
    const CommandRecord* commands
    int64_t count
    EventSink sink
    int64_t malformed         # The first row that is no command at all, or -1; to be looked for.
    int64_t consumed          # Commands applied.
    int64_t needed            # What the next one gave.


cdef int batch_open(Batch* batch, object commands, object events, object trades_only) except -1
cdef int64_t batch_end(const Batch* batch) except -1
cdef void batch_close(Batch* batch)
