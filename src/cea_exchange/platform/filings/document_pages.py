"""The pages of a PDF document, each known by the hash of what is on it.

A page is its content and the pictures it shows; fonts and frames do not count, so that a page which
was cut out of one document and put into another is known again. Documents come from outside: they
are read in a process of its own, bounded in time and memory, and what can't be read has no pages.
"""

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any

import structlog

from cea_exchange.control_plane.signals import module_command

PDF_MAGIC = b"%PDF-"
PAGES_MAX = 1_000
READ_S_MAX = 5
"""Of a processor's time."""
WAIT_S_MAX = 30
"""A busy machine takes so long for it, and for the process's start."""
MEMORY_BYTES_MAX = 1 << 30
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
    try:
        done = subprocess.run(
            module_command(__name__),
            input=content,
            capture_output=True,
            timeout=WAIT_S_MAX,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        why = said.decode(errors="replace").strip().rpartition("\n")[2]
        log.warning("document_not_read", sha256=sha256(content).hexdigest(), why=why)
        return ()
    return tuple(found)


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
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (READ_S_MAX, READ_S_MAX))
    print(json.dumps(list(_hashes(sys.stdin.buffer.read()))))


if __name__ == "__main__":
    main()
