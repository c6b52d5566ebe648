"""Hold lock files against the advisories that are known: ``audit.py LOCK...``, by `make audit`.

Exit status: 0 all were looked up and nothing is known against them; 1 something is; 2 some or all
could not be looked up, which says nothing about them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Findings(NamedTuple):
    """What the advisory service said of one lock file.

    Attributes
    ----------
    audited_count
        Releases that were looked up.
    known
        What is known, a line each.
    unaudited
        What could not be looked up, and why; a line each.
    """

    audited_count: int
    known: list[str]
    unaudited: list[str]


def audit(lock: Path, program: list[str]) -> Findings:
    """Ask the service, by pip-audit, about every release of a lock file."""
    options = ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command = [*program, *options, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return Findings(0, [], [f"the advisory service can't be reached: {last}"])
    known = [
        f"{one['name']} {one['version']}: {advisory['id']}, mended in "
        + (", ".join(advisory["fix_versions"]) or "no release")
        for one in dependencies
        for advisory in one.get("vulns", ())
    ]
    # Told by pip-audit as a success: where the index knows no advisories, all are skipped.
    unaudited = [one["skip_reason"] for one in dependencies if "skip_reason" in one]
    return Findings(len(dependencies) - len(unaudited), known, unaudited)


def main(locks: list[str], program: list[str]) -> int:
    """Audit lock files, print what was found, and return the exit status."""
    status = 0
    for lock in map(Path, locks):
        found = audit(lock, program)
        for line in found.known:
            print(f"{lock.name}: {line}")
        if found.unaudited:
            print(f"{lock.name}: NOT AUDITED: {found.unaudited[0]}")
            if len(found.unaudited) > 1:
                print(f"{lock.name}: NOT AUDITED: and {len(found.unaudited) - 1} more")
        print(f"{lock.name}: {found.audited_count} looked up, {len(found.known)} advisories")
        if found.known:
            status = 1
        elif found.unaudited or not found.audited_count:
            status = status or 2
    return status


if __name__ == "__main__":
    asked = os.environ.get("ADVISORIES", "pypi")
    pip_audit = [sys.executable, "-m", "pip_audit", "--vulnerability-service", asked]
    sys.exit(main(sys.argv[1:], pip_audit))
