"""Text of recorded order flow: lines of whole numbers, and order files, as arrays.

Contents: faults, fields, numbers, commands. What a line of an order file means is described in
protocol/order_flow.md.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release,
)
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from cea_exchange._arguments cimport buffer_take, numbers_check, records_check
from cea_exchange._ladder cimport leading_zeros, trailing_zeros, uint128
from cea_exchange._records cimport *

from cea_exchange.domain.records import COMMAND_DTYPE

COMMAND_COLUMNS = (
    "action", "order_id", "side", "price", "tonnes", "owner", "tif", "post_only", "pick_order_id",
)

cdef int64_t INT64_MAX = 0x7FFFFFFFFFFFFFFF


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
    FAULT_POSITIVE

cdef dict FAULT_TEXTS = {
    FAULT_NUMBER: "a whole number",
    FAULT_UNSIGNED: "a whole number, not negative",
    FAULT_RANGE: "a number within 64 bits (an owner: 32)",
    FAULT_TIME: "a time in seconds",
    FAULT_PRICE: "a price",
    FAULT_TICK: "a multiple of the tick",
    FAULT_POSITIVE: "a whole number above 0",
}


cdef str got_text(bytes line, int column):
    """A field as a message shows it."""
    cdef list fields = line.split(b",")
    cdef bytes field = fields[column].strip() if column < len(fields) else b""
    if not field:
        return "nothing"
    return repr(field[:40].decode("utf-8", "replace"))


cdef str fault_text(int fault, int column, int column_count, bytes line):
    """Say what was expected of a line and what it got."""
    cdef int count = line.count(b",") + 1
    if fault == FAULT_BLANK:
        return f"expected {column_count} columns, got an empty line"
    if fault == FAULT_FEW or fault == FAULT_MANY:
        return f"expected {column_count} columns, got {count}"
    return f"expected {FAULT_TEXTS[fault]} in column {column + 1}, got {got_text(line, column)}"


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
        raise TypeError("numbers: expected a column or more, got none")
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
    NEEDED_REDUCE = NEEDED_CANCEL | 1 << COLUMN_TONNES
    NEEDED_AMEND = NEEDED_REDUCE | 1 << COLUMN_PRICE
    NEEDED_ENTER = NEEDED_AMEND | 1 << COLUMN_SIDE

cdef enum:
    COLUMN_PASSED = -1        # Not read.
    COLUMNS_MAX = 256
    IS_REDUCE = 1             # In `reserved` of a cancel until its line is read to the end.

cdef dict WORD_TEXTS = {
    COLUMN_ACTION: "enter, cancel, reduce or amend",
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
        elif is_word(start, end, b"reduce"):
            command.kind = COMMAND_KIND_CANCEL
            command.reserved = IS_REDUCE
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
    if at < end and at[0] == b".":
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
    while at < end and at[0] == b"0":
        # A zero behind the last decimal says nothing.
        at += 1
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
    columns : sequence of str or None
        Members of `COMMAND_COLUMNS`, in the order of the file, each once at most; None for a
        column that is passed over.
    decimals, step : int
        Prices have so many decimals at most, and are multiples of `step` of the last of them.
    """

    cdef int columns[COLUMNS_MAX]
    cdef int column_count
    cdef int decimals
    cdef int64_t step

    def __cinit__(self, columns, int decimals=0, int64_t step=1):
        if len(columns) > COLUMNS_MAX or not 0 <= decimals <= 18 or step < 1:
            raise ValueError(
                f"columns, decimals and step: expected at most {COLUMNS_MAX} columns, 0 to 18 "
                f"decimals and a step above 0, got {columns}, {decimals}, {step}"
            )
        self.column_count = len(columns)
        for place, name in enumerate(columns):
            self.columns[place] = (
                COLUMN_PASSED if name is None else COMMAND_COLUMNS.index(name)
            )
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
            if last > at and self.columns[index] != COLUMN_PASSED:
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
        if command.reserved == IS_REDUCE:
            needed = NEEDED_REDUCE
            command.reserved = 0
            if command.tonnes <= 0 and given >> COLUMN_TONNES & 1:
                column[0] = self.column_of(COLUMN_TONNES)
                return FAULT_POSITIVE
        elif command.kind == COMMAND_KIND_CANCEL:
            # All that is open: with tonnes the record would be a partial cancel.
            command.tonnes = 0
        elif command.kind == COMMAND_KIND_AMEND:
            needed = NEEDED_AMEND
        elif command.kind == COMMAND_KIND_ENTER:
            needed = NEEDED_ENTER
        needed &= ~given
        column[0] = trailing_zeros(needed) if needed != 0 else 0
        return FAULT_MISSING if needed != 0 else FAULT_NONE

    cdef int column_of(self, int kind) noexcept nogil:
        """Where a kind of column stands in the file, which has it."""
        cdef int index = 0
        while self.columns[index] != kind:
            index += 1
        return index

    cdef str fault_text(self, int fault, int column, bytes line):
        if fault == FAULT_MISSING:
            return f"expected a value of {COMMAND_COLUMNS[column]} in this line, got nothing"
        if fault == FAULT_WORD:
            expected = WORD_TEXTS[self.columns[column]]
            return f"expected {expected} in column {column + 1}, got {got_text(line, column)}"
        text = fault_text(fault, column, self.column_count, line)
        if fault == FAULT_PRICE:
            form = f"a price of at most {self.decimals} decimals" if self.decimals else (
                "a price in whole ticks"
            )
            return text.replace("a price", form, 1)
        return text

    def read(self, data, commands):
        """Read lines as commands; `reduce` is a cancel with tonnes.

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
