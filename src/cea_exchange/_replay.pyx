"""Recorded order flow: its text as numbers and commands, and its messages played on a book.

Contents: faults, fields, numbers, commands, checking, differences, the window, comparing, playing,
the replay.

What a message means and how a book is held against a recorded row is told in matching/replay.py;
what a line of an order file means, in protocol/order_flow.md.

Prices of messages and rows are as recorded. The book counts in ticks, the greatest size that
divides all prices so far; where a later price doesn't fit, a finer book takes the orders over.
"""

import numpy as np

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release,
)
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from cea_exchange._book cimport (
    BookState, OrderBook, book_amend, book_cancel, book_enter, book_order,
)
from cea_exchange._edge cimport buffer_take, records_check
from cea_exchange._ladder cimport *
from cea_exchange._records cimport *
from cea_exchange._stream cimport EventSink, sink_of
from cea_exchange._views cimport int_of_128

from cea_exchange.domain.records import COMMAND_DTYPE

COMMAND_COLUMNS = (
    "action", "order_id", "side", "price", "tonnes", "owner", "tif", "post_only", "pick_order_id",
)

cdef int64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF
cdef int64_t ORDER_COUNT_MAX = 0xFFFFFFFD


# -- Faults ---------------------------------------------------------------------------------------

cdef enum:                    # What is wrong with a line, or a field of it.
    FAULT_NONE
    FAULT_BLANK               # An empty line.
    FAULT_FEW
    FAULT_MANY
    FAULT_NUMBER
    FAULT_UNSIGNED
    FAULT_RANGE
    FAULT_TIME
    FAULT_WORD
    FAULT_PRICE
    FAULT_TICK
    FAULT_MISSING

cdef dict FAULT_TEXTS = {
    FAULT_NUMBER: "a whole number",
    FAULT_UNSIGNED: "a whole number, not negative",
    FAULT_RANGE: "a number within 64 bits (an owner: 32)",
    FAULT_TIME: "a time in seconds",
    FAULT_PRICE: "a price",
    FAULT_TICK: "a multiple of the tick",
}


cdef str came_text(bytes line, int column):
    """A field as a message shows it."""
    cdef list fields = line.split(b",")
    cdef bytes field = fields[column].strip() if column < len(fields) else b""
    if not field:
        return "nothing"
    return repr(field[:40].decode("utf-8", "replace"))


cdef str fault_text(int fault, int column, int column_count, bytes line):
    """Say what was expected of a line and what came."""
    cdef int came = line.count(b",") + 1
    if fault == FAULT_BLANK:
        return f"expected {column_count} columns, came an empty line"
    if fault == FAULT_FEW or fault == FAULT_MANY:
        return f"expected {column_count} columns, came {came}"
    return f"expected {FAULT_TEXTS[fault]} in column {column + 1}, came {came_text(line, column)}"


# -- Fields ---------------------------------------------------------------------------------------

# A line's end is a byte like others to the functions below: they stop there as at any byte that
# has no place in a number.

cdef inline bint is_blank(char byte) noexcept nogil:
    return byte == b" " or byte == b"\t" or byte == b"\r"


cdef inline const char* blanks_skip(const char* at) noexcept nogil:
    while is_blank(at[0]):
        at += 1
    return at


cdef inline uint32_t digit_of(char byte) noexcept nogil:
    """0 to 9, or more for what is no digit."""
    return <uint8_t>byte - <uint32_t>48


cdef inline bint digit_append(uint64_t* total, uint32_t digit) noexcept nogil:
    """Append a decimal digit; False if the number leaves 64 bits."""
    cdef uint128 grown = <uint128>total[0] * 10 + digit
    total[0] = <uint64_t>grown
    return grown >> 64 == 0


cdef inline const char* digits_take(const char* at, uint64_t* total, int* fault) noexcept nogil:
    """Read decimal digits, one at least; return the byte behind them."""
    cdef const char* start = at
    cdef uint64_t value = 0
    cdef uint32_t digit = digit_of(at[0])
    while digit <= 9 and at - start < 19:
        value = value * 10 + digit
        at += 1
        digit = digit_of(at[0])
    while digit <= 9:
        if not digit_append(&value, digit):
            fault[0] = FAULT_RANGE
        at += 1
        digit = digit_of(at[0])
    if at == start:
        fault[0] = FAULT_NUMBER
    total[0] = value
    return at


cdef inline int64_t signed_of(uint64_t magnitude, bint negative, int* fault) noexcept nogil:
    if magnitude > <uint64_t>INT64_MAX + negative:
        fault[0] = FAULT_RANGE
    return <int64_t>(0 - magnitude) if negative else <int64_t>magnitude


cdef inline const char* integer_take(const char* at, int64_t* value, int* fault) noexcept nogil:
    """Read a whole number, blanks around it or not; return the byte behind."""
    cdef uint64_t magnitude
    cdef bint negative
    at = blanks_skip(at)
    negative = at[0] == b"-"
    if negative or at[0] == b"+":
        at += 1
    at = digits_take(at, &magnitude, fault)
    value[0] = signed_of(magnitude, negative, fault)
    return blanks_skip(at)


cdef inline const char* time_take(const char* at, int* fault) noexcept nogil:
    """Pass over seconds with a point or not."""
    cdef const char* start
    at = blanks_skip(at)
    start = at
    while digit_of(at[0]) <= 9 or at[0] == b".":
        at += 1
    if at == start:
        fault[0] = FAULT_TIME
    return blanks_skip(at)


cdef enum:
    LINE_END = 10


cdef struct Lines:            # Where the reading of a text stands.
    const char* start
    const char* at            # The next line.
    const char* end           # Its end, once it is found.
    const char* text_end
    int64_t rows              # Lines read.
    int fault                 # Of the next line.
    int column


cdef void lines_begin(Lines* lines, const Py_buffer* text) noexcept nogil:
    memset(lines, 0, sizeof(Lines))
    lines.start = lines.at = <const char*>text.buf
    lines.text_end = lines.start + text.len


cdef inline bint line_find(Lines* lines) noexcept nogil:
    """Find the next line's end; False if there is no whole line any more."""
    if lines.at == lines.text_end:
        return False
    lines.end = <const char*>memchr(lines.at, LINE_END, lines.text_end - lines.at)
    return lines.end != NULL


cdef inline void line_pass(Lines* lines) noexcept nogil:
    lines.rows += 1
    lines.at = lines.end + 1


cdef bytes line_bytes(const Lines* lines):
    return lines.at[:lines.end - lines.at]


cdef int64_t numbers_check(object array, str name) except -1:
    """Refuse what is no array of int64 rows; return how many rows it has."""
    if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.ndim != 2:
        raise TypeError(f"{name} must be a numpy array of int64 with two dimensions")
    return array.shape[0]


# -- Numbers --------------------------------------------------------------------------------------

cdef int numbers_take(
    const char* at, const char* line_end, int64_t* numbers, int count, bint timed, int* column,
) noexcept nogil:
    """Read one line; a fault, and in `column` where, if it is not as expected."""
    cdef int fault = FAULT_NONE
    cdef int index
    column[0] = 0
    if blanks_skip(at) == line_end:
        return FAULT_BLANK
    if timed:
        at = time_take(at, &fault)
        if fault != FAULT_NONE or (at[0] != b"," and at != line_end):
            return FAULT_TIME
        if at == line_end:
            return FAULT_FEW
        at += 1
    for index in range(count):
        column[0] = index + timed
        at = integer_take(at, &numbers[index], &fault)
        if at[0] != b"," and at != line_end:
            fault = FAULT_NUMBER
        if fault != FAULT_NONE:
            return fault
        if at == line_end:
            return FAULT_NONE if index + 1 == count else FAULT_FEW
        at += 1
    # LOBSTER has been known to add a column to its messages, never to its rows.
    return FAULT_NONE if timed else FAULT_MANY


# A row of a recorded book is mostly the row before: what both lines begin and end with is copied,
# and only the fields between are read.

cdef inline uint64_t word_at(const char* bytes_) noexcept nogil:
    """Eight bytes, the first of them the lowest: no other machine has our records either."""
    cdef uint64_t word
    memcpy(&word, bytes_, sizeof(uint64_t))
    return word


cdef inline int64_t same_ahead(
    const char* one, const char* other, int64_t length,
) noexcept nogil:
    """How many bytes are the same from here on, of so many."""
    cdef int64_t count = 0
    cdef uint64_t differs
    while count + 8 <= length:
        differs = word_at(one + count) ^ word_at(other + count)
        if differs != 0:
            return count + (trailing_zeros(differs) >> 3)
        count += 8
    while count < length and one[count] == other[count]:
        count += 1
    return count


cdef inline int64_t same_behind(
    const char* one_end, const char* other_end, int64_t length,
) noexcept nogil:
    """How many bytes are the same before here, of so many."""
    cdef int64_t count = 0
    cdef uint64_t differs
    while count + 8 <= length:
        differs = word_at(one_end - count - 8) ^ word_at(other_end - count - 8)
        if differs != 0:
            return count + (leading_zeros(differs) >> 3)
        count += 8
    while count < length and (one_end - count - 1)[0] == (other_end - count - 1)[0]:
        count += 1
    return count


cdef inline int commas_count(const char* text, int64_t length) noexcept nogil:
    cdef int count = 0
    cdef int64_t place
    for place in range(length):
        count += text[place] == b","
    return count


cdef bint row_take(
    const char* at, const char* line_end, int64_t* numbers, const char* before,
    const int64_t* numbers_before, int count,
) noexcept nogil:
    """Read a line by the one before it, which ends where this begins; False if it isn't alike."""
    cdef const char* before_end = at - 1
    cdef int64_t length = min(line_end - at, before_end - before)
    cdef int64_t head = same_ahead(at, before, length)
    cdef int64_t tail
    cdef int first
    cdef int last
    cdef int fault = FAULT_NONE
    cdef int index
    while head > 0 and (at + head - 1)[0] != b",":
        head -= 1
    tail = same_behind(line_end, before_end, length - head)
    while tail > 0 and (line_end - tail)[0] != b",":
        tail -= 1
    first = commas_count(at, head)
    last = commas_count(line_end - tail, tail)
    if first + last >= count:
        return False
    memcpy(numbers, numbers_before, first * sizeof(int64_t))
    memcpy(
        &numbers[count - last], &numbers_before[count - last], last * sizeof(int64_t),
    )
    at += head
    for index in range(first, count - last):
        at = integer_take(at, &numbers[index], &fault)
        if fault != FAULT_NONE:
            return False
        if index + 1 < count - last:
            if at[0] != b",":
                return False
            at += 1
    return at == line_end - tail


cdef void numbers_fill(
    Lines* lines, int64_t* row, int64_t capacity, int count, bint timed,
) noexcept nogil:
    """Read lines until `capacity` are read, or one has a fault or no end."""
    cdef const char* before = NULL
    while lines.rows < capacity and line_find(lines):
        if before == NULL or not row_take(
            lines.at, lines.end, row, before, row - count, count,
        ):
            lines.fault = numbers_take(
                lines.at, lines.end, row, count, timed, &lines.column,
            )
            if lines.fault != FAULT_NONE:
                return
        if not timed:
            before = lines.at
        row += count
        line_pass(lines)


def numbers_read(data, numbers, timed):
    """Read lines of whole numbers with commas between them.

    Parameters
    ----------
    data : bytes-like
        Text. A last line without an end is left for later.
    numbers : ndarray of int64, two dimensions
        Filled from its start, a row a line; it has as many columns as a line.
    timed : bool
        A time stands before the numbers, which is passed over, and more columns may follow.

    Returns
    -------
    rows, consumed : int
        Lines read and their bytes.
    fault : str or None
        What is wrong with the line after them; None if nothing is, or it is not there yet. An
        empty line is a fault too.
    """
    cdef Py_buffer text
    cdef Py_buffer filled
    cdef int64_t capacity = numbers_check(numbers, "numbers")
    cdef int count = numbers.shape[1]
    cdef bint has_time = timed
    cdef Lines lines
    cdef int64_t* row
    if count == 0:
        raise TypeError("numbers must have columns")
    buffer_take(data, &text, PyBUF_SIMPLE, "data")
    try:
        buffer_take(numbers, &filled, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "numbers")
        row = <int64_t*>filled.buf
        lines_begin(&lines, &text)
        with nogil:
            numbers_fill(&lines, row, capacity, count, has_time)
        PyBuffer_Release(&filled)
        if lines.fault == FAULT_NONE:
            return lines.rows, lines.at - lines.start, None
        fault = fault_text(lines.fault, lines.column, count + has_time, line_bytes(&lines))
        return lines.rows, lines.at - lines.start, fault
    finally:
        PyBuffer_Release(&text)


# -- Commands -------------------------------------------------------------------------------------

cdef enum:                    # Places in COMMAND_COLUMNS.
    COLUMN_ACTION
    COLUMN_ORDER_ID
    COLUMN_SIDE
    COLUMN_PRICE
    COLUMN_TONNES
    COLUMN_OWNER
    COLUMN_TIF
    COLUMN_POST_ONLY
    COLUMN_PICK
    COLUMN_KINDS

cdef enum:                    # What each action needs, a bit a column.
    NEEDED_CANCEL = 1 << COLUMN_ACTION | 1 << COLUMN_ORDER_ID
    NEEDED_AMEND = NEEDED_CANCEL | 1 << COLUMN_PRICE | 1 << COLUMN_TONNES
    NEEDED_ENTER = NEEDED_AMEND | 1 << COLUMN_SIDE

cdef dict WORD_TEXTS = {
    COLUMN_ACTION: "enter, cancel or amend",
    COLUMN_SIDE: "buy or sell",
    COLUMN_TIF: "day, ioc or fok",
    COLUMN_POST_ONLY: "0 or 1",
}


cdef inline bint is_word(const char* start, const char* end, const char* word) noexcept nogil:
    cdef int length = 0
    while word[length] != 0:
        length += 1
    return end - start == length and memcmp(start, word, length) == 0


cdef inline int word_take(
    int column, const char* start, const char* end, CommandRecord* command,
) noexcept nogil:
    if column == COLUMN_ACTION:
        if is_word(start, end, b"enter"):
            command.kind = COMMAND_KIND_ENTER
        elif is_word(start, end, b"cancel"):
            command.kind = COMMAND_KIND_CANCEL
        elif is_word(start, end, b"amend"):
            command.kind = COMMAND_KIND_AMEND
        else:
            return FAULT_WORD
    elif column == COLUMN_SIDE:
        if is_word(start, end, b"buy"):
            command.side = SIDE_BUY
        elif is_word(start, end, b"sell"):
            command.side = SIDE_SELL
        else:
            return FAULT_WORD
    elif column == COLUMN_TIF:
        if is_word(start, end, b"ioc"):
            command.tif = TIF_IOC
        elif is_word(start, end, b"fok"):
            command.tif = TIF_FOK
        elif not is_word(start, end, b"day"):
            return FAULT_WORD
    elif is_word(start, end, b"1"):
        command.flags = ORDER_FLAG_POST_ONLY
    elif not is_word(start, end, b"0"):
        return FAULT_WORD
    return FAULT_NONE


cdef int price_take(
    const char* at, const char* end, int decimals, int64_t step, int64_t* price,
) noexcept nogil:
    """Read a price with so many decimals at most, in ticks of `step` of the last decimal."""
    cdef int fault = FAULT_NONE
    cdef uint64_t total = 0
    cdef bint negative = at[0] == b"-"
    if negative:
        at += 1
    at = digits_take(at, &total, &fault)
    if fault == FAULT_NUMBER:
        return FAULT_PRICE
    if at < end and at[0] == b"." and decimals > 0:
        at += 1
        if at == end:
            return FAULT_PRICE
    else:
        # No point, so it has to end here; zeros take the decimals' place.
        if at != end:
            return FAULT_PRICE
    while decimals > 0:
        if not digit_append(&total, digit_of(at[0]) if at < end else 0):
            fault = FAULT_RANGE
        if at < end:
            if digit_of(at[0]) > 9:
                return FAULT_PRICE
            at += 1
        decimals -= 1
    if at != end:
        return FAULT_PRICE
    price[0] = signed_of(total, negative, &fault)
    if fault == FAULT_NONE and price[0] % step != 0:
        fault = FAULT_TICK
    price[0] //= step
    return fault


cdef inline int unsigned_take(const char* at, const char* end, uint64_t* value) noexcept nogil:
    cdef int fault = FAULT_NONE
    at = digits_take(at, value, &fault)
    return FAULT_UNSIGNED if at != end or fault == FAULT_NUMBER else fault


cdef class CommandReader:
    """Reads the lines of an order file.

    Parameters
    ----------
    columns : sequence of str
        Members of `COMMAND_COLUMNS`, in the order of the file; each once at most.
    decimals, step : int
        Prices have so many decimals at most, and are multiples of `step` of the last of them.
    """

    cdef int columns[COLUMN_KINDS]
    cdef int column_count
    cdef int decimals
    cdef int64_t step

    def __cinit__(self, columns, int decimals=0, int64_t step=1):
        if len(columns) > COLUMN_KINDS or not 0 <= decimals <= 18 or step < 1:
            raise ValueError(f"columns, decimals and step were {columns}, {decimals}, {step}")
        self.column_count = len(columns)
        for place, name in enumerate(columns):
            self.columns[place] = COMMAND_COLUMNS.index(name)
        self.decimals = decimals
        self.step = step

    cdef int field_take(
        self, int kind, const char* start, const char* end, CommandRecord* command,
    ) noexcept nogil:
        cdef int fault = FAULT_NONE
        cdef uint64_t owner
        if kind == COLUMN_ORDER_ID:
            return unsigned_take(start, end, &command.order_id)
        if kind == COLUMN_PICK:
            return unsigned_take(start, end, &command.pick_order_id)
        if kind == COLUMN_PRICE:
            return price_take(start, end, self.decimals, self.step, &command.price)
        if kind == COLUMN_TONNES:
            if integer_take(start, &command.tonnes, &fault) < end:
                return FAULT_NUMBER
            return fault
        if kind == COLUMN_OWNER:
            fault = unsigned_take(start, end, &owner)
            command.account_index = <uint32_t>owner
            return FAULT_RANGE if fault == FAULT_NONE and owner >> 32 != 0 else fault
        return word_take(kind, start, end, command)

    cdef int line_take(
        self, const char* at, const char* line_end, CommandRecord* command, int* column,
    ) noexcept nogil:
        cdef uint32_t given = 0
        cdef uint32_t needed
        cdef int index
        cdef int fault
        cdef const char* end = at
        cdef const char* last
        memset(command, 0, sizeof(CommandRecord))
        column[0] = 0
        if blanks_skip(at) == line_end:
            return FAULT_BLANK
        for index in range(self.column_count):
            column[0] = index
            at = blanks_skip(at)
            end = at
            while end[0] != b"," and end != line_end:
                end += 1
            last = end
            while last > at and is_blank((last - 1)[0]):
                last -= 1
            if last > at:
                fault = self.field_take(self.columns[index], at, last, command)
                if fault != FAULT_NONE:
                    return fault
                given |= <uint32_t>1 << self.columns[index]
            if end == line_end and index + 1 < self.column_count:
                return FAULT_FEW
            at = end + 1
        if end != line_end:
            return FAULT_MANY
        needed = NEEDED_CANCEL
        if command.kind == COMMAND_KIND_AMEND:
            needed = NEEDED_AMEND
        elif command.kind == COMMAND_KIND_ENTER:
            needed = NEEDED_ENTER
        needed &= ~given
        column[0] = trailing_zeros(needed) if needed != 0 else 0
        return FAULT_MISSING if needed != 0 else FAULT_NONE

    cdef str fault_text(self, int fault, int column, bytes line):
        if fault == FAULT_MISSING:
            return f"expected a value of {COMMAND_COLUMNS[column]} in this line, came nothing"
        if fault == FAULT_WORD:
            expected = WORD_TEXTS[self.columns[column]]
            return f"expected {expected} in column {column + 1}, came {came_text(line, column)}"
        text = fault_text(fault, column, self.column_count, line)
        if fault == FAULT_PRICE:
            form = f"a price of at most {self.decimals} decimals" if self.decimals else (
                "a price in whole ticks"
            )
            return text.replace("a price", form, 1)
        return text

    def read(self, data, commands):
        """Read lines as commands.

        Parameters
        ----------
        data : bytes-like
            Text. A last line without an end is left for later.
        commands : ndarray of COMMAND_DTYPE
            Filled from its start.

        Returns
        -------
        rows, consumed : int
            Lines read and their bytes.
        fault : str or None
            As of `numbers_read`.
        """
        cdef Py_buffer text
        cdef Py_buffer filled
        cdef CommandRecord* command
        cdef int64_t capacity
        cdef Lines lines
        records_check(commands, COMMAND_DTYPE, "commands")
        capacity = len(commands)
        buffer_take(data, &text, PyBUF_SIMPLE, "data")
        try:
            buffer_take(commands, &filled, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "commands")
            command = <CommandRecord*>filled.buf
            lines_begin(&lines, &text)
            with nogil:
                while lines.rows < capacity and line_find(&lines):
                    lines.fault = self.line_take(
                        lines.at, lines.end, &command[lines.rows], &lines.column,
                    )
                    if lines.fault != FAULT_NONE:
                        break
                    line_pass(&lines)
            PyBuffer_Release(&filled)
            if lines.fault == FAULT_NONE:
                return lines.rows, lines.at - lines.start, None
            fault = self.fault_text(lines.fault, lines.column, line_bytes(&lines))
            return lines.rows, lines.at - lines.start, fault
        finally:
            PyBuffer_Release(&text)


# -- Checking -------------------------------------------------------------------------------------

cdef enum:
    MESSAGE_NEW = 1
    MESSAGE_PARTIAL_CANCEL = 2
    MESSAGE_DELETE = 3
    MESSAGE_EXECUTION = 4
    MESSAGE_HALT = 7
    MESSAGE_NUMBERS = 5
    LEVEL_NUMBERS = 4

cdef enum:
    PRICE_EMPTY = 9999999999  # A level that is not there: this ask, or this bid with a minus sign.


cdef struct Message:          # A row of messages.
    int64_t type
    int64_t order_id
    int64_t size
    int64_t price
    int64_t direction


cdef struct Grid:             # What prices a book has to take.
    int64_t tick              # Divides them all.
    int64_t low
    int64_t high


cdef inline int64_t common_divisor(int64_t one, int64_t other) noexcept nogil:
    while other != 0:
        one, other = other, one % other
    return one


cdef inline void grid_take(Grid* grid, int64_t price) noexcept nogil:
    if grid.tick == 0 or price % grid.tick != 0:
        grid.tick = common_divisor(price, grid.tick)
    if price < grid.low:
        grid.low = price
    if price > grid.high:
        grid.high = price


cdef inline bint is_touching(const Message* message) noexcept nogil:
    """Whether it changes the visible book."""
    return MESSAGE_NEW <= message.type <= MESSAGE_EXECUTION


cdef inline int side_of(const Message* message) noexcept nogil:
    return SIDE_BUY if message.direction == 1 else SIDE_SELL


cdef inline bint is_shown(int64_t price, int64_t size) noexcept nogil:
    """Whether a level of a row is there."""
    return size > 0 and 0 < price < <int64_t>PRICE_EMPTY


cdef tuple MESSAGE_FORMS = (
    "type 1 to 7", "an order id, not negative", "a positive size", "a price of 1 to 9999999998",
    "direction 1 or -1",
)


cdef int message_wrong(const Message* message) noexcept nogil:
    """The column of a message that makes no sense, -1 if all do."""
    if not MESSAGE_NEW <= message.type <= MESSAGE_HALT:
        return 0
    if not is_touching(message):
        return -1
    if message.order_id < 0:
        return 1
    if message.size <= 0:
        return 2
    if not 0 < message.price < <int64_t>PRICE_EMPTY:
        return 3
    if message.direction != 1 and message.direction != -1:
        return 4
    return -1


cdef inline bint level_wrong(int64_t price, int64_t size) noexcept nogil:
    return size < 0 or (size > 0 and -<int64_t>PRICE_EMPTY < price <= 0)


cdef bint row_check(
    const int64_t* row, const int64_t* before, int level_count, Grid* grid,
) noexcept nogil:
    """Whether a row makes sense; only what it does not share with the row before is looked at."""
    cdef int place
    for place in range(0, LEVEL_NUMBERS * level_count, 2):
        if before != NULL and row[place] == before[place] and row[place + 1] == before[place + 1]:
            continue
        if level_wrong(row[place], row[place + 1]):
            return False
        if is_shown(row[place], row[place + 1]):
            grid_take(grid, row[place])
    return True


# -- Differences ----------------------------------------------------------------------------------

cdef enum:
    HITS_TOLD = 8

cdef enum:                    # How book and record part.
    PART_NOWHERE
    PART_ENTERED_TWICE
    PART_WOULD_TRADE
    PART_ELSEWHERE
    PART_UNKNOWN
    PART_TOO_LITTLE
    PART_OTHER_TRADES
    PART_LEVEL
    PART_UNORDERED


cdef struct Parting:          # The first of them, as numbers.
    int kind
    int side
    int64_t message_number    # From 1.
    Message message
    int64_t price             # What the book has, or the row where it can't be true.
    int64_t size
    int own_side
    int place                 # Level of the row, from 0.
    int64_t shown_price
    int64_t shown_size        # 0: no level.
    int64_t built_price
    int128 built_size
    int hits                  # Orders that an execution meets instead.
    bint hits_more
    uint64_t hit_ids[HITS_TOLD]
    int64_t hit_sizes[HITS_TOLD]


cdef str side_name(int side):
    return "buy" if side == SIDE_BUY else "sell"


cdef str level_text(int64_t price, object size):
    return f"{size} at {price}" if size else "nothing"


cdef str hits_text(const Parting* parting):
    cdef list hits = []
    for index in range(parting.hits):
        name = f"order {parting.hit_ids[index]}"
        if parting.hit_ids[index] >= ELDER:
            name = "older orders"
        hits.append(f"{parting.hit_sizes[index]} of {name}")
    if parting.hits_more:
        hits.append("more")
    return ", ".join(hits) or "nothing"


cdef str parting_text(const Parting* parting):
    """The first difference as a sentence; prices as recorded."""
    cdef const Message* message = &parting.message
    side = side_name(parting.side)
    if parting.kind == PART_ENTERED_TWICE:
        return f"order {message.order_id} is on the book already"
    if parting.kind == PART_WOULD_TRADE:
        return f"an order at {parting.price} ({side}) would trade on entry"
    if parting.kind == PART_ELSEWHERE:
        return (
            f"order {message.order_id} stands at {parting.price} ({side_name(parting.own_side)}), "
            f"the message says {message.price} ({side})"
        )
    if parting.kind == PART_UNKNOWN:
        return (
            f"order {message.order_id} is not on the book, and nothing of unknown orders is left "
            f"at {message.price} ({side})"
        )
    if parting.kind == PART_TOO_LITTLE:
        return f"order {message.order_id} has {parting.size} open, {message.size} go"
    if parting.kind == PART_OTHER_TRADES:
        return (
            f"{message.size} of order {message.order_id} at {message.price} were executed, "
            f"the book trades {hits_text(parting)}"
        )
    name = f"{'bid' if parting.side == SIDE_BUY else 'ask'} {parting.place + 1}"
    if parting.kind == PART_UNORDERED:
        return f"{name}: the record has {parting.price}, which is not behind the level before"
    shown = level_text(parting.shown_price, parting.shown_size)
    built = level_text(parting.built_price, int_of_128(<uint128>parting.built_size))
    return f"{name}: the record has {shown}, the book {built}"


# -- The window -----------------------------------------------------------------------------------

cdef enum:
    OWNER_RESTING = 1
    OWNER_TAKING = 2

# What is known of the orders of a level from before the first message is one order of its own: its
# id is this bit, the side, and the price.
cdef uint64_t ELDER = <uint64_t>1 << 63
cdef uint64_t TAKER_ID = ~<uint64_t>0


cdef struct Window:           # One side of the last row, which the book agrees with.
    int64_t edge              # Price of its last level.
    int level_count
    bint is_cut               # Levels may lie beyond: then a row can teach one.


cdef struct Replay:
    BookState* book
    EventSink silence
    int64_t tick
    int level_count           # Of a side in a row; 0 if there are none.
    Window windows[3]         # By side.
    const int64_t* row_agreed # The row before, if the book is what it shows; or NULL.
    int touched               # The side that the message has changed, or 0.
    int64_t messages
    int64_t steps
    int64_t steps_agreeing
    int64_t levels_learned
    int64_t levels_forgotten
    int64_t orders_unknown
    int64_t executions
    int128 executed_size
    Parting parting


cdef inline uint64_t elder_id(int side, int64_t price) noexcept nogil:
    return ELDER | <uint64_t>side << 61 | <uint64_t>price


cdef inline int64_t price_at(const Replay* replay, int64_t index) noexcept nogil:
    """The price of a level as it was recorded."""
    return (replay.book.ladder.price_min + index) * replay.tick


cdef Parting* part(Replay* replay, int kind, int side) noexcept nogil:
    """Note a difference if it is the first; else what is noted of it goes nowhere."""
    if replay.parting.kind != PART_NOWHERE:
        return NULL
    replay.parting.kind = kind
    replay.parting.side = side
    replay.parting.message_number = replay.messages
    return &replay.parting


cdef bint rest(
    Replay* replay, uint64_t order_id, int side, int64_t price, int64_t size,
) noexcept nogil:
    """Put an order on the book; False where it would trade."""
    cdef Parting* parting
    book_enter(
        replay.book, &replay.silence, order_id, side, price // replay.tick, size, OWNER_RESTING,
        TIF_DAY, ORDER_FLAG_POST_ONLY,
    )
    if replay.book.outcome.reason == REASON_NONE:
        return True
    parting = part(replay, PART_WOULD_TRADE, side)
    if parting != NULL:
        parting.price = price
    return False


cdef void level_drop(Replay* replay, int64_t index) noexcept nogil:
    """Cancel all orders of a level."""
    cdef const OrderPool* pool = &replay.book.pool
    cdef const Level* level = &replay.book.ladder.levels[index]
    while level.oldest != SLOT_NONE:
        book_cancel(replay.book, &replay.silence, pool.orders[level.oldest].order_id)


cdef bint is_beyond(const Replay* replay, int side, int64_t price) noexcept nogil:
    """Whether a price lies past the window's edge, where the rows show nothing."""
    cdef const Window* window = &replay.windows[side]
    if not window.is_cut or window.level_count < replay.level_count:
        return False
    return price < window.edge if side == SIDE_BUY else price > window.edge


cdef inline const int64_t* row_side(const int64_t* row, int side) noexcept nogil:
    """Where the levels of a side begin in a row."""
    return row if side == SIDE_SELL else row + 2


cdef inline int next_shown(const Replay* replay, const int64_t* levels, int place) noexcept nogil:
    """The next place whose level is there, or `level_count`."""
    while place < replay.level_count and not is_shown(
        levels[LEVEL_NUMBERS * place], levels[LEVEL_NUMBERS * place + 1],
    ):
        place += 1
    return place


cdef bint level_learn(Replay* replay, int side, const int64_t* level, int place) noexcept nogil:
    """Take a level of the row for what lies behind the window's last; False if it can't."""
    cdef Window* window = &replay.windows[side]
    cdef Parting* parting
    cdef int64_t price = level[0]
    if window.level_count > 0 and (
        price >= window.edge if side == SIDE_BUY else price <= window.edge
    ):
        parting = part(replay, PART_UNORDERED, side)
        if parting != NULL:
            parting.price = price
            parting.place = place
        return False
    if not rest(replay, elder_id(side, price), side, price, level[1]):
        return False
    window.edge = price
    window.level_count += 1
    return True


cdef bint side_learn_all(Replay* replay, int side, const int64_t* levels) noexcept nogil:
    """Take a side of the row for the book; False if no book is like that."""
    cdef Window* window = &replay.windows[side]
    cdef int place = next_shown(replay, levels, 0)
    cdef int count = 0
    cdef bint is_whole = True
    window.level_count = 0
    while place < replay.level_count:
        count += 1
        # Learning goes on to be counted: whether a side is cut is what the row says.
        is_whole = is_whole and level_learn(replay, side, &levels[LEVEL_NUMBERS * place], place)
        place = next_shown(replay, levels, place + 1)
    window.is_cut = count == replay.level_count
    return is_whole


cdef void row_learn_all(Replay* replay, const int64_t* row) noexcept nogil:
    """Take a row for the truth, so that later steps are judged by themselves."""
    cdef Ladder* ladder = &replay.book.ladder
    cdef Parting parting = replay.parting
    cdef bint is_whole
    while ladder.best[SIDE_BUY] != BID_NONE:
        level_drop(replay, ladder.best[SIDE_BUY])
    while ladder.best[SIDE_SELL] != ASK_NONE:
        level_drop(replay, ladder.best[SIDE_SELL])
    is_whole = side_learn_all(replay, SIDE_BUY, row_side(row, SIDE_BUY))
    is_whole &= side_learn_all(replay, SIDE_SELL, row_side(row, SIDE_SELL))
    # That it can't be true is told by the next step, which finds the book to be another.
    replay.parting = parting
    replay.row_agreed = row if is_whole else NULL


# -- Comparing ------------------------------------------------------------------------------------

cdef inline bint side_is_same(
    const int64_t* levels, const int64_t* before, int level_count,
) noexcept nogil:
    """Whether two rows show the same on one side. Without a branch, for the compiler to widen."""
    cdef int64_t differs = 0
    cdef int place
    for place in range(0, 4 * level_count, 4):
        differs |= (levels[place] ^ before[place]) | (levels[place + 1] ^ before[place + 1])
    return differs == 0


cdef void level_forget(Replay* replay, int side, int64_t index) noexcept nogil:
    """Forget what left the window at its edge."""
    level_drop(replay, index)
    replay.levels_forgotten += 1
    replay.windows[side].is_cut = True


cdef void level_part(
    Replay* replay, int side, int count, const int64_t* shown, int64_t index,
) noexcept nogil:
    """Note that a level of row and book differs; `shown` NULL and `index` none if not there."""
    cdef Parting* parting = part(replay, PART_LEVEL, side)
    cdef Ladder* ladder = &replay.book.ladder
    if parting != NULL:
        parting.place = count
        if shown != NULL:
            parting.shown_price = shown[0]
            parting.shown_size = shown[1]
        if not level_is_none(index):
            parting.built_price = price_at(replay, index)
            parting.built_size = ladder.levels[index].tonnes
    while count < replay.level_count and not level_is_none(index):
        index = level_worse(ladder, side, index)
        count += 1
    if not level_is_none(index):
        level_forget(replay, side, index)


cdef bint side_compare(Replay* replay, int side, const int64_t* levels) noexcept nogil:
    """Hold a side of the book against the row; learn and forget at the edge."""
    cdef Ladder* ladder = &replay.book.ladder
    cdef Window* window = &replay.windows[side]
    cdef int64_t index = ladder.best[side]
    cdef int place = next_shown(replay, levels, 0)
    cdef int count = 0
    cdef const int64_t* shown = NULL
    window.level_count = 0
    while count < replay.level_count and not level_is_none(index):
        shown = &levels[LEVEL_NUMBERS * place] if place < replay.level_count else NULL
        if (
            shown == NULL or shown[0] != price_at(replay, index)
            or shown[1] != ladder.levels[index].tonnes
        ):
            level_part(replay, side, count, shown, index)
            return False
        window.edge = shown[0]
        index = level_worse(ladder, side, index)
        place = next_shown(replay, levels, place + 1)
        count += 1
    window.level_count = count
    if not level_is_none(index):
        level_forget(replay, side, index)
    if place < replay.level_count and not window.is_cut:
        level_part(replay, side, count, &levels[LEVEL_NUMBERS * place], index)
        return False
    while place < replay.level_count:
        if not level_learn(replay, side, &levels[LEVEL_NUMBERS * place], window.level_count):
            return False
        place = next_shown(replay, levels, place + 1)
    replay.levels_learned += window.level_count - count
    if window.level_count < replay.level_count:
        window.is_cut = False
    return True


cdef bint row_compare(Replay* replay, const int64_t* row) noexcept nogil:
    """Hold the book against a row. A side that neither has changed agrees as before."""
    cdef int side
    for side in range(SIDE_BUY, SIDE_SELL + 1):
        if (
            side != replay.touched and replay.row_agreed != NULL
            and side_is_same(
                row_side(row, side), row_side(replay.row_agreed, side), replay.level_count,
            )
        ):
            continue
        if not side_compare(replay, side, row_side(row, side)):
            return False
    return True


# -- Playing --------------------------------------------------------------------------------------

cdef bint new_play(Replay* replay, const Message* message, int side) noexcept nogil:
    if book_order(replay.book, <uint64_t>message.order_id) != NULL:
        part(replay, PART_ENTERED_TWICE, side)
        return False
    if is_beyond(replay, side, message.price):
        return True
    replay.touched = side
    return rest(replay, <uint64_t>message.order_id, side, message.price, message.size)


cdef void hits_note(
    const Replay* replay, const Message* message, int side, Parting* parting,
) noexcept nogil:
    """Note whom an execution would meet, which is not the order that it names."""
    cdef const Ladder* ladder = &replay.book.ladder
    cdef int64_t limit = message.price // replay.tick - ladder.price_min
    cdef int64_t left = message.size
    cdef int64_t index = ladder.best[side]
    cdef const Order* order
    cdef uint32_t slot
    while left > 0 and index_crosses(side_opposite(side), limit, index):
        slot = ladder.levels[index].oldest
        while left > 0 and slot != SLOT_NONE:
            if parting.hits == HITS_TOLD:
                parting.hits_more = True
                return
            order = &replay.book.pool.orders[slot]
            parting.hit_ids[parting.hits] = order.order_id
            parting.hit_sizes[parting.hits] = min(left, order.tonnes_open)
            left -= parting.hit_sizes[parting.hits]
            parting.hits += 1
            slot = order.newer
        index = level_worse(ladder, side, index)


cdef bint execution_play(
    Replay* replay, const Message* message, int side, const Order* order,
) noexcept nogil:
    """Send the marketable order that hit the named one."""
    cdef const Ladder* ladder = &replay.book.ladder
    cdef int64_t index = order.price - ladder.price_min
    cdef Parting* parting
    cdef bint agrees = (
        ladder.best[side] == index
        and &replay.book.pool.orders[ladder.levels[index].oldest] == order
        and order.tonnes_open >= message.size
    )
    if not agrees:
        parting = part(replay, PART_OTHER_TRADES, side)
        if parting != NULL:
            hits_note(replay, message, side, parting)
    book_enter(
        replay.book, &replay.silence, TAKER_ID, side_opposite(side), order.price, message.size,
        OWNER_TAKING, TIF_IOC,
    )
    return agrees


cdef bint reduction_play(
    Replay* replay, const Message* message, int side, const Order* order,
) noexcept nogil:
    cdef Parting* parting
    if message.size > order.tonnes_open:
        parting = part(replay, PART_TOO_LITTLE, side)
        if parting != NULL:
            parting.size = order.tonnes_open
        return False
    if message.size == order.tonnes_open:
        book_cancel(replay.book, &replay.silence, order.order_id)
    else:
        book_amend(
            replay.book, &replay.silence, order.order_id, order.price,
            order.tonnes_open - message.size,
        )
    return True


cdef const Order* elder_of(const Replay* replay, const Message* message, int side) noexcept nogil:
    return book_order(replay.book, elder_id(side, message.price))


cdef bint message_play(Replay* replay, const Message* message) noexcept nogil:
    """Do to the book what a message says was done; False if that can't be."""
    cdef int side = side_of(message)
    cdef const Order* order
    cdef Parting* parting
    cdef bint is_own
    if message.type == MESSAGE_NEW:
        return new_play(replay, message, side)
    order = book_order(replay.book, <uint64_t>message.order_id)
    is_own = order != NULL
    if is_own and (order.side != side or order.price * replay.tick != message.price):
        parting = part(replay, PART_ELSEWHERE, side)
        if parting != NULL:
            parting.price = order.price * replay.tick
            parting.own_side = order.side
        return False
    if not is_own:
        replay.orders_unknown += 1
        if is_beyond(replay, side, message.price):
            return True
        order = elder_of(replay, message, side)
        if order == NULL:
            if replay.level_count == 0:
                return True
            part(replay, PART_UNKNOWN, side)
            return False
    replay.touched = side
    if message.type == MESSAGE_EXECUTION:
        return execution_play(replay, message, side, order)
    if message.type == MESSAGE_DELETE and is_own:
        book_cancel(replay.book, &replay.silence, order.order_id)
        return True
    return reduction_play(replay, message, side, order)


cdef void step(Replay* replay, const Message* message, const int64_t* row) noexcept nogil:
    """Play one message and compare the book with the row after it, if there is one."""
    cdef bint agrees = True
    replay.messages += 1
    if row != NULL and replay.messages == 1:
        row_learn_all(replay, row)
        return
    if replay.parting.kind == PART_NOWHERE:
        replay.parting.message = message[0]
    replay.touched = 0
    if message.type == MESSAGE_EXECUTION:
        replay.executions += 1
        replay.executed_size += message.size
    if is_touching(message):
        agrees = message_play(replay, message)
    if row == NULL:
        return
    agrees = agrees and row_compare(replay, row)
    replay.steps += 1
    if agrees:
        replay.steps_agreeing += 1
        replay.row_agreed = row
    else:
        row_learn_all(replay, row)


# -- The replay -----------------------------------------------------------------------------------

cdef enum:
    PART_LONG = 4096          # Messages of a flow that goes on, and so is worth huge pages.


cdef struct Flow:             # A part of the flow, whose memory is lent for a call.
    int64_t count
    const Message* messages
    const int64_t* rows       # NULL if there are none.
    int64_t width             # Numbers of a row.
    Py_buffer message_view
    Py_buffer row_view


cdef void flow_release(Flow* flow):
    PyBuffer_Release(&flow.message_view)
    if flow.rows != NULL:
        PyBuffer_Release(&flow.row_view)


cdef class FlowReplay:
    """Plays messages on a book and holds it against the recorded rows.

    Parameters
    ----------
    level_count : int
        Levels of a side in a row; 0 if nothing was recorded.

    Notes
    -----
    Flow comes in parts of any length, each first to `prepare` and then to `play`; how it is cut
    changes nothing.
    """

    cdef Replay replay
    cdef Grid grid
    cdef readonly OrderBook book  # To look at; the replay goes on with it.
    cdef int64_t* row_kept    # The last row of the part before.
    cdef object messages_ready
    cdef object rows_ready
    cdef bint busy

    def __cinit__(self, int level_count):
        if not 0 <= level_count <= 1_000_000:
            raise ValueError(f"level_count must be within 0..1000000, was {level_count}")
        memset(&self.replay, 0, sizeof(Replay))
        # It takes no kind of event, so its room is never used.
        self.replay.silence = sink_of(NULL, INT64_MAX, 0)
        self.replay.level_count = level_count
        self.replay.windows[SIDE_BUY].is_cut = level_count > 0
        self.replay.windows[SIDE_SELL].is_cut = level_count > 0
        self.grid.low = PRICE_EMPTY
        self.row_kept = <int64_t*>calloc(LEVEL_NUMBERS * level_count + 1, sizeof(int64_t))
        if self.row_kept == NULL:
            raise MemoryError(f"cannot allocate a row of {level_count} levels")

    def __dealloc__(self):
        free(self.row_kept)

    cdef int check_alone(self) except -1:
        if self.busy:
            raise RuntimeError("a second thread must not enter a replay")

    def prepare(self, messages, rows=None):
        """Check the next part of the flow, and have a book that takes its prices.

        Parameters
        ----------
        messages : ndarray of int64, five columns
            Type, order id, size, price, direction.
        rows : ndarray of int64, four columns a level
            Ask, its size, bid, its size, best first; none if `level_count` is 0.

        Raises
        ------
        ValueError
            `(place, is_row, text)`: the message, from 0 in this part, whether its row is meant, and
            what is wrong.
        """
        cdef Flow flow
        cdef int64_t wrong
        cdef bint is_row = False
        self.check_alone()
        self.flow_take(&flow, messages, rows)
        self.busy = True
        try:
            with nogil:
                wrong = self.part_check(&flow, &is_row)
            if wrong >= 0:
                raise ValueError(wrong, is_row, self.wrong_text(&flow, wrong, is_row))
            self.book_fit(flow.count)
        finally:
            self.busy = False
            flow_release(&flow)
        self.messages_ready, self.rows_ready = messages, rows

    cdef int flow_take(self, Flow* flow, object messages, object rows) except -1:
        """Borrow the memory of messages and rows; `flow_release` gives it back."""
        memset(flow, 0, sizeof(Flow))
        flow.count = numbers_check(messages, "messages")
        flow.width = LEVEL_NUMBERS * self.replay.level_count
        if messages.shape[1] != MESSAGE_NUMBERS:
            raise TypeError(f"messages must have five columns, had {messages.shape[1]}")
        if (rows is None) != (flow.width == 0) or (rows is not None and (
            numbers_check(rows, "rows") != flow.count or rows.shape[1] != flow.width
        )):
            raise TypeError("rows must be as many as the messages, four columns a level")
        buffer_take(messages, &flow.message_view, PyBUF_C_CONTIGUOUS, "messages")
        flow.messages = <const Message*>flow.message_view.buf
        if rows is not None:
            try:
                buffer_take(rows, &flow.row_view, PyBUF_C_CONTIGUOUS, "rows")
            except TypeError:
                PyBuffer_Release(&flow.message_view)
                raise
            flow.rows = <const int64_t*>flow.row_view.buf

    cdef int64_t part_check(self, const Flow* flow, bint* is_row) noexcept nogil:
        """The first message that makes no sense, or whose row does not; -1 if all do."""
        cdef const int64_t* before = self.replay.row_agreed
        cdef const int64_t* row
        cdef int64_t number
        for number in range(flow.count):
            if message_wrong(&flow.messages[number]) >= 0:
                return number
            if is_touching(&flow.messages[number]):
                grid_take(&self.grid, flow.messages[number].price)
            if flow.rows != NULL:
                row = &flow.rows[number * flow.width]
                if not row_check(row, before, self.replay.level_count, &self.grid):
                    is_row[0] = True
                    return number
                before = row
        return -1

    cdef str wrong_text(self, const Flow* flow, int64_t number, bint is_row):
        """Say what is wrong with a message, or with its row."""
        cdef const int64_t* numbers = <const int64_t*>&flow.messages[number]
        cdef int place = message_wrong(&flow.messages[number])
        if not is_row:
            return f"expected {MESSAGE_FORMS[place]}, came {numbers[place]}"
        numbers = &flow.rows[number * flow.width]
        place = 0
        while not level_wrong(numbers[place], numbers[place + 1]):
            place += 2
        if numbers[place + 1] < 0:
            return (
                f"expected a size in column {place + 2}, not negative, came {numbers[place + 1]}"
            )
        return f"expected a positive price in column {place + 1}, came {numbers[place]}"

    cdef int book_fit(self, int64_t message_count) except -1:
        """Have a book of fine enough ticks, and wide and large enough for what comes."""
        cdef int64_t live = 0 if self.book is None else self.book.state.pool.order_count
        cdef int64_t needed = live + message_count + 2 * self.replay.level_count + 2
        cdef int64_t tick = max(<int64_t>1, self.grid.tick)
        cdef int64_t low
        cdef int64_t high
        cdef int64_t margin
        if self.grid.high == 0 and self.book is not None:
            return 0
        low = min(self.grid.low, max(<int64_t>1, self.grid.high)) // tick
        high = max(<int64_t>1, self.grid.high) // tick
        if self.book is not None and tick == self.replay.tick:
            if (
                self.book.state.ladder.price_min <= low and high <= self.book.state.ladder.price_max
                and needed <= self.book.state.pool.order_count_max
            ):
                return 0
        margin = high - low + 1024
        needed *= 2
        if message_count >= PART_LONG:
            needed += HUGE_FROM_ORDERS
        self.book_exchange(
            OrderBook(
                max(<int64_t>0, low - margin), high + margin,
                order_count_max=min(needed, ORDER_COUNT_MAX),
            ),
            tick,
        )
        return 0

    cdef int book_exchange(self, OrderBook book, int64_t tick) except -1:
        """Go on with another book, which takes over the orders."""
        cdef BookState* old
        cdef int side
        if self.book is not None:
            old = &self.book.state
            for side in range(SIDE_BUY, SIDE_SELL + 1):
                self.orders_move(old, &book.state, side, self.replay.tick // tick)
        self.book = book
        self.replay.book = &book.state
        self.replay.tick = tick

    cdef void orders_move(
        self, const BookState* old, BookState* book, int side, int64_t factor,
    ) noexcept nogil:
        """Enter the orders of a side, in the order of their levels' queues, in finer ticks."""
        cdef int64_t index = old.ladder.best[side]
        cdef uint32_t slot
        cdef const Order* order
        while not level_is_none(index):
            slot = old.ladder.levels[index].oldest
            while slot != SLOT_NONE:
                order = &old.pool.orders[slot]
                book_enter(
                    book, &self.replay.silence, order.order_id, side, order.price * factor,
                    order.tonnes_open, order.owner, TIF_DAY, order.flags,
                )
                slot = order.newer
            index = level_worse(&old.ladder, side, index)

    def play(self, messages, rows=None):
        """Play what was prepared last, without the GIL.

        Raises
        ------
        ValueError
            These are not the arrays that were prepared.
        RuntimeError
            A second thread.
        """
        cdef Flow flow
        self.check_alone()
        if messages is not self.messages_ready or rows is not self.rows_ready:
            raise ValueError("play takes the arrays that were prepared last")
        self.messages_ready = self.rows_ready = None
        self.flow_take(&flow, messages, rows)
        self.busy = True
        with nogil:
            self.part_play(&flow)
        self.busy = False
        flow_release(&flow)

    cdef void part_play(self, const Flow* flow) noexcept nogil:
        cdef int64_t number
        for number in range(flow.count):
            step(
                &self.replay, &flow.messages[number],
                &flow.rows[number * flow.width] if flow.rows != NULL else NULL,
            )
        if self.replay.row_agreed != NULL:
            # The caller's memory is the caller's again.
            memmove(self.row_kept, self.replay.row_agreed, flow.width * sizeof(int64_t))
            self.replay.row_agreed = self.row_kept

    def counts(self):
        """What the replay came to so far, by name.

        Returns
        -------
        dict of str to int
        """
        self.check_alone()
        return {
            "messages": self.replay.messages,
            "steps": self.replay.steps,
            "steps_agreeing": self.replay.steps_agreeing,
            "levels_learned": self.replay.levels_learned,
            "levels_forgotten": self.replay.levels_forgotten,
            "orders_unknown": self.replay.orders_unknown,
            "executions": self.replay.executions,
            "executed_size": int_of_128(<uint128>self.replay.executed_size),
            "tick": self.replay.tick,
            "orders_resting": 0 if self.book is None else len(self.book),
        }

    def difference(self):
        """The first difference.

        Returns
        -------
        (int, str) or None
            The message, from 1, and what differs.
        """
        self.check_alone()
        if self.replay.parting.kind == PART_NOWHERE:
            return None
        return self.replay.parting.message_number, parting_text(&self.replay.parting)
