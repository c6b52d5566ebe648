from typing import Any, Final

from typing_extensions import Buffer

FRAME_PAYLOAD_BYTES_MAX: Final[int]

def frames_whole(
    data: Buffer,
    offset: int,
    seq: int,
    frame_type: type[tuple[Any, ...]],
    kinds: tuple[int, ...],
    row_bytes: int = 0,
    room: bytearray | None = None,
) -> tuple[list[Any], int]: ...
