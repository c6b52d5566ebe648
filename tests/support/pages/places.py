"""Where the commands of each page are typed, and why some are typed nowhere."""

import re

from support.pages.blocks import Line

BY_OTHERS = {
    "docs/paths/": "site/test_paths.py",
    "contrib/first_day.md": "test_first_day.py",
    "protocol/platform.md": "test_platform_page.py",
}
"""Pages that are walked as a whole, and the tests that do so."""

AT_AN_EXCHANGE = (
    "protocol/adjustment.md", "contrib/README.md", "protocol/supervision.md", "protocol/ledger.md",
    "README.md", "contrib/upgrades.md", "contrib/failover.md", "SECURITY.md",
    "protocol/adoption.md",
)  # fmt: skip
"""In this order; the last page but one stops the venue."""
AT_REST = re.compile(r"cea-exchange (verify DIR|venue adopt|registry adopt)")
"""What wants a folder that no daemon is at work on, so it comes last."""

ALONE = (
    "protocol/README.md", "protocol/order_flow.md", "protocol/market_script.md",
    "examples/README.md",
)  # fmt: skip
AT_NIGHT = (
    "contrib/cluster.md", "protocol/daily_replay.md", "protocol/sweep.md",
    "protocol/year.md", "tests/mutation/README.md", "tests/failover/README.md",
    "tests/torture/README.md",
)  # fmt: skip
GOES_ON = {
    r"(\.venv/bin/)?cea-exchange demo --board": r"http://127\.0\.0\.1:\d+",
    r"(\.venv/bin/)?cea-exchange cluster demo": r"kill",
}
"""What goes on until it is stopped, and what it says when it is there: at night, too."""

NOT_TYPED = {
    r"make ": "minutes to hours, and these tests among them; test_commands.py looks for the target",
    r"python -m (bench|pytest)": "minutes, on a machine with nothing else to do; tests/benchmarks",
    r"python tests/mutation/run.py (--only|--seed|--patience)": "an hour; `--list` is typed",
    r"python protocol/schema/generate.py$": "writes into the sources; `--check` is typed behind it",
    r"systemctl |podman |useradd ": "wants root, and systemd or podman",
    r"(/opt/\S+/)?pip install|python -c|cd examples": "wants an index: packaging/test_wheel.py",
    r"psql ": "wants a server: registry/reconciliation/test_audit_sql.py runs all queries on one",
    r"litestream |sha256sum copy|cea-exchange registry restore copy": "test_ledger_copy.py does",
    r"pg_\w+ |cea-exchange registry standby": "wants two servers: `make failover-ledger`",
    r"cea-exchange surveil DIR --follow": "goes on until it is stopped: cli/test_surveil.py",
    r"cea-exchange venue relay": "goes on until it is stopped: publication/test_relay.py",
    r"cea-exchange cluster log check": "wants three nodes of a log: tests/cluster",
    r"cea-exchange load ": "fails where the machine is busy, or wants a target: tests/loadtest",
    r"cea-exchange venue key readmit": "wants a key that was cut off: test_suspects.py",
    r"cea-exchange platform (case|calendar) ": "wants a missed deadline, days off: tests/platform",
    r"cea-exchange year 2024 --entities 3378": "a nation: an hour",
}
"""What is typed nowhere, by what it begins with, and why; each must be understood all the same."""
ON_A_MACHINE = tuple(
    f"contrib/{page}.md" for page in ("README", "cluster", "failover", "containers", "upgrades")
)
BY_FIRST_DAY = re.compile(r"(python3 -m venv|install |cp |export PATH|for name|for config|sudo )")
"""What a new machine needs: test_first_day.py types it where a machine is stood in for."""


def why_not_typed(line: Line) -> str | None:
    """Return why a command is typed nowhere, or None where it is typed."""
    if line.page in ON_A_MACHINE and BY_FIRST_DAY.match(line.typed):
        return "a machine's own folders; test_first_day.py types such"
    if any(re.match(start, line.typed) for start in GOES_ON):
        return "goes on: typed by itself, at night"
    found = (why for start, why in NOT_TYPED.items() if re.match(start, plain(line.typed)))
    return next(found, None)


def plain(typed: str) -> str:
    """Return a command without the words that say what it does, with blanks where it goes on."""
    return re.sub(r" +# .*", "", typed).replace("\\\n", " ").strip()


def place_of(page: str) -> str | None:
    """Return where a page's commands are typed."""
    by = next((test for start, test in BY_OTHERS.items() if page.startswith(start)), None)
    tables = {"an exchange": AT_AN_EXCHANGE, "alone": ALONE, "at night": AT_NIGHT}
    return by or next((name for name, pages in tables.items() if page in pages), None)
