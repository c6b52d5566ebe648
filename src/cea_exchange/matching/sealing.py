"""A checksum behind bytes that leave the process: a bit that flips is found when they come back."""

from hashlib import blake2b

SEAL_BYTES = 16


def sealed(content: bytes) -> bytes:
    """Return bytes with their checksum behind them."""
    return content + _seal(content)


def unsealed(data: bytes) -> bytes:
    """Return the bytes that were sealed; ValueError if one of them is another."""
    content, seal = data[:-SEAL_BYTES], data[-SEAL_BYTES:]
    if seal != _seal(content):
        raise ValueError("snapshot: expected a whole one, got one whose checksum is another's")
    return content


def _seal(content: bytes) -> bytes:
    return blake2b(content, digest_size=SEAL_BYTES).digest()
