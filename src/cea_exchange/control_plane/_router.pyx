"""A ROUTER's messages, taken and sent without a Python object for each frame.

pyzmq makes an object of every frame, and some calls for each; for a venue that takes single orders
that is more than the market's work. The calls here go to the libzmq that pyzmq has loaded, on
pyzmq's own sockets.
"""

import ctypes

import zmq
from zmq.backend.cython import _zmq

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR
from libc.stdint cimport uint64_t
from libc.string cimport strlen


ctypedef int (*frame_receive_call)(Frame*, void*, int) noexcept
ctypedef const char* (*frame_property_call)(const Frame*, const char*) noexcept
ctypedef int (*frame_value_call)(const Frame*, int) noexcept
ctypedef int (*send_call)(void*, const void*, size_t, int) noexcept
ctypedef int (*error_call)() noexcept

_library = ctypes.CDLL(_zmq.__file__)


cdef void* call_of(str name) except NULL:
    """Where a function of libzmq is."""
    return <void*><size_t>ctypes.cast(getattr(_library, name), ctypes.c_void_p).value


cdef frame_call frame_init = <frame_call>call_of("zmq_msg_init")
cdef frame_call frame_close = <frame_call>call_of("zmq_msg_close")
cdef frame_call frame_more = <frame_call>call_of("zmq_msg_more")
cdef frame_data_call frame_data = <frame_data_call>call_of("zmq_msg_data")
cdef frame_size_call frame_size = <frame_size_call>call_of("zmq_msg_size")
cdef frame_receive_call frame_receive = <frame_receive_call>call_of("zmq_msg_recv")
cdef frame_property_call frame_property = <frame_property_call>call_of("zmq_msg_gets")
cdef frame_value_call frame_value = <frame_value_call>call_of("zmq_msg_get")
cdef send_call frame_send = <send_call>call_of("zmq_send")
cdef error_call error_number = <error_call>call_of("zmq_errno")

cdef int NOBLOCK = zmq.NOBLOCK, MORE = zmq.SNDMORE, DESCRIPTOR = zmq.SRCFD
cdef int SHORT_BYTES_MAX = 255
cdef int CURVE_BYTES = 33  # Command, nonce and authenticator around each frame's content.


cdef class Router:
    """Takes and sends whole messages; never waits.

    A sender decides of how many frames its message is, and every one takes its time: those behind
    `frames_max` are dropped, so many at a look, lest the venue stand still for a million of them.

    Parameters
    ----------
    socket : zmq.Socket
        A bound ROUTER.
    frames_max : int
        How many frames a message may have behind its routing id.

    Attributes
    ----------
    descriptor : int
        Of the connection over which the last message came.
    wire_bytes : int
        What all frames that were taken had on the wire, the dropped ones too.
    """

    def __cinit__(self, socket, Py_ssize_t frames_max):
        self.socket = socket
        self.handle = <void*><size_t>socket.underlying
        self.frames_max = frames_max
        frame_init(&self.frame)

    def __dealloc__(self):
        frame_close(&self.frame)

    def receive(self):
        """Take one message.

        Returns
        -------
        tuple of (bytes, str or None, list of bytes), or None
            Its routing id, the key (z85 text) of its connection, and its frames; None if there is
            none for now.
        """
        cdef bytes routing_id
        cdef list frames = []
        cdef const char* key
        self.check_open()
        if not self.begin(&self.frame):
            return None
        routing_id = contents(&self.frame)
        while len(frames) < self.frames_max and self.frame_take(&self.frame):
            frames.append(contents(&self.frame))
        key = key_of(&self.frame)
        return routing_id, None if key == NULL else key[:strlen(key)].decode("ascii"), frames

    def send(self, bytes routing_id, *frames):
        """Send a message.

        Raises
        ------
        zmq.Again
            There is no room for it; nothing was sent.
        zmq.ZMQError
            The connection is gone.
        """
        cdef Py_buffer view
        cdef Py_ssize_t last = len(frames) - 1, index
        self.check_open()
        # Only the first can be refused: the room is that of whole messages.
        self.put(PyBytes_AS_STRING(routing_id), PyBytes_GET_SIZE(routing_id), False)
        for index in range(last + 1):
            PyObject_GetBuffer(frames[index], &view, PyBUF_SIMPLE)
            try:
                self.put(view.buf, view.len, index == last)
            finally:
                PyBuffer_Release(&view)

    cdef bint begin(self, Frame* sender) except -1:
        """Take the next message's routing id; False if there is none for now.

        What `frame_take` left of the message before is dropped first, so much at a look.
        """
        cdef Py_ssize_t dropped = 0
        while self.has_more:
            if dropped == self.frames_max:
                return False
            self.frame_take(sender)
            dropped += 1
        if not self.next(sender):
            return False
        self.has_more = frame_more(sender)
        return True

    cdef bint frame_take(self, Frame* frame) except -1:
        """Take the next frame of a message that has begun; False if there is no more."""
        # They are there, for libzmq hands out whole messages.
        if not self.has_more or not self.next(frame):
            self.has_more = False
            return False
        self.has_more = frame_more(frame)
        self.descriptor = frame_value(frame, DESCRIPTOR)
        self.wire_bytes += frame_size(frame) + CURVE_BYTES
        self.wire_bytes += 2 if frame_size(frame) + CURVE_BYTES <= SHORT_BYTES_MAX else 9
        return True

    cdef bint next(self, Frame* frame) except -1:
        """Take the next frame; False if there is none."""
        while frame_receive(frame, self.handle, NOBLOCK) < 0:
            if error_number() == EAGAIN:
                return False
            if error_number() != EINTR:
                raise zmq.ZMQError(error_number())
        return True

    cdef int put(self, const void* data, size_t size, bint is_last) except -1:
        cdef int error = self.try_put(data, size, is_last)
        if error == EAGAIN:
            raise zmq.Again
        if error:
            raise zmq.ZMQError(error)
        return 0

    cdef int try_put(self, const void* data, size_t size, bint is_last) noexcept:
        """Send a frame; return the error's number, or 0."""
        while frame_send(self.handle, data, size, NOBLOCK if is_last else NOBLOCK | MORE) < 0:
            if error_number() != EINTR:
                return error_number()
        return 0

    cdef int check_open(self) except -1:
        if self.socket.closed:
            raise zmq.ZMQError(zmq.ENOTSOCK)
        return 0


cdef bytes contents(Frame* frame):
    return PyBytes_FromStringAndSize(<const char*>frame_data(frame), frame_size(frame))


cdef const char* key_of(Frame* frame) noexcept:
    """The key (z85 text) of the connection that a frame came over; NULL if it has none."""
    return frame_property(frame, b"User-Id")
