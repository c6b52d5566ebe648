"""Decode a bank's XML: UTF-8, UTF-16, and the Chinese encodings GBK, GB2312 and GB18030.

The XML parser reads no multi-byte encoding but UTF-8 and UTF-16, and Chinese banks write GBK.
"""

import codecs
import re
from typing import NamedTuple

_UTF_8, _UTF_16 = "utf-8", "utf-16"
# GB18030 contains GBK, which contains GB2312; banks often declare the smaller one of two.
_CODECS = {
    "UTF-8": _UTF_8,
    "UTF8": _UTF_8,
    "US-ASCII": "ascii",
    "ASCII": "ascii",
    "ISO-8859-1": "iso-8859-1",
    "UTF-16": _UTF_16,
    "UTF-16LE": _UTF_16,
    "UTF-16BE": _UTF_16,
    **dict.fromkeys(("GBK", "CP936", "GB2312", "GB_2312-80", "GB18030"), "gb18030"),
}
KNOWN = "UTF-8, UTF-16, GBK, GB2312 or GB18030"
_MARKS = {
    codecs.BOM_UTF8: _UTF_8,
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    "\ufeff".encode("gb18030"): "gb18030",
}
# UTF-16 without a mark: a file of XML begins with "<".
_FIRST_BYTES = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
_DECLARATION = re.compile(rb"""<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([^"'>]*)["']""")
_HEAD_BYTES = 1_000


class Undecodable(ValueError):
    """The bytes are not text in the encoding that the file declares.

    Attributes
    ----------
    line
        Where it shows, from 1 on.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


class _Encoding(NamedTuple):
    """How a file is to be decoded, and how many bytes its mark takes."""

    codec: str
    mark_bytes: int
    declared: str


def utf_8_of(content: bytes) -> bytes:
    """Return a file of XML in UTF-8, whatever encoding it declares.

    Its declaration stays as it is: the parser has to be told that it is UTF-8.

    Raises
    ------
    Undecodable
        The encoding is not known, contradicts the mark at the file's start, or has no such bytes.
    """
    encoding = _encoding_of(content)
    body = content[encoding.mark_bytes :] if encoding.mark_bytes else content
    try:
        text = body.decode(encoding.codec)
        return body if encoding.codec == _UTF_8 else text.encode()
    except UnicodeDecodeError as error:
        line = 1 + body.count(b"\n", 0, error.start)
        got = f"the byte 0x{body[error.start]:02x}"
        raise Undecodable(line, f"expected {encoding.declared}, got {got}") from None
    except UnicodeEncodeError as error:
        line = 1 + text.count("\n", 0, error.start)
        got = f"U+{ord(text[error.start]):04X}"
        raise Undecodable(line, f"expected characters of XML, got {got}") from None


def _encoding_of(content: bytes) -> _Encoding:
    head = content[:_HEAD_BYTES]
    mark = next((mark for mark in _MARKS if head.startswith(mark)), b"")
    codec = _MARKS[mark] if mark else _FIRST_BYTES.get(head[:2], "")
    body = head[len(mark) :]
    if codec.startswith(_UTF_16):
        body = body.decode(codec, "ignore").encode("ascii", "ignore")
    found = _DECLARATION.match(body)
    if found is None:
        codec = codec or _UTF_8
        return _Encoding(codec, len(mark), codec.upper())
    name = found[1].decode("ascii", "replace")
    declared = _CODECS.get(name.upper())
    if declared is None:
        raise Undecodable(1, f"encoding: expected {KNOWN}, got {name[:40]!r}")
    if codec and not codec.startswith(declared):
        raise Undecodable(1, f"encoding: expected {codec.upper()} by the file's mark, got {name!r}")
    if declared == _UTF_16 and not codec:
        raise Undecodable(1, f"encoding: expected a file in {name}, got single bytes")
    return _Encoding(codec or declared, len(mark), name)
