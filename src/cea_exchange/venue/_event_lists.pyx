"""Growing lists of event sequences, of which only the ends are kept in memory.

Contents: lists, taking events in, reading, the state, comparing.

    an account's reports | the settlement stream | what an operator's commands were accepted by

A list grows in blocks of `BLOCK_BYTES`. A full block gets a number and goes to a file, which
venue/durability/event_index.py keeps; here stays its number, and of acceptances the id it begins
with. One pass over a batch of events feeds all lists.
"""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from cea_exchange._arguments cimport buffer_take, exact_uint32, exact_uint64, records_check
from cea_exchange._records cimport *
from cea_exchange.core.accounts cimport OPERATORS_MAX
from cea_exchange.journal._crc32c cimport crc32c_extend

from cea_exchange.domain.records import EVENT_DTYPE

cdef enum:
    REPORT_WORDS = 1          # An entry of a report or settlement list: the event's sequence.
    ACCEPTED_WORDS = 2        # An entry of an acceptance list: the command's id, then the event's.
    ACCEPTED_PER_BLOCK = BLOCK_WORDS // ACCEPTED_WORDS

cdef enum:                    # What taking events in comes to.
    TAKEN = 0
    NO_MEMORY = -1
    OUT_OF_ORDER = -2

BLOCK_BYTES = BLOCK_WORDS * 8
BLOCK_ROW_BYTES = sizeof(BlockRow)
SETTLEMENT = <uint32_t>ACCOUNT_NONE


# -- Lists ----------------------------------------------------------------------------------------

cdef void stream_free(Stream* stream) noexcept nogil:
    free(stream.blocks)
    free(stream.first_ids)
    free(stream.open)
    memset(stream, 0, sizeof(Stream))


cdef int block_note(Stream* stream, uint32_t number, uint64_t first_id, int words) noexcept nogil:
    """Keep the number of a full block; for acceptances its first id too."""
    cdef uint32_t capacity
    cdef void* grown
    if stream.block_count == stream.block_capacity:
        capacity = 2 * stream.block_capacity + 4
        grown = realloc(stream.blocks, capacity * sizeof(uint32_t))
        if grown == NULL:
            return NO_MEMORY
        stream.blocks = <uint32_t*>grown
        if words == ACCEPTED_WORDS:
            grown = realloc(stream.first_ids, capacity * sizeof(uint64_t))
            if grown == NULL:
                return NO_MEMORY
            stream.first_ids = <uint64_t*>grown
        stream.block_capacity = capacity
    stream.blocks[stream.block_count] = number
    if words == ACCEPTED_WORDS:
        stream.first_ids[stream.block_count] = first_id
    stream.block_count += 1
    return TAKEN


cdef inline uint64_t block_sum(uint64_t number, const uint64_t* words) noexcept nogil:
    return crc32c_extend(
        crc32c_extend(0, &number, sizeof(number)), words, BLOCK_WORDS * sizeof(uint64_t)
    )


cdef int block_finish(Lists* lists, Stream* stream, int words) noexcept nogil:
    """Send a list's full block on its way to the file, and begin the next."""
    cdef uint32_t capacity
    cdef void* grown
    cdef BlockRow* row
    if lists.pending_count == lists.pending_capacity:
        capacity = 2 * lists.pending_capacity + 16
        grown = realloc(lists.pending, capacity * sizeof(BlockRow))
        if grown == NULL:
            return NO_MEMORY
        lists.pending = <BlockRow*>grown
        lists.pending_capacity = capacity
    if block_note(stream, lists.block_next, stream.open[0], words) != TAKEN:
        return NO_MEMORY
    row = &lists.pending[lists.pending_count]
    memcpy(row.words, stream.open, sizeof(row.words))
    row.checksum = block_sum(lists.block_next, row.words)
    lists.pending_count += 1
    lists.block_next += 1
    return TAKEN


cdef inline int open_begin(Stream* stream) noexcept nogil:
    if stream.open == NULL:
        stream.open = <uint64_t*>malloc(BLOCK_WORDS * sizeof(uint64_t))
    return NO_MEMORY if stream.open == NULL else TAKEN


cdef inline int number_push(
    Lists* lists, Stream* stream, uint64_t number, uint64_t event_seq,
) noexcept nogil:
    """Add the event that a numbered stream has as `number`."""
    cdef uint32_t place = stream.count % BLOCK_WORDS
    if stream.count == 0:
        stream.first_number = number
    elif number != stream.first_number + stream.count:
        return OUT_OF_ORDER
    if open_begin(stream) != TAKEN:
        return NO_MEMORY
    stream.open[place] = event_seq
    stream.count += 1
    if place + 1 == BLOCK_WORDS:
        return block_finish(lists, stream, REPORT_WORDS)
    return TAKEN


cdef inline int accepted_push(
    Lists* lists, Stream* stream, uint64_t client_order_id, uint64_t event_seq,
) noexcept nogil:
    cdef uint32_t place = stream.count % ACCEPTED_PER_BLOCK
    if open_begin(stream) != TAKEN:
        return NO_MEMORY
    stream.open[ACCEPTED_WORDS * place] = client_order_id
    stream.open[ACCEPTED_WORDS * place + 1] = event_seq
    stream.count += 1
    if place + 1 == ACCEPTED_PER_BLOCK:
        return block_finish(lists, stream, ACCEPTED_WORDS)
    return TAKEN


# -- Taking events in -----------------------------------------------------------------------------

cdef int accounts_reserve(Lists* lists, uint32_t count) noexcept nogil:
    """Have lists for that many accounts at least."""
    cdef uint32_t capacity = lists.account_count
    cdef void* reports
    cdef void* accepted
    if count <= capacity:
        return TAKEN
    capacity = count + count // 2 + 64
    reports = realloc(lists.reports, capacity * sizeof(Stream))
    if reports == NULL:
        return NO_MEMORY
    lists.reports = <Stream*>reports
    accepted = realloc(lists.accepted, <size_t>capacity * OPERATORS_MAX * sizeof(Stream))
    if accepted == NULL:
        return NO_MEMORY
    lists.accepted = <Stream*>accepted
    memset(
        &lists.reports[lists.account_count], 0,
        (capacity - lists.account_count) * sizeof(Stream),
    )
    memset(
        &lists.accepted[<size_t>lists.account_count * OPERATORS_MAX], 0,
        <size_t>(capacity - lists.account_count) * OPERATORS_MAX * sizeof(Stream),
    )
    lists.account_count = capacity
    return TAKEN


cdef void accepted_clear(Lists* lists) noexcept nogil:
    cdef size_t index
    for index in range(<size_t>lists.account_count * OPERATORS_MAX):
        stream_free(&lists.accepted[index])


cdef inline bint accepts(const EventRecord* event) noexcept nogil:
    """Whether an event is the answer to an accepted command."""
    if event.kind == EVENT_KIND_ORDER_CANCELED or event.kind == EVENT_KIND_BLOCK_WITHDRAWN:
        return event.reason == REASON_REQUESTED
    if event.kind == EVENT_KIND_BID_CANCELED:
        # One that the operator ended answers no command.
        return event.reason == REASON_REQUESTED and event.client_order_id != 0
    if event.kind == EVENT_KIND_TRADE:
        # One that the exchange confirmed answers its act; the command was answered before.
        return event.method == METHOD_BLOCK and event.client_order_id != 0
    return (
        event.kind == EVENT_KIND_BLOCK_AGREED or
        event.kind == EVENT_KIND_ORDER_ACCEPTED or event.kind == EVENT_KIND_ORDER_AMENDED
        or event.kind == EVENT_KIND_BID_ACCEPTED
        or EVENT_KIND_BLOCK_ENQUIRED <= event.kind <= EVENT_KIND_BLOCK_REJECTED
    )


cdef inline int report_push(
    Lists* lists, uint32_t account_index, uint64_t report_seq, uint64_t event_seq,
) noexcept nogil:
    if account_index >= lists.account_count:
        if account_index == ACCOUNT_NONE:
            return OUT_OF_ORDER
        if accounts_reserve(lists, account_index + 1) != TAKEN:
            return NO_MEMORY
    return number_push(lists, &lists.reports[account_index], report_seq, event_seq)


cdef int event_take(Lists* lists, const EventRecord* event) noexcept nogil:
    cdef int status = TAKEN
    cdef bint is_own = event.report_seq != 0 and event.kind != EVENT_KIND_DAY_CLOSED
    cdef bint is_counter = event.counter_report_seq != 0 and (
        event.kind == EVENT_KIND_TRADE
        or EVENT_KIND_TRADE_BUSTED <= event.kind <= EVENT_KIND_BLOCK_LAPSED
        or event.kind == EVENT_KIND_BLOCK_AGREED
    )
    # A trade with oneself is two reports of one account, the lower number first.
    cdef bint turned = is_counter and event.counter_report_seq < event.report_seq
    if event.kind == EVENT_KIND_DAY_OPENED:
        # Ids begin anew with each trading day, and no command of the day before is retried.
        accepted_clear(lists)
    if event.settlement_seq != 0:
        status = number_push(lists, &lists.settlement, event.settlement_seq, event.seq)
    if is_counter and turned and status == TAKEN:
        status = report_push(
            lists, event.counter_account_index, event.counter_report_seq, event.seq
        )
    if is_own and status == TAKEN:
        status = report_push(lists, event.account_index, event.report_seq, event.seq)
    if is_counter and not turned and status == TAKEN:
        status = report_push(
            lists, event.counter_account_index, event.counter_report_seq, event.seq
        )
    if status == TAKEN and accepts(event):
        if event.operator_index >= OPERATORS_MAX or event.account_index >= lists.account_count:
            return OUT_OF_ORDER
        status = accepted_push(
            lists,
            &lists.accepted[<size_t>event.account_index * OPERATORS_MAX + event.operator_index],
            event.client_order_id, event.seq,
        )
    return status


cdef uint32_t blocks_up_to(const Stream* stream, uint64_t client_order_id) noexcept nogil:
    """How many full blocks of acceptances begin at or below an id."""
    cdef uint32_t low = 0
    cdef uint32_t high = stream.block_count
    cdef uint32_t middle
    while low < high:
        middle = (low + high) // 2
        if stream.first_ids[middle] <= client_order_id:
            low = middle + 1
        else:
            high = middle
    return low


cdef class EventLists:
    """The lists of one market's events; empty when made.

    Attributes
    ----------
    block_count : int
        Blocks that were full so far.
    """

    def __cinit__(self):
        memset(&self.lists, 0, sizeof(Lists))

    def __dealloc__(self):
        cdef uint32_t index
        accepted_clear(&self.lists)
        for index in range(self.lists.account_count):
            stream_free(&self.lists.reports[index])
        stream_free(&self.lists.settlement)
        free(self.lists.reports)
        free(self.lists.accepted)
        free(self.lists.pending)

    @property
    def block_count(self):
        return self.lists.block_next

    def take(self, events):
        """Take in new events, in their order.

        Raises
        ------
        ValueError
            A number of a stream does not follow the one before: these are not the next events.
        """
        cdef Py_buffer view
        cdef const EventRecord* rows
        cdef int64_t row = 0
        cdef int64_t count
        cdef int status = TAKEN
        records_check(events, EVENT_DTYPE, "events")
        buffer_take(events, &view, PyBUF_C_CONTIGUOUS, "events")
        rows = <const EventRecord*>view.buf
        count = view.len // sizeof(EventRecord)
        with nogil:
            while row < count and status == TAKEN:
                status = event_take(&self.lists, &rows[row])
                row += 1
        PyBuffer_Release(&view)
        if status == NO_MEMORY:
            raise MemoryError("no memory for the lists of events")
        if status == OUT_OF_ORDER:
            raise ValueError(
                f"event {events['seq'][row - 1]} does not follow the events before it: its report "
                "or settlement number, account or operator"
            )

    def rows_take(self):
        """Hand out the file's rows of the blocks that got full since the last call.

        Returns
        -------
        bytes
            Rows of `BLOCK_ROW_BYTES`: a block, and its checksum; the last block has the number
            `block_count` - 1.
        """
        rows = PyBytes_FromStringAndSize(
            <const char*>self.lists.pending, self.lists.pending_count * sizeof(BlockRow)
        )
        self.lists.pending_count = 0
        return rows

    # -- Reading ----------------------------------------------------------------------------------

    cdef Stream* stream_of(self, object account_index) except NULL:
        cdef uint32_t index = exact_uint32(account_index, "account_index")
        if index == ACCOUNT_NONE:
            return &self.lists.settlement
        if accounts_reserve(&self.lists, index + 1) != TAKEN:
            raise MemoryError("no memory for the lists of events")
        return &self.lists.reports[index]

    def entries(self, account_index, first, count):
        """Say where the entries of a list from number `first` on are.

        Parameters
        ----------
        account_index : int
            Whose reports; `SETTLEMENT` for the settlement stream.
        first, count : int
            Numbers of the stream.

        Returns
        -------
        blocks : list of int
            The full blocks that have some of them.
        skipped, found : int
            Entries before them in the first block, and how many there are.
        open_block : bytes
            What follows the blocks.
        """
        cdef Stream* stream = self.stream_of(account_index)
        cdef uint64_t start
        cdef uint64_t end
        cdef uint64_t block
        cdef uint64_t full = <uint64_t>stream.block_count * BLOCK_WORDS
        if first < stream.first_number or count < 1 or stream.count == 0:
            return [], 0, 0, b""
        start = min(first - stream.first_number, stream.count)
        end = min(start + count, stream.count)
        if start >= end:
            return [], 0, 0, b""
        blocks = [
            stream.blocks[block]
            for block in range(start // BLOCK_WORDS, min((end - 1) // BLOCK_WORDS + 1,
                                                         stream.block_count))
        ]
        open_block = b""
        if end > full:
            open_block = (<char*>stream.open)[:8 * (end - full)]
        return blocks, start % BLOCK_WORDS, end - start, open_block

    def accepted(self, account_index, operator_index, client_order_ids):
        """Say where the acceptances of an operator's commands of today are, if there are any.

        Parameters
        ----------
        account_index, operator_index : int
        client_order_ids : ndarray of uint64
            Ascending.

        Returns
        -------
        blocks : list of int
            The full blocks that may have some of them, in order.
        open_block : bytes
            What follows the blocks. All entries are pairs of id and event, ascending.
        """
        cdef uint32_t account = exact_uint32(account_index, "account_index")
        cdef uint32_t keyed = exact_uint32(operator_index, "operator_index")
        cdef const uint64_t[::1] wanted = client_order_ids
        cdef uint32_t number
        cdef uint32_t last = 0
        cdef Py_ssize_t row
        cdef Py_ssize_t end
        cdef Stream* stream
        cdef list blocks = []
        if account >= self.lists.account_count or keyed >= OPERATORS_MAX:
            return [], b""
        stream = &self.lists.accepted[<size_t>account * OPERATORS_MAX + keyed]
        for row in range(wanted.shape[0]):
            number = blocks_up_to(stream, wanted[row])
            if number != last:
                blocks.append(stream.blocks[number - 1])
                last = number
        end = stream.count % ACCEPTED_PER_BLOCK * ACCEPTED_WORDS * sizeof(uint64_t)
        return blocks, (<char*>stream.open)[:end] if end else b""

    # -- The state --------------------------------------------------------------------------------

    def state(self):
        """All of it, for `restore`: per list its owner, first number, count, blocks and end."""
        cdef uint32_t index
        cdef list reports = []
        cdef list accepted = []
        for index in range(self.lists.account_count):
            if self.lists.reports[index].count:
                reports.append((index, *stream_packed(&self.lists.reports[index], REPORT_WORDS)))
        for index in range(self.lists.account_count * OPERATORS_MAX):
            if self.lists.accepted[index].count:
                packed = stream_packed(&self.lists.accepted[index], ACCEPTED_WORDS)
                accepted.append((index, *packed))
        return {
            "block_count": self.lists.block_next,
            "settlement": stream_packed(&self.lists.settlement, REPORT_WORDS),
            "reports": reports,
            "accepted": accepted,
        }

    def restore(self, state):
        """Fill empty lists with a state.

        Raises
        ------
        ValueError
            It is none.
        """
        if self.lists.account_count or self.lists.settlement.count:
            raise ValueError("the lists must be empty, they have events")
        try:
            stream_unpack(&self.lists.settlement, state["settlement"], REPORT_WORDS)
            for index, *packed in state["reports"]:
                stream_unpack(self.stream_of(index), packed, REPORT_WORDS)
            for index, *packed in state["accepted"]:
                self.stream_of(index // OPERATORS_MAX)
                stream_unpack(&self.lists.accepted[<size_t>index], packed, ACCEPTED_WORDS)
            self.lists.block_next = state["block_count"]
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"state: expected one of the lists, got {error!r}") from error


def row_is_sound(bytes row, uint32_t number):
    """Say whether a row of the file is of the block of that number, as it was written."""
    cdef const BlockRow* block = <const BlockRow*><const char*>row
    return len(row) == sizeof(BlockRow) and block.checksum == block_sum(number, block.words)


def rows_equal(events, known):
    """Say whether two buffers have the same bytes; nothing is copied, and other threads run on."""
    cdef Py_buffer ours
    cdef Py_buffer theirs
    cdef bint equal
    buffer_take(events, &ours, PyBUF_C_CONTIGUOUS, "events")
    try:
        buffer_take(known, &theirs, PyBUF_C_CONTIGUOUS, "known")
    except TypeError:
        PyBuffer_Release(&ours)
        raise
    with nogil:
        equal = ours.len == theirs.len and memcmp(ours.buf, theirs.buf, ours.len) == 0
    PyBuffer_Release(&theirs)
    PyBuffer_Release(&ours)
    return equal


cdef tuple stream_packed(const Stream* stream, int words):
    cdef int64_t end = stream.count % (BLOCK_WORDS // words) * words
    return (
        stream.first_number,
        stream.count,
        (<char*>stream.blocks)[:4 * <Py_ssize_t>stream.block_count] if stream.block_count else b"",
        (<char*>stream.first_ids)[:8 * <Py_ssize_t>stream.block_count]
        if stream.block_count and words == ACCEPTED_WORDS else b"",
        (<char*>stream.open)[:8 * end] if end else b"",
    )


cdef int stream_unpack(Stream* stream, object packed, int words) except -1:
    cdef bytes blocks
    cdef bytes first_ids
    cdef bytes end
    cdef const uint32_t* numbers
    cdef const uint64_t* ids
    cdef uint32_t block
    first_number, count, blocks, first_ids, end = packed
    numbers = <const uint32_t*><const char*>blocks
    ids = <const uint64_t*><const char*>first_ids
    if (
        len(blocks) != 4 * (count // (BLOCK_WORDS // words))
        or len(first_ids) != (2 * len(blocks) if words == ACCEPTED_WORDS else 0)
        or len(end) != 8 * words * (count % (BLOCK_WORDS // words))
    ):
        raise ValueError(f"a list of {count} entries has other blocks")
    for block in range(<uint32_t>(len(blocks) // 4)):
        if block_note(
            stream, numbers[block], ids[block] if words == ACCEPTED_WORDS else 0, words
        ) != TAKEN:
            raise MemoryError("no memory for the lists of events")
    if open_begin(stream) != TAKEN:
        raise MemoryError("no memory for the lists of events")
    memcpy(stream.open, <const char*>end, len(end))
    stream.first_number = first_number
    stream.count = count
    return 0
