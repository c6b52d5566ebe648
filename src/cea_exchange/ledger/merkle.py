"""Merkle trees as RFC 6962 has them: one root for many leaves, and a short proof for each.

A leaf's hash is SHA-256 of a zero byte and its text, a node's of a one byte and its two parts. A
level of an odd number of nodes passes its last one up as it is.
"""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hash(text: str) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + text.encode()).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaves' hashes; of none that of nothing."""
    if not hashes:
        return sha256().digest()
    level = list(hashes)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def path_to(hashes: Sequence[bytes], place: int) -> list[tuple[str, bytes]]:
    """Return the proof of a leaf, from below: on which side a node lies, and its hash."""
    level, path = list(hashes), []
    while len(level) > 1:
        beside = place ^ 1
        if beside < len(level):
            path.append(("left" if beside < place else "right", level[beside]))
        level, place = _level_above(level), place // 2
    return path


def _level_above(level: list[bytes]) -> list[bytes]:
    paired = [
        sha256(b"\1" + level[place] + level[place + 1]).digest()
        for place in range(0, len(level) - 1, 2)
    ]
    return paired if len(level) % 2 == 0 else [*paired, level[-1]]
