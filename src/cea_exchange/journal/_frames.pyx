"""The frames of a journal's segment: made, and decoded and checked one after the other.

Laid out in protocol/journal.md. Where this stops, journal/segment.py says what is wrong.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBuffer_Release
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from cea_exchange._arguments cimport buffer_take
from cea_exchange.journal._crc32c cimport crc32c_extend

cdef packed struct FrameHeader:
    uint8_t magic[4]
    uint32_t kind
    uint64_t first_seq
    uint64_t synced_seq
    int64_t time_ns
    uint32_t count
    uint32_t length
    uint32_t crc

cdef enum:
    RECORDS = 1
    SEAL = 3
    HEADER_BYTES = 44
    CHECKED_BYTES = 40        # The CRC is of them and the payload.
    # One full gateway frame (1 MiB) and room for what the sequencer adds.
    PAYLOAD_BYTES_MAX = (1 << 20) + (1 << 16)
    FRAMES_AT_ONCE = 256

assert sizeof(FrameHeader) == HEADER_BYTES

FRAME_PAYLOAD_BYTES_MAX = PAYLOAD_BYTES_MAX

cdef const char* MAGIC = b"\xceFRM"


cdef inline uint32_t frame_crc(
    const FrameHeader* header, const void* payload, size_t length,
) noexcept nogil:
    return crc32c_extend(crc32c_extend(0, header, CHECKED_BYTES), payload, length)


def frame_made(
    uint32_t kind, uint64_t first_seq, uint64_t synced_seq, int64_t time_ns, uint32_t count,
    payload,
):
    """Return the bytes of a frame.

    Parameters
    ----------
    kind, first_seq, synced_seq, time_ns, count
        Of its header; what they are, journal/segment.py says.
    payload : buffer
        Contiguous; it is copied.
    """
    cdef Py_buffer view
    cdef bytes frame
    cdef FrameHeader* header
    cdef char* copied
    buffer_take(payload, &view, PyBUF_C_CONTIGUOUS, "payload")
    try:
        if view.len > PAYLOAD_BYTES_MAX:
            raise ValueError(f"payload: expected up to {PAYLOAD_BYTES_MAX} bytes, got {view.len}")
        frame = PyBytes_FromStringAndSize(NULL, HEADER_BYTES + view.len)
        header = <FrameHeader*>PyBytes_AS_STRING(frame)
        copied = PyBytes_AS_STRING(frame) + HEADER_BYTES
        memcpy(header.magic, MAGIC, sizeof(header.magic))
        header.kind = kind
        header.first_seq = first_seq
        header.synced_seq = synced_seq
        header.time_ns = time_ns
        header.count = count
        header.length = <uint32_t>view.len
        memcpy(copied, view.buf, view.len)
        # Of the copy: what is written is what was summed, whoever has the other memory, too.
        header.crc = frame_crc(header, copied, view.len)
    finally:
        PyBuffer_Release(&view)
    return frame


cdef struct Joined:
    uint64_t synced_seq
    int64_t time_ns
    uint64_t count
    size_t bytes              # Of rows.
    Py_ssize_t end            # The place after the last frame.


cdef inline const FrameHeader* frame_next(
    const char* data, Py_ssize_t size, uint64_t seq,
) noexcept nogil:
    """The frame that the bytes begin with; NULL if it is not whole, or not the next."""
    cdef const FrameHeader* header = <const FrameHeader*>data
    if (
        size < HEADER_BYTES
        or memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0
        or header.first_seq != seq
        or not RECORDS <= header.kind <= SEAL
        or header.length > PAYLOAD_BYTES_MAX
        or size - HEADER_BYTES < <Py_ssize_t>header.length
    ):
        return NULL
    if frame_crc(header, data + HEADER_BYTES, header.length) != header.crc:
        return NULL
    return header


cdef inline bint has_rows(const FrameHeader* header, uint64_t row_bytes) noexcept nogil:
    return header.kind == RECORDS and header.length == header.count * row_bytes


cdef Joined records_join(
    const char* data, Py_ssize_t size, const FrameHeader* header, uint64_t row_bytes,
    char* rows, size_t wanted_bytes,
) noexcept nogil:
    """Copy the rows of a frame and of those after it, until there are enough."""
    cdef Joined joined
    cdef const char* place = <const char*>header
    cdef uint64_t seq = header.first_seq
    joined.count = joined.bytes = joined.synced_seq = 0
    joined.time_ns = 0
    while header != NULL and has_rows(header, row_bytes):
        memcpy(rows + joined.bytes, place + HEADER_BYTES, header.length)
        joined.bytes += header.length
        joined.count += header.count
        joined.time_ns = header.time_ns
        joined.synced_seq = header.synced_seq
        place += HEADER_BYTES + header.length
        seq += header.count
        if joined.bytes >= wanted_bytes:
            break
        header = frame_next(place, data + size - place, seq)
    joined.end = place - data
    return joined


def frames_whole(
    data, Py_ssize_t offset, uint64_t seq, type frame_type, tuple kinds,
    Py_ssize_t row_bytes=0, bytearray room=None,
):
    """Decode frames up to the first that is not whole, or not the next; a seal is the last.

    Parameters
    ----------
    data : bytes
        A segment.
    offset, seq : int
        Where the first of them is, and the sequence number it must have.
    frame_type : type
        The named tuple to make of each.
    kinds : tuple
        The kinds of frames, in order from 1 on.
    row_bytes : int
        Join neighbouring frames of records with rows of that width; 0 joins none.
    room : buffer
        Where rows are joined, until what is left of it has not room for any frame.

    Returns
    -------
    frames : list of frame_type
        Some frames; where rows are joined, the last one's payload may be a part of `room`.
    offset : int
        The place after the last of them.
    """
    cdef Py_buffer view
    cdef const char* start
    cdef Py_ssize_t size
    cdef const FrameHeader* header
    cdef Joined joined
    cdef Py_ssize_t wanted_bytes = 0
    cdef char* rows = NULL
    cdef list frames = []
    buffer_take(data, &view, PyBUF_C_CONTIGUOUS, "data")
    start = <const char*>view.buf
    size = view.len
    PyBuffer_Release(&view)
    if row_bytes:
        rows = PyByteArray_AS_STRING(room)
        wanted_bytes = PyByteArray_GET_SIZE(room) - PAYLOAD_BYTES_MAX
        if wanted_bytes <= 0:
            raise ValueError(f"room: expected above {PAYLOAD_BYTES_MAX} bytes, got {len(room)}")
    while len(frames) < FRAMES_AT_ONCE:
        header = frame_next(start + offset, size - offset, seq)
        if header == NULL:
            break
        if row_bytes and has_rows(header, row_bytes):
            with nogil:
                joined = records_join(start, size, header, row_bytes, rows, wanted_bytes)
            frames.append(tuple.__new__(frame_type, (
                kinds[RECORDS - 1], seq, joined.count, joined.time_ns,
                memoryview(room)[:joined.bytes], joined.synced_seq,
            )))
            return frames, joined.end
        frames.append(tuple.__new__(frame_type, (
            kinds[header.kind - 1], seq, header.count, header.time_ns,
            start[offset + HEADER_BYTES:offset + HEADER_BYTES + header.length],
            header.synced_seq,
        )))
        offset += HEADER_BYTES + <Py_ssize_t>header.length
        seq += header.count
        if header.kind == SEAL:
            break
    return frames, offset
