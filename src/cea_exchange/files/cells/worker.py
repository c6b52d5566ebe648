"""A process that takes one workbook apart: `python -m cea_exchange.files.cells.worker .xlsx`.

Standard input is the file, standard output its cells (`travel`). It holds itself to limits first,
and the kernel ends it where it takes more.
"""

import sys

from cea_exchange.files.cells.source import READ_LIMITS, SourceFile
from cea_exchange.files.cells.travel import cells_written
from cea_exchange.user_files.read_ahead import OUT_OF_MEMORY

CHARACTERS_MAX = 4 << 20
"""In all cells: 200,000 cells of 20 characters, and a character takes at most four bytes."""


def main() -> None:
    """Write the cells of the file on standard input."""
    READ_LIMITS.set()
    try:
        source = SourceFile(f"file{sys.argv[1]}", sys.stdin.buffer.read())
        written = cells_written(source.cells, CHARACTERS_MAX)
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
