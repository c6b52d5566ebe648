"""What the gateway asks of every command that arrives, in one pass over a batch."""

from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_Release
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

import numpy as np

from cea_exchange._arguments cimport buffer_take, records_check
from cea_exchange._hash cimport table_place
from cea_exchange._records cimport *
from cea_exchange.core.bidding cimport bid_malformed
from cea_exchange.core.block cimport block_malformed

from cea_exchange.domain.records import COMMAND_DTYPE


cdef struct Run:              # An operator's ids in a batch.
    uint64_t operator_key
    uint64_t id_accepted      # Its last accepted one,
    uint64_t id_last          # and the highest so far.
    int64_t undecided_count
    bint is_taken


cdef enum IdPlace:
    PLACE_ABOVE = 0
    PLACE_PASSED = 1
    PLACE_UNDECIDED = 2
    PLACE_UNDECIDED_TOO_MANY = 3

ID_ABOVE = <int>PLACE_ABOVE
ID_PASSED = <int>PLACE_PASSED
ID_UNDECIDED = <int>PLACE_UNDECIDED
ID_UNDECIDED_TOO_MANY = <int>PLACE_UNDECIDED_TOO_MANY


cdef bint is_faulty_block(const CommandRecord* command) noexcept nogil:
    """The core ignores what does not apply to an answer or a bid; on the wire it is zero."""
    if command.kind >= COMMAND_KIND_BID:
        return bid_malformed(command) or (
            command.side != 0 or command.tif != 0 or command.flags != 0
        )
    if block_malformed(command) or command.tif != 0:
        return True
    return command.kind > COMMAND_KIND_BLOCK_OFFER and (command.side != 0 or command.flags != 0)


cdef inline bint is_faulty(const CommandRecord* command) noexcept nogil:
    if command.reserved != 0 or command.account_index != 0 or command.operator_index != 0:
        return True
    if command.kind < COMMAND_KIND_ENTER or command.kind > COMMAND_KIND_AMEND:
        return is_faulty_block(command)
    if command.kind != COMMAND_KIND_ENTER:
        return command.side != 0 or command.tif != 0 or command.flags != 0
    if command.side != SIDE_BUY and command.side != SIDE_SELL:
        return True
    return command.tif > TIF_LAST or command.flags & ~<uint8_t>ORDER_FLAG_POST_ONLY != 0


def faulty_commands(records):
    """Return, per record, whether it is malformed: no market is asked about such a one.

    Parameters
    ----------
    records : ndarray of COMMAND_DTYPE
        As they came: the account and operator must be 0, the gateway fills them from the key
        afterwards.

    Returns
    -------
    ndarray of bool

    Notes
    -----
    `protocol.framing.command_faults` says the same for clients, who know nothing compiled.
    """
    cdef const CommandRecord[::1] given = records
    cdef int64_t count = given.shape[0], row
    faults = np.empty(count, np.uint8)
    cdef uint8_t[::1] marks = faults
    with nogil:
        for row in range(count):
            marks[row] = is_faulty(&given[row])
    return faults.view(np.bool_)


def faulty_payloads(list payloads):
    """Return the indexes of the payloads that have a malformed command.

    Parameters
    ----------
    payloads : list of bytes
        Whole commands each, as they came.

    Returns
    -------
    list of int
    """
    cdef list found = []
    cdef bytes payload
    cdef const CommandRecord* commands
    cdef Py_ssize_t index, row
    for index in range(len(payloads)):
        payload = payloads[index]
        commands = <const CommandRecord*>PyBytes_AS_STRING(payload)
        for row in range(PyBytes_GET_SIZE(payload) // <Py_ssize_t>sizeof(CommandRecord)):
            if is_faulty(&commands[row]):
                found.append(index)
                break
    return found


def commands_join(list payloads, list operators):
    """Return the commands of all payloads, and say who sends them.

    Parameters
    ----------
    payloads : list of bytes
        Whole commands each, none of them malformed.
    operators : list of (int, int)
        For each payload the account's and the operator's index, which its commands get.

    Returns
    -------
    records : ndarray of COMMAND_DTYPE
    owner : ndarray of int64
        Per record, the index of its payload.
    """
    cdef Py_ssize_t index, row, count = 0, size = 0, first = 0
    cdef bytes payload
    cdef uint32_t account_index
    cdef uint16_t operator_index
    cdef Py_buffer view
    cdef CommandRecord* made
    for payload in payloads:
        size += PyBytes_GET_SIZE(payload)
    records = np.empty(size // sizeof(CommandRecord), COMMAND_DTYPE)
    owner = np.empty(len(records), np.int64)
    cdef int64_t[::1] owners = owner
    buffer_take(records, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE, "records")
    made = <CommandRecord*>view.buf
    try:
        for index in range(len(payloads)):
            payload = payloads[index]
            account_index, operator_index = operators[index]
            count = PyBytes_GET_SIZE(payload) // <Py_ssize_t>sizeof(CommandRecord)
            memcpy(&made[first], PyBytes_AS_STRING(payload), count * sizeof(CommandRecord))
            for row in range(first, first + count):
                made[row].account_index = account_index
                made[row].operator_index = operator_index
                owners[row] = index
            first += count
    finally:
        PyBuffer_Release(&view)
    return records, owner


def plain_join(
    list messages, dict keys, dict sessions, bytes tag, Py_ssize_t payload_bytes_max, now_s
):
    """Return the commands of messages if there is nothing to say of any message itself.

    That is what most of them are: well-formed commands of traders who are logged on.

    Parameters
    ----------
    messages : list of (bytes, str, list of bytes)
        Routing id, key of the connection, frames.
    keys : dict of str to KeyHolder
    sessions : dict of bytes to Session
        By routing id; those of the messages were seen at `now_s` afterwards.
    tag : bytes
        Of a message of commands.
    payload_bytes_max : int
        What one may have behind the tag.

    Returns
    -------
    (records, owner) or None
        As `commands_join` gives them; None if any message is a request or faulty, or its sender
        may not enter orders or is not logged on.
    """
    cdef list payloads = [], operators = [], frames
    cdef bytes routing_id, payload
    cdef Py_ssize_t size
    for routing_id, key, frames in messages:
        holder, session = keys.get(key), sessions.get(routing_id)
        if holder is None or session is None or session.key != key or holder.role != "trader":
            return None
        if len(frames) != 2 or frames[0] != tag:
            return None
        payload = frames[1]
        size = PyBytes_GET_SIZE(payload)
        if size == 0 or size > payload_bytes_max or size % <Py_ssize_t>sizeof(CommandRecord) != 0:
            return None
        session.seen_s = now_s
        payloads.append(payload)
        operators.append((holder.account_index, holder.operator_index))
    return None if faulty_payloads(payloads) else commands_join(payloads, operators)


cdef inline bint is_cancel(const CommandRecord* command) noexcept nogil:
    """Whether it only takes something back, as `venue.order_entry.gateway.is_cancel` says."""
    return (
        command.kind == COMMAND_KIND_CANCEL or command.kind == COMMAND_KIND_BLOCK_WITHDRAW
        or command.kind == COMMAND_KIND_BLOCK_REJECT or command.kind == COMMAND_KIND_BID_CANCEL
    )


def cancels_apart(records, owner, Py_ssize_t message_count):
    """Return how many commands of each message take nothing back, and how many do.

    Parameters
    ----------
    records : ndarray of COMMAND_DTYPE
    owner : ndarray of int64
        Per record, the index of its message, below `message_count`.

    Returns
    -------
    list of (int, int)
        A pair a message.
    """
    cdef Py_buffer view, owner_view
    cdef const CommandRecord* commands
    cdef const int64_t* owners
    cdef Py_ssize_t row, count, index
    cdef int64_t* counts
    records_check(records, COMMAND_DTYPE, "records")
    if owner.dtype != np.int64 or owner.shape != records.shape:
        raise TypeError(
            f"owner: expected int64, one number a record, got {owner.dtype} of {owner.shape}"
        )
    counts = <int64_t*>calloc(2 * message_count + 1, sizeof(int64_t))
    if counts == NULL:
        raise MemoryError("no memory to count commands by message")
    try:
        buffer_take(records, &view, PyBUF_C_CONTIGUOUS, "records")
        commands = <const CommandRecord*>view.buf
        count = view.len // <Py_ssize_t>sizeof(CommandRecord)
        PyBuffer_Release(&view)
        buffer_take(owner, &owner_view, PyBUF_C_CONTIGUOUS, "owner")
        owners = <const int64_t*>owner_view.buf
        PyBuffer_Release(&owner_view)
        for row in range(count):
            if not 0 <= owners[row] < message_count:
                raise ValueError(
                    f"owner: expected within 0..{message_count - 1}, got {owners[row]}"
                )
            counts[2 * owners[row] + is_cancel(&commands[row])] += 1
        return [(counts[2 * index], counts[2 * index + 1]) for index in range(message_count)]
    finally:
        free(counts)


def are_of_date(records, uint32_t trading_date):
    """Say whether all commands are meant for a trading day."""
    cdef Py_buffer view
    cdef const CommandRecord* commands
    cdef Py_ssize_t row, count
    records_check(records, COMMAND_DTYPE, "records")
    buffer_take(records, &view, PyBUF_C_CONTIGUOUS, "records")
    commands = <const CommandRecord*>view.buf
    count = view.len // <Py_ssize_t>sizeof(CommandRecord)
    row = 0
    while row < count and commands[row].trading_date == trading_date:
        row += 1
    PyBuffer_Release(&view)
    return row == count


def ids_placed(records, core, int64_t undecided_max):
    """Say of each command's id how it stands to the ids before it.

    Parameters
    ----------
    records : ndarray of COMMAND_DTYPE
        With account and operator.
    core
        The market, which knows the last accepted id of each operator.
    undecided_max : int
        So many undecided ones may an operator have.

    Returns
    -------
    ndarray of uint8 or None
        `ID_ABOVE` all before it, accepted ones and those here; `ID_PASSED`, at or below the last
        accepted; else `ID_UNDECIDED`, because an earlier command here has its id or passes it, or
        `ID_UNDECIDED_TOO_MANY`. None if all are above, as most are.
    """
    cdef Py_buffer view
    cdef const CommandRecord* command
    cdef int64_t count, row, above_count = 0
    cdef int bits
    cdef Run* table
    cdef Run* run
    records_check(records, COMMAND_DTYPE, "records")
    count = len(records)
    bits = int(2 * count).bit_length()
    places = np.empty(count, np.uint8)
    cdef uint8_t[::1] made = places
    table = <Run*>calloc(<size_t>1 << bits, sizeof(Run))
    if table == NULL:
        raise MemoryError("no memory to tell operators apart")
    try:
        buffer_take(records, &view, PyBUF_C_CONTIGUOUS, "records")
        try:
            for row in range(count):
                command = <const CommandRecord*>view.buf + row
                run = run_of(command, table, bits)
                if not run.is_taken:
                    run.is_taken = True
                    run.operator_key = operator_key(command)
                    run.id_last = run.id_accepted = core.last_client_order_id(
                        command.account_index, command.operator_index
                    )
                made[row] = id_placed(run, command.client_order_id, undecided_max)
                above_count += made[row] == PLACE_ABOVE
        finally:
            PyBuffer_Release(&view)
    finally:
        free(table)
    return None if above_count == count else places


cdef inline IdPlace id_placed(
    Run* run, uint64_t client_order_id, int64_t undecided_max
) noexcept nogil:
    if client_order_id <= run.id_accepted:
        return PLACE_PASSED
    if client_order_id > run.id_last:
        run.id_last = client_order_id
        return PLACE_ABOVE
    run.undecided_count += 1
    if run.undecided_count > undecided_max:
        return PLACE_UNDECIDED_TOO_MANY
    return PLACE_UNDECIDED


cdef inline uint64_t operator_key(const CommandRecord* command) noexcept nogil:
    return <uint64_t>command.account_index << 16 | command.operator_index


cdef inline Run* run_of(const CommandRecord* command, Run* table, int bits) noexcept nogil:
    """The place of a command's operator, which is empty for a new one."""
    cdef uint64_t mask = (<uint64_t>1 << bits) - 1
    cdef uint64_t key = operator_key(command)
    cdef uint64_t place = table_place(key, bits)
    while table[place].is_taken and table[place].operator_key != key:
        place = (place + 1) & mask
    return &table[place]


def are_same_commands(records, events, rows):
    """Say of each command whether an event is the acceptance of exactly it.

    Parameters
    ----------
    records : ndarray of COMMAND_DTYPE
        Well-formed ones.
    events : ndarray of EVENT_DTYPE
        Acceptances.
    rows : ndarray of int64
        Per command, the acceptance that has its id; -1 if none has.

    Returns
    -------
    ndarray of bool
    """
    cdef const CommandRecord[::1] commands = records
    cdef const EventRecord[::1] acceptances = events
    cdef const int64_t[::1] places = rows
    cdef int64_t count = commands.shape[0], row
    if places.shape[0] != count:
        raise ValueError(f"expected as many rows as records, {count}, got {places.shape[0]}")
    same = np.zeros(count, np.uint8)
    cdef uint8_t[::1] made = same
    for row in range(count):
        if places[row] >= acceptances.shape[0]:
            raise ValueError(f"expected rows within {acceptances.shape[0]} events")
        if places[row] >= 0:
            made[row] = is_same(&commands[row], &acceptances[places[row]])
    return same.view(np.bool_)


cdef inline bint is_same(const CommandRecord* command, const EventRecord* acceptance) noexcept:
    cdef bint same_terms = (
        command.price == acceptance.price and command.tonnes == acceptance.tonnes
    )
    if acceptance.kind != answered_by(command.kind):
        return False
    if command.kind == COMMAND_KIND_ENTER:
        return (
            same_terms and command.pick_order_id == acceptance.counter_order_id
            and command.side == acceptance.side and command.tif == acceptance.tif
            and command.flags == acceptance.flags
            and command.product_index == acceptance.product_index
        )
    if command.kind == COMMAND_KIND_BLOCK_ENQUIRY or command.kind == COMMAND_KIND_BLOCK_OFFER:
        return (
            same_terms and command.order_id == acceptance.counter_order_id
            and command.side == acceptance.side
            and command.product_index == acceptance.product_index
            and is_for_the_same(command, acceptance)
        )
    if command.kind == COMMAND_KIND_BID:
        return same_terms and command.order_id == acceptance.counter_order_id
    if command.kind == COMMAND_KIND_AMEND or command.kind == COMMAND_KIND_BLOCK_COUNTER:
        return same_terms and command.order_id == acceptance.order_id
    return command.order_id == acceptance.order_id


cdef inline int answered_by(uint8_t command_kind) noexcept:
    """The kind of event that accepts a command."""
    if command_kind == COMMAND_KIND_ENTER:
        return EVENT_KIND_ORDER_ACCEPTED
    if command_kind == COMMAND_KIND_CANCEL:
        return EVENT_KIND_ORDER_CANCELED
    if command_kind == COMMAND_KIND_AMEND:
        return EVENT_KIND_ORDER_AMENDED
    if command_kind == COMMAND_KIND_BLOCK_ENQUIRY:
        return EVENT_KIND_BLOCK_ENQUIRED
    if command_kind == COMMAND_KIND_BLOCK_OFFER:
        return EVENT_KIND_BLOCK_OFFERED
    if command_kind == COMMAND_KIND_BLOCK_ACCEPT:
        return EVENT_KIND_TRADE
    if command_kind == COMMAND_KIND_BLOCK_REJECT:
        return EVENT_KIND_BLOCK_REJECTED
    if command_kind == COMMAND_KIND_BLOCK_WITHDRAW:
        return EVENT_KIND_BLOCK_WITHDRAWN
    if command_kind == COMMAND_KIND_BLOCK_COUNTER:
        return EVENT_KIND_BLOCK_COUNTERED
    if command_kind == COMMAND_KIND_BID:
        return EVENT_KIND_BID_ACCEPTED
    return EVENT_KIND_BID_CANCELED


cdef inline bint is_for_the_same(
    const CommandRecord* command, const EventRecord* acceptance
) noexcept:
    """Whether a block was for the account or group that the command names."""
    if command.flags != acceptance.flags & ~<uint8_t>BLOCK_FLAG_ENQUIRY:
        return False
    if command.flags & BLOCK_FLAG_TO_ACCOUNT:
        return command.pick_order_id == acceptance.counter_account_index
    if command.flags & BLOCK_FLAG_TO_GROUP:
        return command.pick_order_id == acceptance.counter_client_order_id
    return True
