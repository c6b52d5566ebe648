"""Variants of a user's file: what else than a valid file a command may be given."""

import gzip
import io
import os
import re
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

from cli.file_variants.forms import Form
from support.large_workbooks import workbook_of

Made = str | bytes
"""A path, as text or as the bytes of its name."""

HEADER_CHARACTERS = 989_000
LINES = 1_000_000
SPARSE_BYTES = 200 << 20
DEPTH = 100_000
DIGITS = 20_000
FIELD_CHARACTERS = 300_000
NAME_BYTES_MAX = 255
CELL_ROWS, CELL_COLUMNS = 50_000, 32
"""Of a workbook: 1.6 million cells in some 90 KB."""

BRACKETS = "[" * DEPTH + "]" * DEPTH
OTHER_ROOT = {
    "csv": "one,two\n1,2\n",
    "toml": "[nobody_expects]\nthis = 1\n",
    "json": "[]\n",
    "jsonl": "[]\n",
    "xml": "<Other/>\n",
}
MARKS = {"csv": ",", "toml": "=", "json": ":", "jsonl": ":", "xml": "<"}
"""The character whose lowest bit is flipped."""


def file_of(folder: Path, form: Form, content: str | bytes, name: bytes = b"") -> Made:
    """Write a file of a form's kind and return its path."""
    path = os.path.join(os.fsencode(folder), (name or b"file") + f".{form.kind}".encode())
    data = content.encode() if isinstance(content, str) else content
    Path(os.fsdecode(path)).write_bytes(data)
    return path


# -- What is no regular file -----------------------------------------------------------------------


def missing(folder: Path, form: Form) -> Made:
    """Return a path that does not exist."""
    return str(folder / f"missing.{form.kind}")


def a_folder(folder: Path, form: Form) -> Made:
    """Return the path of a folder."""
    path = folder / f"folder.{form.kind}"
    path.mkdir()
    return str(path)


def unreadable(folder: Path, form: Form) -> Made | None:
    """Return a file without permissions; None for root, who may read every file."""
    if os.geteuid() == 0:
        return None
    path = file_of(folder, form, form.text)
    os.chmod(path, 0)
    return path


def symlink_loop(folder: Path, form: Form) -> Made:
    """Return a symbolic link to itself."""
    path = folder / f"loop.{form.kind}"
    path.symlink_to(path)
    return str(path)


def dangling_symlink(folder: Path, form: Form) -> Made:
    """Return a symbolic link to nothing."""
    path = folder / f"dangling.{form.kind}"
    path.symlink_to(folder / "nothing")
    return str(path)


def linked(folder: Path, form: Form, target: str) -> Made:
    """Return a link to a device, with the suffix that a command may ask for."""
    path = folder / f"link.{form.kind}"
    path.symlink_to(target)
    return str(path)


def fifo(folder: Path, form: Form) -> Made:
    """Return a pipe that nobody writes to."""
    path = folder / f"pipe.{form.kind}"
    os.mkfifo(path)
    return str(path)


def unix_socket(folder: Path, form: Form) -> Made:
    """Return a socket; it stays when its process closes it."""
    path = folder / f"socket.{form.kind}"
    with socket.socket(socket.AF_UNIX) as listening:
        kept = os.open(folder, os.O_RDONLY)
        # A socket's address has at most 107 bytes, the folder's may be longer.
        listening.bind(f"/proc/self/fd/{kept}/{path.name}")
        os.close(kept)
    return str(path)


# -- Contents --------------------------------------------------------------------------------------


def header_of(form: Form) -> str:
    """Return a valid file behind a first line that is far too long."""
    return "h" * HEADER_CHARACTERS + ",b\n" + form.text


def sparse(folder: Path, form: Form) -> Made:
    """Return a valid file that goes on with 200 MB of zeros that take no space."""
    path = file_of(folder, form, form.text)
    os.truncate(path, SPARSE_BYTES)
    return path


def deeply_nested(form: Form) -> str:
    """Return the file with a value that nests 100,000 levels deep."""
    match form.kind:
        case "csv":
            return BRACKETS
        case "toml":
            return f"a = {BRACKETS}\n{form.text}"
        case "xml":
            return form.text.replace(form.needed, "<a>" * DEPTH + "</a>" * DEPTH, 1)
        case "jsonl":
            return f'{{"cmd": {BRACKETS}}}\n'
        case _:
            return form.text.replace(form.number, BRACKETS, 1)


def quote_open(form: Form) -> str:
    """Return the file with a quote that is never closed, and a long rest."""
    head, end, rest = form.text.partition("\n")
    return f'{head}{end}"{rest}' + "x,y\n" * 50_000


def member_repeated(form: Form) -> str:
    """Return the file with a key, an element or a column twice."""
    if form.kind == "csv":
        return re.sub(r"(?m)^([^,\n]*,)", r"\1\1", form.text)
    between = ", " if form.kind.startswith("json") else ""
    return form.text.replace(form.needed, form.needed + between + form.needed, 1)


def member_missing(form: Form) -> str:
    """Return the file without a key, an element or a column."""
    if form.kind == "csv":
        return re.sub(r"(?m)^[^,\n]*,", "", form.text)
    between = ", " if form.kind.startswith("json") else ""
    return form.text.replace(form.needed + between, "", 1)


def member_added(form: Form) -> str:
    """Return the file with a key, an element or a column that nobody knows."""
    match form.kind:
        case "csv":
            return re.sub(r"(?m)^(?=.)", "1,", form.text).replace("1,", "unheard_of,", 1)
        case "toml":
            return "unheard_of = 1\n" + form.text
        case "xml":
            head, end, tail = form.text.rpartition("</")
            return f"{head}<UnheardOf/>{end}{tail}"
        case _:
            return form.text.replace("{", '{"unheard_of": 1, ', 1)


def bit_flipped(form: Form) -> bytes:
    """Return the file with one bit flipped in the first mark of its grammar."""
    data = bytearray(form.text.encode())
    # Comments before the needed member may have marks too.
    place = data.index(MARKS[form.kind].encode(), max(0, data.find(form.needed.encode())))
    data[place] ^= 1
    return bytes(data)


def replaced(form: Form, number: str) -> str:
    """Return the file with another number in the place of its first."""
    return form.text.replace(form.number, number, 1)


# -- Archives --------------------------------------------------------------------------------------


def broken_workbook() -> bytes:
    """Return a workbook without the directory at its end."""
    whole = workbook_of(3, 3)
    return whole[: whole.rindex(b"PK\x01\x02")]


def encrypted_archive() -> bytes:
    """Return a zip archive that says of its only member that it is encrypted."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("xl/workbook.xml", "secret")
    data = bytearray(made.getvalue())
    data[6] |= 1  # of the member's own header
    data[data.index(b"PK\x01\x02") + 8] |= 1  # of the directory's
    return bytes(data)


def empty_archive() -> bytes:
    """Return a zip archive without a member."""
    return b"PK\x05\x06" + bytes(18)


# -- Names -----------------------------------------------------------------------------------------


def longest_name(folder: Path, form: Form) -> Made:
    """Return a file that is not valid under the longest name that there may be."""
    length = NAME_BYTES_MAX - len(form.kind) - 1
    return file_of(folder, form, b"\0", b"n" * length)


def dotted_path(folder: Path, form: Form) -> Made:
    """Return a valid file by a path with many `..`."""
    path = os.fsdecode(file_of(folder, form, form.text))
    (folder / "inner").mkdir()
    return os.path.join(str(folder), *["inner", ".."] * 20, os.path.basename(path))


def named_xlsx(folder: Path, form: Form) -> Made:
    """Return a valid file that is named as a workbook."""
    path = folder / "file.xlsx"
    path.write_text(form.text, encoding="utf-8")
    return str(path)


Maker = Callable[[Path, Form], Made | None]


def content(of: Callable[[Form], str | bytes], name: bytes = b"") -> Maker:
    """Return the maker of a regular file with some content."""
    return lambda folder, form: file_of(folder, form, of(form), name)


VARIANTS: dict[str, Maker] = {
    "missing": missing,
    "folder": a_folder,
    "unreadable": unreadable,
    "symlink loop": symlink_loop,
    "dangling symlink": dangling_symlink,
    "/dev/zero": lambda folder, form: linked(folder, form, "/dev/zero"),
    "/dev/full": lambda folder, form: linked(folder, form, "/dev/full"),
    "/proc/self/mem": lambda folder, form: linked(folder, form, "/proc/self/mem"),
    "FIFO": fifo,
    "socket": unix_socket,
    "empty": content(lambda form: b""),
    "one NUL byte": content(lambda form: b"\0"),
    "byte order mark only": content(lambda form: b"\xef\xbb\xbf"),
    "invalid UTF-8": content(lambda form: form.text.encode() + b"\xff\xfe\xfa\n"),
    "UTF-16": content(lambda form: form.text.encode("utf-16")),
    "989 KB header line": content(header_of),
    "1e6 lines": content(lambda form: form.text + form.repeated * LINES),
    "200 MB sparse": sparse,
    "deeply nested": content(deeply_nested),
    "huge integer": content(lambda form: replaced(form, "9" * DIGITS)),
    "1e400": content(lambda form: replaced(form, "1e400")),
    "unbalanced quote": content(quote_open),
    "member twice": content(member_repeated),
    "member missing": content(member_missing),
    "member unknown": content(member_added),
    "CRLF": content(lambda form: form.text.replace("\n", "\r\n")),
    "CR": content(lambda form: form.text.replace("\n", "\r")),
    "control characters": content(lambda form: "\x1b[2J\x07\x00\x08" + form.text),
    "very long field": content(lambda form: replaced(form, "x" * FIELD_CHARACTERS)),
    "XLSX by another name": content(lambda form: workbook_of(3, 3)),
    "XLSX of 1.6 million cells": content(lambda form: workbook_of(CELL_ROWS, CELL_COLUMNS)),
    "XLSX without its directory": content(lambda form: broken_workbook()),
    "encrypted archive": content(lambda form: encrypted_archive()),
    "empty archive": content(lambda form: empty_archive()),
    "PDF header": content(lambda form: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
    "gzip": content(lambda form: gzip.compress(form.text.encode(), mtime=0)),
    "truncated": content(lambda form: form.text[: len(form.text) * 2 // 3]),
    "one bit flipped": content(bit_flipped),
    "other root": content(lambda form: OTHER_ROOT[form.kind]),
    "name of two lines and a quote": content(lambda form: b"\0", b"a\nb'c\"d"),
    "name that is not UTF-8": content(lambda form: b"\0", b"\xff\xfe\x80"),
    "name of 255 bytes": longest_name,
    "path with ..": dotted_path,
    "valid text named .xlsx": named_xlsx,
}
"""The variants by their names."""
