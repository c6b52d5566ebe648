from typing import Any, Final

from typing_extensions import Buffer

FRAME_PAYLOAD_BYTES_MAX: Final[int]

def frame_made(
    kind: int, first_seq: int, synced_seq: int, time_ns: int, count: int, payload: Buffer
) -> bytes: ...
def frames_whole(
    data: Buffer,
    offset: int,
    seq: int,
    frame_type: type[tuple[Any, ...]],
    kinds: tuple[int, ...],
    row_bytes: int = 0,
    room: bytearray | None = None,
) -> tuple[list[Any], int]: ...
