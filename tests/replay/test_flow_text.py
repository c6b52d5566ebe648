"""Lines of numbers: what the compiled reader takes and refuses is what Python's own `int` does."""

import random
import re

import numpy as np
import pytest

from cea_exchange.matching.flow.replay import numbers_read

INTEGER = re.compile(r"[ \t\r]*[+-]?\d+[ \t\r]*")
TIME = re.compile(r"[ \t\r]*[\d.]+[ \t\r]*")


def judged(text: bytes, columns: int, timed: bool) -> tuple[list[list[int]], int, bool]:
    """Rows of the text, their bytes, and whether the line after them is wrong."""
    rows: list[list[int]] = []
    consumed = 0
    for line in text.split(b"\n")[:-1]:
        fields = line.decode("latin-1").split(",")
        if timed:
            if not TIME.fullmatch(fields[0]):
                return rows, consumed, True
            fields = fields[1 : columns + 1]
        if len(fields) != columns or not all(INTEGER.fullmatch(field) for field in fields):
            return rows, consumed, True
        numbers = [int(field) for field in fields]
        if not all(-(1 << 63) <= number < 1 << 63 for number in numbers):
            return rows, consumed, True
        rows.append(numbers)
        consumed += len(line) + 1
    return rows, consumed, False


def assert_read(text: bytes, columns: int, timed: bool = False) -> None:
    """The reader gives what the judge does."""
    numbers = np.full((text.count(b"\n") + 1, columns), -7, np.int64)
    rows, consumed, fault = numbers_read(text, numbers, timed)
    expected, expected_consumed, is_wrong = judged(text, columns, timed)
    assert (rows, consumed, fault is not None) == (len(expected), expected_consumed, is_wrong)
    assert numbers[:rows].tolist() == expected


NUMBERS = ("0", "-1", "+5", "007", "9223372036854775807", "-9223372036854775808", "1" * 18)
BEYOND = ("9223372036854775808", "-9223372036854775809", "1" * 20, "9" * 60, "0" * 30 + "1" * 19)
NO_NUMBERS = ("", "-", "+-1", "1-", "1.0", "1e3", "0x1", "١", "\0", "1 2", '"1"')


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("field", NUMBERS + BEYOND + NO_NUMBERS)
def test_single_numbers(field: str, timed: bool) -> None:
    time = b"34200.5," if timed else b""
    for form in ("%s,1,2\n", "1,%s,2\n", "1,2,%s\n", "1, \t%s ,2\r\n"):
        assert_read(b"".join((time + b"1,2,3\n", time + (form % field).encode())), 3, timed)


@pytest.mark.parametrize(
    "line", ["", " ", ",", "1", "1,2", "1,2,3,4", "1,2,3,", ",1,2,3", "1,2,,3"]
)
@pytest.mark.parametrize("timed", [False, True])
def test_columns(line: str, timed: bool) -> None:
    time = "0.1," if timed else ""
    assert_read(f"{time}1,2,3\n{time}{line}\n{time}4,5,6\n".encode(), 3, timed)
    assert_read(f"{line}\n".encode(), 3, timed)


@pytest.mark.parametrize("seed", range(20))
def test_lines_like_the_line_before(seed: int) -> None:
    """Fields change, come, go and move: shared beginnings and ends must deceive nobody."""
    draw = random.Random(seed)
    columns = draw.choice((1, 2, 4, 40))
    fields = [str(draw.randrange(1_000_000)) for _ in range(columns)]
    lines = []
    for _ in range(400):
        place = draw.randrange(columns)
        what = draw.randrange(8)
        if what == 0:
            fields.insert(place, fields.pop())
        elif what == 1:
            fields[place] = fields[place][1:] or "5"
        elif what == 2:
            fields[place] += draw.choice("0123456789")
        elif what == 3:
            fields[place] = fields[place - 1]
        elif what == 4:
            fields[place] = str(draw.randrange(-20, 20))
        fields = [field[-12:] for field in fields]
        lines.append(",".join(fields))
    assert_read("".join(f"{line}\n" for line in lines).encode(), columns)
    for _ in range(50):
        some = list(lines[: draw.randrange(2, 12)])
        spoiled = list(some[-1])
        spot = draw.randrange(len(spoiled) + 1)
        spoiled[spot : spot + draw.randrange(2)] = draw.choice(("", ",", ",,", "-", "7", "x", " "))
        some[-1] = "".join(spoiled)
        assert_read("".join(f"{line}\n" for line in [*some, lines[0]]).encode(), columns)


def test_any_bytes_at_all() -> None:
    """Nothing crashes, and nothing is taken that is no number."""
    draw = random.Random(1)
    for _ in range(3_000):
        text = bytes(draw.choice(b"0123456789,,,\n\n -.\0\xff") for _ in range(draw.randrange(60)))
        assert_read(text, draw.randrange(1, 4), draw.random() < 0.5)


def test_arrays_of_another_form_are_refused() -> None:
    for numbers in (
        np.zeros(3, np.int64),
        np.zeros((3, 3), np.int32),
        np.zeros((3, 0), np.int64),
        np.zeros((3, 6), np.int64)[:, ::2],
        [[1]],
    ):
        with pytest.raises(TypeError):
            numbers_read(b"1,2,3\n", numbers, False)
    locked = np.zeros((3, 3), np.int64)
    locked.setflags(write=False)
    with pytest.raises(TypeError):
        numbers_read(b"1,2,3\n", locked, False)
    with pytest.raises(TypeError):
        numbers_read("1,2,3\n", np.zeros((3, 3), np.int64), False)
    assert numbers_read(b"1,2,3\n", np.zeros((0, 3), np.int64), False) == (0, 0, None)
