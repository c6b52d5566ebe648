"""Measures what the screens take and give: `python -m bench.screens [--part board|ticket|view]`.

A venue with its relay, a process that trades, a board and its viewers, a console and a browser, all
of them real and on this machine; so what is measured is also how they share its processors. Whoever
lets the machine do other things besides measures these.
"""

import argparse
import json
import os
import resource
from typing import Any

from bench.screens.first_view import first_view_measured
from bench.screens.market import Trading, market
from bench.screens.ticket import ticket_measured
from bench.screens.viewers import board_measured
from cea_exchange.loadtest.local_exchange import prepare_process

PARTS = ("board", "ticket", "view")


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="may be given several times")
    parser.add_argument("--viewers", type=int, default=2_000)
    parser.add_argument("--stuck", type=int, default=50, help="viewers that never read, besides")
    parser.add_argument("--rate", type=float, default=6_000.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long viewers look")
    parser.add_argument("--speed", type=float, default=1.0, help="market time in a second")
    parser.add_argument("--orders", type=int, default=500, help="through the ticket")
    parser.add_argument("--times", type=int, default=9, help="the first view is opened")
    arguments = parser.parse_args()
    prepare_process()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert most >= arguments.viewers + 200, "too few files may be open"
    print(json.dumps(measured(arguments, arguments.part or PARTS), indent=1))


def measured(arguments: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    """Return the figures of some parts, with the machine's load before them."""
    found: dict[str, Any] = {"load_before": [round(each, 1) for each in os.getloadavg()]}
    with (
        market() as exchange,
        Trading(exchange, arguments.rate, 2 * arguments.seconds + 120) as trading,
    ):
        trading.run(2.0)
        if "board" in parts:
            found["board"] = board_measured(
                exchange,
                trading,
                viewers=arguments.viewers,
                stuck=arguments.stuck,
                seconds=arguments.seconds,
                speed=arguments.speed,
            )
        if "ticket" in parts:
            trading.begin(60.0)
            found["ticket"] = ticket_measured(exchange, arguments.orders)
            trading.ended()
        if "view" in parts:
            found["view"] = first_view_measured(exchange, arguments.times)
    return found


if __name__ == "__main__":
    main()
