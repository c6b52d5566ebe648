"""A file that a person names: only a regular one is read, and no more of it than it may have."""

import gzip
import io
import os
import re
import resource
import socket

import pytest

from cea_exchange.user_files.opening import (
    LINE_CHARACTERS_MAX,
    UserFileError,
    bytes_read,
    file_open,
    lines_read,
    stream_lines,
    text_read,
)

pytestmark = pytest.mark.unit
KIND = "a letter"


def refused(read, path, **more):
    """Return what is said of a file, without its name."""
    with pytest.raises(UserFileError) as raised:
        found = read(path, KIND, **more)
        if not isinstance(found, str | bytes):
            list(found)
    assert str(raised.value).startswith(f"{path}:")
    return str(raised.value).removeprefix(f"{path}:").strip()


@pytest.fixture
def others(tmp_path):
    """Return paths of what is no regular file, and what each is called."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to(tmp_path / "pool")
    (tmp_path / "pool").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "linked").symlink_to(tmp_path / "pipe")
    return {
        tmp_path: "got a folder",
        tmp_path / "pipe": "got a pipe",
        tmp_path / "linked": "got a pipe",
        tmp_path / "socket": "got a socket",
        tmp_path / "loop": "Too many levels of symbolic links",
        tmp_path / "dangling": "No such file or directory",
        tmp_path / "none": "No such file or directory",
        tmp_path / ("long" * 100): "File name too long",
        "/dev/zero": "got a device",
        "/dev/null": "got a device",
    }


def test_what_is_no_regular_file_is_refused_at_once(others):
    for path, what in others.items():
        for read, more in ((file_open, {}), (text_read, {}), (lines_read, {})):
            assert refused(read, path, **more) == f"expected {KIND}, {what}"


def test_a_regular_file_is_read_through_a_link(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert text_read(tmp_path / "b", KIND) == "one\r\ntwo\rthree"
    assert list(lines_read(tmp_path / "b", KIND)) == ["one\r\n", "two\r", "three"]


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(10 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read, most in ((text_read, 1 << 20), (lines_read, 16 << 20)):
        said = f"expected {KIND} of at most {most} bytes, got {10 << 30}"
        assert refused(read, sparse) == said
    assert refused(lines_read, sparse, bytes_max=None).startswith("1: expected a line of at most")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
    sparse.write_bytes(b"12345")
    assert bytes_read(sparse, KIND, 5) == b"12345"
    assert refused(bytes_read, sparse, bytes_max=4).endswith("of at most 4 bytes, got more")


def test_a_file_whose_size_is_not_told_is_bounded_too():
    # The system's own files have no size before they are read.
    assert bytes_read("/proc/self/status", KIND, 1 << 16).startswith(b"Name:")
    assert "at most 9 bytes, got more" in refused(bytes_read, "/proc/self/status", bytes_max=9)


def test_another_encoding_is_named(tmp_path):
    file = tmp_path / "a"
    for data, what in (
        ("中文".encode("utf-16"), "got UTF-16"),
        (b"one\ntwo\xff", "got the byte 0xff behind line 1"),
    ):
        file.write_bytes(data)
        assert refused(text_read, file) == f"expected {KIND} in UTF-8, {what}"
    file.write_bytes("中文".encode("utf-16"))
    assert refused(lines_read, file) == f"expected {KIND} in UTF-8, got UTF-16"


def test_lines_are_bounded_also_where_they_are_packed(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"a\n" + b"x" * (LINE_CHARACTERS_MAX + 1))
    assert refused(lines_read, file) == (
        f"2: expected a line of at most {LINE_CHARACTERS_MAX} characters, got a longer one"
    )
    file.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert list(lines_read(file, KIND, None, may_be_packed=True)) == ["one\n", "two\n"]
    assert "in UTF-8, got the byte 0x8b" in refused(lines_read, file)
    bomb, cut = gzip.compress(bytes(1 << 24)), gzip.compress(b"a\nb\n")[:-9]
    for data, what in ((bomb, "a line of at most"), (cut, "a damaged gzip file")):
        file.write_bytes(data)
        assert what in refused(lines_read, file, bytes_max=None, may_be_packed=True)


def test_a_stream_without_an_end_is_not_read_forever():
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, room):
            room[:] = b"\n" * len(room)
            return len(room)

    with pytest.raises(UserFileError, match=re.escape("<stdin>: expected a letter of at most")):
        list(stream_lines(io.BufferedReader(Endless()), "<stdin>", KIND))
