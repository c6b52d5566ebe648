"""What `SECURITY.md` says, to be held against what is so."""

import re

from support.places import ROOT

PAGE = ROOT / "SECURITY.md"
SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}
SOCKET_ROW = re.compile(r"^\| `(\w+)\.(\w+)` \|(.+)\|$", re.MULTILINE)
SIZE = re.compile(r"(\d+) (B|KiB|MiB)")


def page():
    """Return the page's text."""
    return PAGE.read_text(encoding="utf-8")


def socket_rows():
    """Return the table of sockets: cells by (daemon, socket)."""
    return {
        (daemon, socket): [cell.strip() for cell in rest.split("|")]
        for daemon, socket, rest in SOCKET_ROW.findall(page())
    }


def message_bytes_max(place):
    """Return the largest message that the table gives for a socket."""
    number, unit = SIZE.fullmatch(socket_rows()[place][2]).groups()
    return int(number) * SIZES[unit]
