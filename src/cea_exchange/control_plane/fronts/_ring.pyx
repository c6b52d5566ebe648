"""Packets through memory that two processes share: one end writes, the other one reads.

    memory, for each direction: places (how far is written and taken, who waits), content (a ring)
    packet: `Head`; routing id, key and frames of a message, or an item of MessagePack

Neither end ever waits for the other: what finds no room is kept until there is some, and who waits
for more, or for room, is woken by a byte over the socket that connects the two. No end believes
what the other has written there: places are compared with its own, and a packet is looked at only
once and where it is copied to, whatever becomes of the memory meanwhile.
"""

from collections import deque

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy
from posix.mman cimport (
    MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_NONE, PROT_READ,
    PROT_WRITE, mmap, munmap,
)

cdef extern from "sys/socket.h":
    enum: MSG_DONTWAIT, MSG_NOSIGNAL
    ssize_t send(int descriptor, const void* data, size_t size, int flags) nogil

cdef extern from *:
    """
    #define place_read(place) __atomic_load_n(place, __ATOMIC_ACQUIRE)
    #define place_write(place, value) __atomic_store_n(place, value, __ATOMIC_RELEASE)
    #define flag_set(flag, value) __atomic_store_n(flag, value, __ATOMIC_SEQ_CST)
    #define flag_see(flag) __atomic_load_n(flag, __ATOMIC_SEQ_CST)
    #define all_before_all_after() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    """
    uint64_t place_read(uint64_t* place) noexcept nogil
    void place_write(uint64_t* place, uint64_t value) noexcept nogil
    void flag_set(uint32_t* flag, uint32_t value) noexcept nogil
    uint32_t flag_see(uint32_t* flag) noexcept nogil
    void all_before_all_after() noexcept nogil

cdef enum:
    PLACES_BYTES = 1 << 16    # Whole pages, however large those of a machine are.
    CONTENT_BYTES = 1 << 20
    PACKET_BYTES_MAX = 64 << 20

RING_BYTES = <int>(PLACES_BYTES + CONTENT_BYTES)

assert sizeof(Places) <= PLACES_BYTES


class LinkEnded(Exception):
    """The other end is gone, or what it has written is no packet."""


cdef class Ring:
    """What both ends of a direction have.

    Parameters
    ----------
    memory : int
        A descriptor of memory that nobody can make shorter, with zeros in it at first; it may be
        closed afterwards.
    offset : int
        Where in it the direction's `RING_BYTES` begin.
    bell : int
        The descriptor of the socket by which the other end is woken.
    """

    def __cinit__(self, int memory, size_t offset, int bell):
        cdef int access = PROT_READ | PROT_WRITE
        cdef void* places = mmap(NULL, PLACES_BYTES, access, MAP_SHARED, memory, offset)
        cdef void* content
        cdef int half
        if places == MAP_FAILED:
            raise MemoryError("no memory for a link")
        self.places = <Places*>places
        content = mmap(NULL, 2 * CONTENT_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if content == MAP_FAILED:
            raise MemoryError("no memory for a link")
        self.content = <char*>content
        for half in range(2):
            if MAP_FAILED == mmap(
                self.content + half * CONTENT_BYTES, CONTENT_BYTES, access,
                MAP_SHARED | MAP_FIXED, memory, offset + PLACES_BYTES,
            ):
                raise MemoryError("no memory for a link")
        self.bell = bell

    def __dealloc__(self):
        if self.places != NULL:
            munmap(self.places, PLACES_BYTES)
        if self.content != NULL:
            munmap(self.content, 2 * CONTENT_BYTES)

    def close(self):
        """Wake nobody any more: the descriptor will be another's."""
        self.bell = -1


cdef void wake(int bell) noexcept:
    # Where there is no room for it, there are others that were not heard yet.
    if bell >= 0:
        send(bell, b"", 1, MSG_DONTWAIT | MSG_NOSIGNAL)


cdef class Writer(Ring):
    """The end that writes.

    Attributes
    ----------
    waiting_bytes : int
        What found no room yet.
    """

    def __init__(self, *_):
        self.waiting = deque()

    def item(self, bytes content):
        """Write an item; the reader hears of it with the next `flush`."""
        cdef Head head
        cdef Piece piece
        head.kind = KIND_ITEM
        head.door = head.routing_id_bytes = head.key_bytes = 0
        head.frame_count = 0
        piece.data, piece.size = PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content)
        self.put(&head, &piece, 1)

    def message(self, int door, bytes routing_id, bytes key, tuple frames):
        """Write a message of a connection; the reader hears of it with the next `flush`.

        Parameters
        ----------
        door : int
            Through which door it came, or goes.
        routing_id, key : bytes
            Of the connection; at most 255 bytes.
        frames : tuple of bytes-like
            At most three.
        """
        cdef Head head
        cdef Piece pieces[PIECES_MAX]
        cdef Py_buffer views[FRAMES_MAX]
        cdef int index, borrowed = 0
        if len(routing_id) > 255 or len(key) > 255 or len(frames) > FRAMES_MAX:
            raise ValueError(f"expected a message of at most {FRAMES_MAX} frames")
        head.kind, head.door = KIND_MESSAGE, door
        head.routing_id_bytes, head.key_bytes = len(routing_id), len(key)
        head.frame_count = len(frames)
        pieces[0].data, pieces[0].size = PyBytes_AS_STRING(routing_id), len(routing_id)
        pieces[1].data, pieces[1].size = PyBytes_AS_STRING(key), len(key)
        try:
            for index in range(len(frames)):
                PyObject_GetBuffer(frames[index], &views[index], PyBUF_SIMPLE)
                borrowed += 1
                pieces[2 + index].data = <const char*>views[index].buf
                pieces[2 + index].size = views[index].len
            self.put(&head, pieces, 2 + borrowed)
        finally:
            for index in range(borrowed):
                PyBuffer_Release(&views[index])

    def flush(self):
        """Move what waits as far as there is room, and wake the reader if it waits.

        Returns
        -------
        bool
            Whether nothing waits.

        Raises
        ------
        LinkEnded
            The reader says what can't be.
        """
        if self.waiting_bytes:
            self.waiting_move()
        if self.has_news:
            self.has_news = False
            all_before_all_after()
            if flag_see(&self.places.is_reader_waiting):
                flag_set(&self.places.is_reader_waiting, 0)
                wake(self.bell)
        return self.waiting_bytes == 0

    cdef int put(self, Head* head, const Piece* pieces, int count) except -1:
        """Write a packet; its pieces are those that its head tells of, in their order."""
        cdef size_t size = sizeof(Head)
        cdef bytes packet = None
        cdef char* at
        cdef int index
        for index in range(count):
            size += pieces[index].size
        if size > PACKET_BYTES_MAX:
            raise ValueError(f"expected a packet of at most {PACKET_BYTES_MAX} bytes, got {size}")
        for index in range(2, count):
            head.frame_bytes[index - 2] = <uint32_t>pieces[index].size
        for index in range(max(count - 2, 0), FRAMES_MAX):
            head.frame_bytes[index] = 0
        head.size = <uint32_t>size
        if self.waiting_bytes == 0 and self.free_bytes() >= size:
            at = self.content + self.written % CONTENT_BYTES
        else:
            packet = PyBytes_FromStringAndSize(NULL, size)
            at = PyBytes_AS_STRING(packet)
        memcpy(at, head, sizeof(Head))
        at += sizeof(Head)
        for index in range(count):
            memcpy(at, pieces[index].data, pieces[index].size)
            at += pieces[index].size
        if packet is None:
            self.wrote(size)
        else:
            self.waiting.append(memoryview(packet))
            self.waiting_bytes += size
        return 0

    cdef size_t free_bytes(self) noexcept:
        """How many bytes can be written now; none where the reader says what can't be."""
        cdef uint64_t unread = self.written - place_read(&self.places.taken)
        return CONTENT_BYTES - unread if unread <= CONTENT_BYTES else 0

    cdef void wrote(self, size_t size) noexcept:
        self.written += size
        self.has_news = True
        place_write(&self.places.written, self.written)

    cdef int waiting_move(self) except -1:
        """Write what waits, and ask to be woken where the room does not last."""
        cdef const unsigned char[::1] packet
        cdef size_t size
        while self.waiting_bytes:
            size = self.free_bytes()
            if size == 0:
                flag_set(&self.places.is_writer_waiting, 1)
                if self.free_bytes() == 0:
                    return self.check()
                continue
            packet = self.waiting[0]
            size = min(size, <size_t>packet.shape[0])
            memcpy(self.content + self.written % CONTENT_BYTES, &packet[0], size)
            self.wrote(size)
            self.waiting_bytes -= size
            if size == <size_t>packet.shape[0]:
                self.waiting.popleft()
            else:
                self.waiting[0] = self.waiting[0][size:]
        return 0

    cdef int check(self) except -1:
        if self.written - place_read(&self.places.taken) > CONTENT_BYTES:
            raise LinkEnded("it has taken what was never written")
        return 0


cdef class Reader(Ring):
    """The end that reads.

    Attributes
    ----------
    has_more : bool
        Whether the last `receive` left packets that have come.
    """

    def receive(self, size_t bytes_max, bint listens=True):
        """Take packets that have come whole, until they are more than some bytes.

        Unless there are more, and where it `listens`, the writer is asked to wake this end by its
        next `flush`.

        Returns
        -------
        list of bytes, or of (int, bytes, bytes, list of bytes)
            Items, and messages: door, routing id and key of the connection, frames.

        Raises
        ------
        LinkEnded
            What was written is no packet.
        """
        cdef list taken = []
        cdef size_t taken_bytes = 0, size = 0
        cdef bint is_awaited = False
        cdef object packet
        self.has_more = True
        while taken_bytes <= bytes_max:
            packet = self.packet_take(&size)
            if packet is not None:
                taken.append(packet)
                taken_bytes += size
                is_awaited = False
            elif is_awaited or not listens:
                self.has_more = False
                break
            else:
                self.await_more()
                # What came before the writer could know of it is looked for once more.
                is_awaited = True
        self.taken_tell()
        return taken

    def listen(self):
        """Ask to be woken when more comes; say whether something can be taken already."""
        self.await_more()
        return self.is_here()

    cdef bint is_here(self) except -1:
        """Whether something can be taken."""
        cdef Head head
        if self.large is None:
            return self.next(&head)
        return self.unread() > 0

    cdef object packet_take(self, size_t* size):
        """Take the next packet, and say its size; None if there is none that has come whole."""
        cdef Head head
        cdef object packet
        if self.large is None:
            if not self.next(&head):
                return None
            size[0] = head.size
            if head.size <= CONTENT_BYTES:
                packet = packet_read(self.first(), &head)
                self.take(head.size)
                return packet
            self.large, self.large_bytes = bytearray(), head.size
        size[0] = self.large_bytes
        return self.large_take()

    cdef size_t unread(self) except? 1:
        """How many bytes can be read now."""
        cdef uint64_t size = place_read(&self.places.written) - self.taken
        if size > CONTENT_BYTES:
            raise LinkEnded("it has written more than there is room for")
        return size

    cdef bint next(self, Head* head) except -1:
        """Read the head of the next packet; False if that has not come, as far as it can."""
        cdef size_t size = self.unread()
        if size < sizeof(Head):
            return False
        memcpy(head, self.first(), sizeof(Head))
        if not sizeof(Head) <= head.size <= PACKET_BYTES_MAX:
            raise LinkEnded(f"no packet: of {head.size} bytes")
        return size >= min(<size_t>head.size, <size_t>CONTENT_BYTES)

    cdef const char* first(self) noexcept:
        """Where the next packet is."""
        return self.content + self.taken % CONTENT_BYTES

    cdef void take(self, size_t size) noexcept:
        self.taken += size
        place_write(&self.places.taken, self.taken)

    cdef void taken_tell(self) noexcept:
        """Wake the writer if it waits for room."""
        all_before_all_after()
        if flag_see(&self.places.is_writer_waiting):
            flag_set(&self.places.is_writer_waiting, 0)
            wake(self.bell)

    cdef void await_more(self) noexcept:
        """Ask to be woken when more comes; whoever asks looks once more before it waits."""
        flag_set(&self.places.is_reader_waiting, 1)
        all_before_all_after()

    cdef void awake(self) noexcept:
        """Ask not to be woken: this end looks again before it waits."""
        flag_set(&self.places.is_reader_waiting, 0)

    cdef object large_take(self):
        """Take more of a packet that is larger than the ring; return it once it is whole."""
        cdef size_t size = min(self.unread(), self.large_bytes - len(self.large))
        cdef bytes packet
        cdef Head head
        self.large += self.first()[:size]
        self.take(size)
        if <size_t>len(self.large) < self.large_bytes:
            return None
        packet, self.large = bytes(self.large), None
        memcpy(&head, PyBytes_AS_STRING(packet), sizeof(Head))
        if head.size != self.large_bytes:
            raise LinkEnded("no packet: it changed")
        return packet_read(PyBytes_AS_STRING(packet), &head)


cdef bint is_message(const Head* head) noexcept:
    """Whether it is the head of a message, whose parts are as long as the whole packet."""
    cdef size_t size = sizeof(Head) + head.routing_id_bytes + head.key_bytes
    cdef uint32_t index
    if head.kind != KIND_MESSAGE or head.frame_count > FRAMES_MAX:
        return False
    for index in range(head.frame_count):
        size += head.frame_bytes[index]
    return size == head.size


cdef object packet_read(const char* packet, const Head* head):
    """What a whole packet is; its head was copied before its size was believed."""
    cdef const char* at = packet + sizeof(Head)
    cdef bytes routing_id, key
    cdef list frames = []
    cdef uint32_t index
    if head.kind == KIND_ITEM:
        return PyBytes_FromStringAndSize(at, head.size - sizeof(Head))
    if not is_message(head):
        raise LinkEnded(f"no packet: of kind {head.kind}, whose parts are not its size")
    routing_id = PyBytes_FromStringAndSize(at, head.routing_id_bytes)
    at += head.routing_id_bytes
    key = PyBytes_FromStringAndSize(at, head.key_bytes)
    at += head.key_bytes
    for index in range(head.frame_count):
        frames.append(PyBytes_FromStringAndSize(at, head.frame_bytes[index]))
        at += head.frame_bytes[index]
    return head.door, routing_id, key, frames
