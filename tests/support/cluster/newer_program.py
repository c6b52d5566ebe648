"""`cea-exchange` as a version to come: a number of its own, and the journal's schema one step on.

    python -m support.cluster.newer_program venue serve --config FILE --data DIR

All else is as it is: since the oldest schema that is read, records are only added to.
"""

import runpy
import sys

import cea_exchange

VERSION = "999.0.0"
COMMAND_LINE = "cea_exchange.cli.main"


def main() -> None:
    """Run the command line."""
    cea_exchange.__version__ = VERSION
    # Before anything has taken over the number that is.
    from cea_exchange.domain import enums

    assert "cea_exchange.domain.records" not in sys.modules
    enums.SCHEMA_VERSION += 1
    sys.argv = ["cea-exchange", *sys.argv[1:]]
    runpy.run_module(COMMAND_LINE, run_name="__main__")


if __name__ == "__main__":
    main()
