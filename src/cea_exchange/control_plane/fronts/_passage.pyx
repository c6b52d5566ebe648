"""A front's messages, passed on between its sockets and the daemon's ring.

    others <--> ROUTERs  Passage  rings <--> daemon

No Python object is made of what a message holds, and none at all of one that a socket takes at
once. Everything else is left to the front: what the daemon says besides, and messages for those who
do not read, or are gone.
"""

from libc.errno cimport EAGAIN, errno
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport strlen
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from cea_exchange.control_plane.fronts._ring cimport (
    FRAMES_MAX, KIND_MESSAGE, PIECES_MAX, Head, Piece, Reader, Writer, is_message,
)
from cea_exchange.control_plane._router cimport (
    Frame, Router, frame_close, frame_data, frame_init, frame_size, key_of,
)

cdef extern from "poll.h":
    struct pollfd:
        int fd
        short events
        short revents
    enum: POLLIN
    int poll(pollfd* descriptors, unsigned long count, int timeout_ms) nogil

cdef extern from "sys/socket.h":
    enum: MSG_DONTWAIT
    ssize_t recv(int descriptor, void* data, size_t size, int flags) nogil


cdef enum:
    MESSAGES_PER_TURN_MAX = 1000
    BYTES_PER_TURN_MAX = 1 << 20


cdef struct Door:
    uint64_t wire_bytes       # Of all messages that the front was sent.
    bint is_held
    bint is_open              # Something may be there that its descriptor does not tell of.


cdef class Passage:
    """Passes on what it can.

    Parameters
    ----------
    descriptor : int
        The socket by which the daemon wakes the front, and whose end is the daemon's.
    incoming, outgoing : Reader, Writer
        From the daemon, and to it.
    doors : list of (Router, callable)
        Where others come; what is called of each message with the connection's descriptor, its
        routing id and key, and how many bytes it had on the wire.
    """

    cdef Reader incoming
    cdef Writer outgoing
    cdef list routers, noted
    cdef pollfd* descriptors  # Of the doors, and the link's.
    cdef Door* doors
    cdef int door_count
    cdef Frame sender
    cdef Frame frames[FRAMES_MAX]

    def __cinit__(self, int descriptor, Reader incoming, Writer outgoing, list doors):
        cdef int index
        self.incoming, self.outgoing = incoming, outgoing
        self.door_count = len(doors)
        self.routers, self.noted = [router for router, _ in doors], [noted for _, noted in doors]
        self.descriptors = <pollfd*>calloc(self.door_count + 1, sizeof(pollfd))
        self.doors = <Door*>calloc(self.door_count, sizeof(Door))
        if self.descriptors == NULL or self.doors == NULL:
            raise MemoryError("no memory for a passage")
        for index in range(self.door_count):
            self.descriptors[index].fd = (<Router>self.routers[index]).socket.fd
        self.descriptors[self.door_count].fd = descriptor
        self.descriptors[self.door_count].events = POLLIN
        frame_init(&self.sender)
        for index in range(FRAMES_MAX):
            frame_init(&self.frames[index])

    def __dealloc__(self):
        free(self.descriptors)
        free(self.doors)

    def hold(self, int door, bint is_held):
        """Leave what goes to a door to the front: there is something that must go before it."""
        if not 0 <= door < self.door_count:
            raise IndexError(f"door: expected within 0..{self.door_count - 1}, got {door}")
        self.doors[door].is_held = is_held

    def run(self, int wait_ms, int work_ms):
        """Pass messages on until there is something else to do.

        Parameters
        ----------
        wait_ms
            How long it waits for something to come.
        work_ms
            How long it goes on while something comes.
        """
        cdef int64_t until_ns = now_ns() + work_ms * <int64_t>1_000_000
        cdef int index
        for index in range(self.door_count):
            (<Router>self.routers[index]).check_open()
            # Others have used the socket, and heard what its descriptor told of.
            self.doors[index].is_open = True
        while self.wait(wait_ms):
            if self.descriptors[self.door_count].revents and self.is_over():
                return
            if not self.pass_out():
                return
            self.pass_in()
            self.outgoing.flush()
            if now_ns() >= until_ns:
                return

    cdef bint wait(self, int wait_ms) except -1:
        """Wait for something to come; say whether it has.

        What waits for room on its way to the daemon lets others wait in libzmq.
        """
        cdef bint is_taking = self.outgoing.waiting_bytes == 0
        cdef bint is_here
        cdef int index, ready
        self.incoming.await_more()
        is_here = self.incoming.is_here()
        for index in range(self.door_count):
            self.descriptors[index].events = POLLIN if is_taking else 0
            is_here = is_here or (is_taking and self.doors[index].is_open)
        with nogil:
            ready = poll(self.descriptors, self.door_count + 1, 0 if is_here else wait_ms)
        self.incoming.awake()
        # Of a signal Python has to hear.
        return is_here or ready > 0

    cdef bint is_over(self) noexcept:
        """Hear the daemon's calls; say whether there will be none any more."""
        cdef char calls[64]
        cdef int descriptor = self.descriptors[self.door_count].fd
        cdef ssize_t heard = recv(descriptor, calls, sizeof(calls), MSG_DONTWAIT)
        return heard == 0 or (heard < 0 and errno != EAGAIN)

    cdef bint pass_out(self) except -1:
        """Send what the daemon says to others; False if the next is not for this, or not now."""
        cdef Head head
        cdef int passed
        if self.incoming.large is not None:
            return not self.incoming.is_here()
        for passed in range(MESSAGES_PER_TURN_MAX):
            if not self.incoming.next(&head):
                break
            if not self.send(self.incoming.first(), &head):
                self.incoming.taken_tell()
                return False
            self.incoming.take(head.size)
        self.incoming.taken_tell()
        return True

    cdef bint send(self, const char* packet, const Head* head) except -1:
        """Send a message; False if it is none, or not for this, or not taken, and nothing went."""
        cdef const char* at = packet + sizeof(Head)
        cdef Router router
        cdef uint32_t index
        if not is_message(head) or head.door >= self.door_count or self.doors[head.door].is_held:
            return False
        router = self.routers[head.door]
        # What is heard on the way is not told by the descriptor again.
        self.doors[head.door].is_open = True
        if router.try_put(at, head.routing_id_bytes, False):
            return False
        at += head.routing_id_bytes + head.key_bytes
        for index in range(head.frame_count):
            router.put(at, head.frame_bytes[index], index == head.frame_count - 1)
            at += head.frame_bytes[index]
        return True

    cdef int pass_in(self) except -1:
        """Write what others send into the ring, as long as that has room."""
        cdef Router router
        cdef int door, passed, count, index
        cdef size_t size
        for door in range(self.door_count):
            if not self.doors[door].is_open and not self.descriptors[door].revents:
                continue
            router, size = self.routers[door], 0
            for passed in range(MESSAGES_PER_TURN_MAX):
                if self.outgoing.waiting_bytes or size > BYTES_PER_TURN_MAX:
                    break
                self.doors[door].is_open = True
                if not router.begin(&self.sender):
                    self.doors[door].is_open = router.has_more
                    break
                count = 0
                while count < FRAMES_MAX and router.frame_take(&self.frames[count]):
                    count += 1
                size += self.put(door, count)
                self.note(door, count)
                for index in range(count):
                    frame_close(&self.frames[index])
                    frame_init(&self.frames[index])
        return 0

    cdef size_t put(self, int door, int count) except 0:
        """Write the message that was taken; return its size."""
        cdef Head head
        cdef Piece pieces[PIECES_MAX]
        cdef int index
        pieces[0] = piece_of(&self.sender)
        pieces[1].data = key_of(&self.frames[count - 1] if count else &self.sender)
        pieces[1].size = 0 if pieces[1].data == NULL else min(strlen(pieces[1].data), 255)
        for index in range(count):
            pieces[2 + index] = piece_of(&self.frames[index])
        head.kind, head.door = KIND_MESSAGE, door
        head.routing_id_bytes, head.key_bytes = pieces[0].size, pieces[1].size
        head.frame_count = count
        self.outgoing.put(&head, pieces, 2 + count)
        return head.size

    cdef int note(self, int door, int count) except -1:
        """Let the front know whose message was taken."""
        cdef Router router = self.routers[door]
        cdef Piece sender = piece_of(&self.sender)
        cdef const char* key = key_of(&self.frames[count - 1] if count else &self.sender)
        cdef uint64_t before = self.doors[door].wire_bytes
        self.doors[door].wire_bytes = router.wire_bytes
        self.noted[door](
            router.descriptor,
            sender.data[:sender.size],
            "" if key == NULL else key[:strlen(key)].decode("ascii"),
            router.wire_bytes - before,
        )
        return 0


cdef Piece piece_of(Frame* frame) noexcept:
    cdef Piece piece
    piece.data, piece.size = <const char*>frame_data(frame), frame_size(frame)
    return piece


cdef int64_t now_ns() noexcept:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * <int64_t>1_000_000_000 + now.tv_nsec
