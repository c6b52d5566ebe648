"""Opening a file that a person names: a regular one, of bounded size, as bytes, text or lines."""

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

TEXT_BYTES_MAX = 1 << 20
"""Of settings, profiles, plans and the like: the longest that exist have some 50 KB."""
TABLE_BYTES_MAX = 16 << 20
"""Of a table of days, bids or auctions: 30 years of days have 1 MB."""
LINE_CHARACTERS_MAX = 1 << 16
"""Of a table: what spreadsheets put into one cell has 32,767."""
GZIP_MAGIC = b"\x1f\x8b"

_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_OTHERS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_UNPACKING_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)


class UserFileError(ValueError):
    """A file can't be used; the message names it, what was expected of it, and what it is."""


def file_open(path: Path | str, kind: str) -> io.BufferedReader:
    """Open a regular file to read its bytes, and nothing else.

    Opening a pipe or a device can wait forever or do something, so the file's kind is looked at
    before, and again once it is open: somebody may have put another one in its place.

    Parameters
    ----------
    path : Path or str
        A symbolic link is followed.
    kind : str
        What it should be, with its article, such as ``a config file``; errors say so.

    Raises
    ------
    UserFileError
        There is no such file, it can't be read, or it is not a regular one.
    """
    try:
        _regular_check(os.stat(path), path, kind)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
        file = open(descriptor, "rb")  # noqa: SIM115
    except OSError as error:
        raise _unreadable(path, kind, error) from None
    try:
        _regular_check(os.fstat(file.fileno()), path, kind)
    except UserFileError:
        file.close()
        raise
    return file


def bytes_read(path: Path | str, kind: str, bytes_max: int) -> bytes:
    """Return all of a file.

    Raises
    ------
    UserFileError
        As `file_open`, or it has more bytes than it may have.
    """
    with file_open(path, kind) as file:
        return stream_read(file, path, kind, bytes_max)


def stream_read(stream: BinaryIO, place: Path | str, kind: str, bytes_max: int) -> bytes:
    """Return all of a stream, such as standard input; errors name its place."""
    try:
        # More than is allowed is known without reading it, unless the file grows meanwhile.
        size = os.fstat(stream.fileno()).st_size
        data = stream.read(bytes_max + 1) if size <= bytes_max else b""
    except OSError as error:
        raise _unreadable(place, kind, error) from None
    _size_check(max(size, len(data)), place, kind, bytes_max)
    return data


def text_read(path: Path | str, kind: str, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """Return all of a file in UTF-8, without a byte order mark.

    Raises
    ------
    UserFileError
        As `bytes_read`, or it is not UTF-8.
    """
    return text_of(bytes_read(path, kind, bytes_max), path, kind)


def text_of(data: bytes, place: Path | str, kind: str) -> str:
    """Return bytes in UTF-8 as text, without a byte order mark; errors name their place."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _other_encoding(place, kind, data, data.count(b"\n", 0, error.start), error) from None


def lines_read(
    path: Path | str,
    kind: str,
    bytes_max: int | None = TABLE_BYTES_MAX,
    *,
    may_be_packed: bool = False,
) -> Iterator[str]:
    """Yield the lines of a file in UTF-8 with their ends, a block of it in memory at a time.

    Parameters
    ----------
    path, kind
        Of `file_open`.
    bytes_max : int or None
        None: any size, as only a block of it is in memory.
    may_be_packed : bool
        It may be gzip, by what it begins with and not by its name.

    Raises
    ------
    UserFileError
        As `text_read`, or a line has more than `LINE_CHARACTERS_MAX` characters.
    """
    with file_open(path, kind) as file:
        if bytes_max is not None:
            _size_check(os.fstat(file.fileno()).st_size, path, kind, bytes_max)
        packed = may_be_packed and file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        yield from stream_lines(stream, path, kind, bytes_max)


def standard_input(kind: str) -> BinaryIO:
    """Return standard input, where a person said that a file comes there."""
    if sys.stdin is None:
        raise UserFileError(f"<stdin>: expected {kind}, standard input is closed")
    return sys.stdin.buffer


def stream_lines(
    stream: BinaryIO | gzip.GzipFile,
    place: Path | str,
    kind: str,
    characters_max: int | None = TABLE_BYTES_MAX,
) -> Iterator[str]:
    """Yield the lines of a stream, such as standard input, as `lines_read` does."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    number = characters = 0
    try:
        while line := text.readline(LINE_CHARACTERS_MAX + 1):
            number += 1
            characters += len(line)
            if characters_max is not None and characters > characters_max:
                most = f"{kind} of at most {characters_max} characters"
                raise UserFileError(f"{place}: expected {most}, got more")
            if len(line) > LINE_CHARACTERS_MAX:
                most = f"a line of at most {LINE_CHARACTERS_MAX} characters"
                raise UserFileError(f"{place}:{number}: expected {most}, got a longer one")
            yield line
    except UnicodeDecodeError as error:
        raise _other_encoding(place, kind, error.object, number, error) from None
    except _UNPACKING_ERRORS as error:
        raise UserFileError(f"{place}: expected {kind}, got a damaged gzip file: {error}") from None
    except OSError as error:
        raise _unreadable(place, kind, error) from None
    finally:
        # Whoever opened the stream closes it.
        text.detach()


def _regular_check(status: os.stat_result, path: Path | str, kind: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        other = _OTHERS.get(stat.S_IFMT(status.st_mode), "another kind of file")
        raise UserFileError(f"{path}: expected {kind}, got {other}")


def _size_check(size: int, place: Path | str, kind: str, bytes_max: int) -> None:
    if size > bytes_max:
        # Of a stream no more is known than that it has one byte more.
        got = size if size > bytes_max + 1 else "more"
        raise UserFileError(f"{place}: expected {kind} of at most {bytes_max} bytes, got {got}")


def _unreadable(path: Path | str, kind: str, error: OSError) -> UserFileError:
    return UserFileError(f"{path}: expected {kind}, {error.strerror or error}")


def _other_encoding(
    place: Path | str, kind: str, data: bytes, lines_before: int, error: UnicodeDecodeError
) -> UserFileError:
    got = _MARKS.get(data[:2]) if lines_before == 0 else None
    if got is None:
        got = f"the byte 0x{data[error.start]:02x} behind line {lines_before}"
    return UserFileError(f"{place}: expected {kind} in UTF-8, got {got}")
