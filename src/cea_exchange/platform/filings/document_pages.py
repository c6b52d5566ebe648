"""The pages of a PDF document, each known by the hash of what is on it.

A page is its content and the pictures it shows; fonts and frames do not count, so that a page which
was cut out of one document and put into another is known again. Documents come from outside: they
are read in a process of its own, bounded in time and memory, and what can't be read has no pages.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any

import structlog

from cea_exchange.control_plane.signals import module_command
from cea_exchange.user_files.read_ahead import (
    OUT_OF_MEMORY,
    Reading,
    ReadLimits,
    ReadResult,
    result_of,
)

PDF_MAGIC = b"%PDF-"
PAGES_MAX = 1_000
WAIT_S_MAX = 30
"""A busy machine takes so long for it, and for the process's start."""
LIMITS = ReadLimits(cpu_s=5, memory_bytes=1 << 30, result_bytes=1 << 20)
"""A hash of each page is some 70 bytes."""
_MODULE = "cea_exchange.platform.filings.document_pages"
DEPTH_MAX = 8
"""Pictures within pictures."""
_SHOWS = re.compile(rb"[^A-Za-z](?:Tj|TJ|Do)(?![A-Za-z])")
"""A page without text and pictures is blank."""

log = structlog.get_logger("platform")


def page_hashes(content: bytes) -> tuple[str, ...]:
    """Return the hash of each page of a PDF that has something on it, in order.

    What is no PDF, or can't be read as one within the bounds, has none.
    """
    if not content.startswith(PDF_MAGIC):
        return ()
    (reading,) = readings(content)
    result = result_of(reading) or _read(reading)
    try:
        if result.failure:
            raise ValueError(result.failure)
        found = json.loads(result.written)
    except ValueError as error:
        log.warning("document_not_read", sha256=sha256(content).hexdigest(), why=str(error))
        return ()
    return tuple(found)


def readings(content: bytes) -> tuple[Reading, ...]:
    """Return what a process of its own should read before the act that takes a document."""
    if not content.startswith(PDF_MAGIC):
        return ()
    return (Reading(_MODULE, (), content, LIMITS, is_needed=False),)


def _read(reading: Reading) -> ReadResult:
    """Read a document now, in a process of its own all the same."""
    try:
        done = subprocess.run(
            module_command(reading.module),
            input=reading.content,
            capture_output=True,
            timeout=WAIT_S_MAX,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        return ReadResult(b"", said.decode(errors="replace").strip().rpartition("\n")[2])
    return ReadResult(done.stdout, "")


def _hashes(content: bytes) -> Iterator[str]:
    # Only here: a platform without the extra `evidence` knows documents as a whole only.
    from pypdf import PdfReader

    for number, page in enumerate(PdfReader(BytesIO(content)).pages):
        if number == PAGES_MAX:
            return
        contents = page.get_contents()
        drawn = b"" if contents is None else contents.get_data()
        if _SHOWS.search(drawn) is None:
            continue
        shown = sha256(drawn)
        for picture in _pictures(page.get("/Resources"), DEPTH_MAX):
            shown.update(picture)
        yield shown.hexdigest()


def _pictures(resources: Any, depth: int) -> Iterator[bytes]:
    found = {} if resources is None else resources.get_object()
    if "/XObject" not in found:
        return
    shown = found["/XObject"]
    for name in sorted(shown):
        picture = shown[name].get_object()
        if hasattr(picture, "_data"):
            yield picture._data
        if depth and "/Resources" in picture:
            yield from _pictures(picture["/Resources"], depth - 1)


def main() -> None:
    """Read a document from the standard input, and write its pages' hashes as JSON."""
    LIMITS.set()
    try:
        found = list(_hashes(sys.stdin.buffer.read()))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
