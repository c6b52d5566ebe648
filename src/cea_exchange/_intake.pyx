"""What the gateway asks of every command that arrives, in one pass over a batch."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free

import numpy as np

from cea_exchange._bidding cimport bid_malformed
from cea_exchange._block cimport block_malformed
from cea_exchange._records cimport *

cdef uint64_t HASH_MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: spreads close indexes.


cdef struct Run:
    uint64_t operator_key
    uint64_t id_last
    int64_t number            # From 1; 0 is an empty place.


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
    return command.tif > TIF_FOK or command.flags & ~<uint8_t>ORDER_FLAG_POST_ONLY != 0


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
    `protocol.framing.command_faults` says the same for clients, who know no compiled room.
    """
    cdef const CommandRecord[::1] given = records
    cdef int64_t count = given.shape[0], row
    faults = np.empty(count, np.uint8)
    cdef uint8_t[::1] marks = faults
    with nogil:
        for row in range(count):
            marks[row] = is_faulty(&given[row])
    return faults.view(np.bool_)


def operator_runs(records):
    """Return the ids that each operator uses: the first one, and whether they only ascend.

    Parameters
    ----------
    records : ndarray of COMMAND_DTYPE
        With account and operator.

    Returns
    -------
    keys : ndarray of uint64
        account_index x 65536 + operator_index, each once, in order of first appearance.
    firsts : ndarray of uint64
        Its first client_order_id here.
    ascending : ndarray of bool
        Whether each of its ids is above the one before.
    """
    cdef const CommandRecord[::1] given = records
    cdef int64_t count = given.shape[0], run_count = 0
    keys, firsts = np.empty(count, np.uint64), np.empty(count, np.uint64)
    ascending = np.ones(count, np.uint8)
    if count == 0:
        return keys, firsts, ascending.view(np.bool_)
    cdef uint64_t[::1] keys_view = keys, firsts_view = firsts
    cdef uint8_t[::1] ascending_view = ascending
    cdef int bits = int(2 * count - 1).bit_length()
    cdef Run* table = <Run*>calloc(<size_t>1 << bits, sizeof(Run))
    if table == NULL:
        raise MemoryError("no memory to tell operators apart")
    with nogil:
        run_count = runs_find(
            &given[0], count, table, bits, &keys_view[0], &firsts_view[0], &ascending_view[0]
        )
        free(table)
    return keys[:run_count], firsts[:run_count], ascending[:run_count].view(np.bool_)


cdef int64_t runs_find(
    const CommandRecord* commands, int64_t count, Run* table, int bits,
    uint64_t* keys, uint64_t* firsts, uint8_t* ascending,
) noexcept nogil:
    """Find every operator; how many there are."""
    cdef uint64_t mask = (<uint64_t>1 << bits) - 1, key, place
    cdef int64_t row, run_count = 0
    for row in range(count):
        key = <uint64_t>commands[row].account_index << 16 | commands[row].operator_index
        place = (key * HASH_MULTIPLIER) >> (64 - bits)
        while table[place].number != 0 and table[place].operator_key != key:
            place = (place + 1) & mask
        if table[place].number == 0:
            run_count += 1
            table[place].number = run_count
            table[place].operator_key = key
            keys[run_count - 1] = key
            firsts[run_count - 1] = commands[row].client_order_id
        elif commands[row].client_order_id <= table[place].id_last:
            ascending[table[place].number - 1] = 0
        table[place].id_last = commands[row].client_order_id
    return run_count
