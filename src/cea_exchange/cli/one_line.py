"""What is said on standard error: one line that is short and harmless, whatever it is made of."""

import re

LINE_CHARACTERS_MAX = 300
"""With the command's name: three lines of a terminal."""
VALUE_CHARACTERS_MAX = 100
"""Of a single value in a line that is too long: a path, or what was found in a file."""
CONSIDERED_MAX = 4_000
"""Characters that are looked at: a message may have megabytes of somebody's file in it."""
CUT = " ... "

_VALUE = re.compile(rf"[^\s'\"]{{{VALUE_CHARACTERS_MAX + 1},}}|'[^']*'|\"[^\"]*\"")


def considered(message: str) -> str:
    """Return a message without the middle that no line has room for."""
    return _middle_cut(message, CONSIDERED_MAX)


def one_line(message: str, characters_max: int = LINE_CHARACTERS_MAX) -> str:
    """Return a message as one line that a terminal can show.

    Control characters are written as escapes. Of a line that is too long first long values lose
    their middle, then the line itself: its beginning says where, its end what came.
    """
    line = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in considered(message)
    )
    if len(line) > characters_max:
        line = _VALUE.sub(lambda value: _middle_cut(value[0], VALUE_CHARACTERS_MAX), line)
    return _middle_cut(line, characters_max)


def _middle_cut(text: str, characters_max: int) -> str:
    if len(text) <= characters_max:
        return text
    kept = characters_max - len(CUT)
    return text[: kept - kept // 3] + CUT + text[-(kept // 3) :]
