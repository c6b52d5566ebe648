"""The provinces as tiles, each about where it lies: column and row, and a short name."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

PLACES = {
    23: (8, 1),
    **{65: (1, 2), 66: (2, 2), 15: (6, 2), 22: (8, 2)},
    **{62: (3, 3), 64: (4, 3), 14: (5, 3), 11: (6, 3), 12: (7, 3), 21: (8, 3)},
    **{63: (3, 4), 61: (4, 4), 41: (5, 4), 13: (6, 4), 37: (7, 4)},
    **{54: (2, 5), 51: (3, 5), 50: (4, 5), 42: (5, 5), 34: (6, 5), 32: (7, 5), 31: (8, 5)},
    **{53: (3, 6), 52: (4, 6), 43: (5, 6), 36: (6, 6), 33: (7, 6)},
    **{45: (4, 7), 44: (5, 7), 35: (6, 7)},
    46: (4, 8),
}
COLUMNS, ROWS = 8, 8
_SHORT = {
    "zh": {
        **{11: "北京", 12: "天津", 13: "河北", 14: "山西", 15: "内蒙古", 21: "辽宁", 22: "吉林"},
        **{23: "黑龙江", 31: "上海", 32: "江苏", 33: "浙江", 34: "安徽", 35: "福建", 36: "江西"},
        **{37: "山东", 41: "河南", 42: "湖北", 43: "湖南", 44: "广东", 45: "广西", 46: "海南"},
        **{50: "重庆", 51: "四川", 52: "贵州", 53: "云南", 54: "西藏", 61: "陕西", 62: "甘肃"},
        **{63: "青海", 64: "宁夏", 65: "新疆", 66: "兵团"},
    },
    "en": {
        **{11: "BJ", 12: "TJ", 13: "HE", 14: "SX", 15: "NM", 21: "LN", 22: "JL", 23: "HL"},
        **{31: "SH", 32: "JS", 33: "ZJ", 34: "AH", 35: "FJ", 36: "JX", 37: "SD", 41: "HA"},
        **{42: "HB", 43: "HN", 44: "GD", 45: "GX", 46: "HI", 50: "CQ", 51: "SC", 52: "GZ"},
        **{53: "YN", 54: "XZ", 61: "SN", 62: "GS", 63: "QH", 64: "NX", 65: "XJ", 66: "XPCC"},
    },
}
STEPS = 4
"""Shades of a tile between nothing and all."""


class Progress(NamedTuple):
    """How far the obligations of a province, or of all, are covered.

    Attributes
    ----------
    entities, complete, late, short
        How many owe; how many have covered it, how many of them late; how many are short.
    owed, covered
        Tonnes.
    """

    entities: int = 0
    complete: int = 0
    late: int = 0
    short: int = 0
    owed: int = 0
    covered: int = 0

    @property
    def shade(self) -> str:
        """How its tile is drawn: `none` where nobody owes, else 0 to `STEPS`."""
        if not self.owed:
            return "none"
        return str(STEPS * self.covered // self.owed)


class Tile(NamedTuple):
    """A province on the map."""

    code: int
    column: int
    row: int
    short: str
    progress: Progress


def progress_of(entities: Iterable[Mapping[str, Any]]) -> dict[int, Progress]:
    """Return province -> how far it is, as the compliance list of a year says."""
    found: dict[int, Progress] = {}
    for each in entities:
        was = found.get(each["province"], Progress())
        state = each["state"]
        found[each["province"]] = Progress(
            was.entities + 1,
            was.complete + (state in ("in time", "late")),
            was.late + (state == "late"),
            was.short + (state == "short"),
            was.owed + each["obligation_tonnes"],
            was.covered + each["surrendered"] + each["offset"],
        )
    return found


def together(all_of: Iterable[Progress]) -> Progress:
    """Return what provinces come to together."""
    columns = list(zip(*all_of, strict=True))
    return Progress(*map(sum, columns)) if columns else Progress()


def tiles_of(progress: Mapping[int, Progress], language: str) -> list[Tile]:
    """Return all provinces' tiles, row by row."""
    placed = sorted(PLACES.items(), key=lambda place: (place[1][1], place[1][0]))
    return [
        Tile(code, column, row, _SHORT[language][code], progress.get(code, Progress()))
        for code, (column, row) in placed
    ]
