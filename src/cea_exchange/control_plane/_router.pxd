"""A ROUTER's messages, frame by frame, for what passes them on.

    Frame and the calls on it       libzmq's message, without a Python object
    Router                          begin, frame_take, next: taking; try_put, put: sending
"""

from libc.stdint cimport uint64_t


cdef struct Frame:
    uint64_t words[8]         # zmq_msg_t: 64 bytes, aligned for a pointer.


ctypedef int (*frame_call)(Frame*) noexcept
ctypedef void* (*frame_data_call)(Frame*) noexcept
ctypedef size_t (*frame_size_call)(Frame*) noexcept

cdef frame_call frame_init
cdef frame_call frame_close
cdef frame_data_call frame_data
cdef frame_size_call frame_size

cdef void* call_of(str name) except NULL
cdef const char* key_of(Frame* frame) noexcept


cdef class Router:
    cdef object socket
    cdef void* handle
    cdef Py_ssize_t frames_max
    cdef bint has_more        # Frames of the message that is being taken.
    cdef Frame frame
    cdef readonly int descriptor
    cdef readonly uint64_t wire_bytes

    cdef bint begin(self, Frame* sender) except -1
    cdef bint frame_take(self, Frame* frame) except -1
    cdef bint next(self, Frame* frame) except -1
    cdef int try_put(self, const void* data, size_t size, bint is_last) noexcept
    cdef int put(self, const void* data, size_t size, bint is_last) except -1
    cdef int check_open(self) except -1
