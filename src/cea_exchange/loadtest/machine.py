"""The machine that a run was made on, and its load meanwhile; most of it on Linux only."""

import contextlib
import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("cea-exchange", "numpy", "pyzmq", "msgspec", "quickfix")
PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def machine() -> dict[str, str | int | float]:
    """Return what explains a figure, without names of hosts or people."""
    return {
        "cpu": cpu_model(),
        "cpus": os.cpu_count() or 0,
        "memory_mib": _memory_mib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of what the harness is made of."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def cpu_model() -> str:
    """Return the processor's name."""
    with contextlib.suppress(OSError):
        text = (PROC / "cpuinfo").read_text(encoding="utf-8")
        found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def _memory_mib() -> int:
    with contextlib.suppress(ValueError, OSError):
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20)
    return 0


class MachineCounters:
    """Counters of the machine and of some processes, as rates since the last look."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._last_s = 0.0

    def look(self, now_s: float, processes: dict[str, int]) -> dict[str, float]:
        """Return what happened since the last look, a second; processors as shares of one.

        Parameters
        ----------
        processes
            Process ids by name.
        """
        counters: dict[str, float] = {**_machine_counters()}
        for name, process_id in processes.items():
            counters.update(_process_counters(name, process_id))
        elapsed, self._last_s = now_s - self._last_s, now_s
        last, self._last = self._last, counters
        if not last or elapsed <= 0:
            return {}
        rates = {
            name: round((value - last[name]) / elapsed, 3)
            for name, value in counters.items()
            if name in last and value >= last[name]
        }
        return rates | _machine_gauges()


def _machine_counters() -> dict[str, float]:
    counters: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        cpu = [int(word) for word in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:]]
        # Behind idle and waiting for the disk; what guests took counts as user already.
        counters["cpu"] = (sum(cpu[:8]) - cpu[3] - cpu[4]) / _TICKS
        counters["cpu stolen"] = cpu[7] / _TICKS
    with contextlib.suppress(OSError, ValueError):
        names, values = (
            line.split()[1:]
            for line in (PROC / "net/snmp").read_text().splitlines()
            if line.startswith("Tcp:")
        )
        counters["tcp retransmitted"] = float(values[names.index("RetransSegs")])
    return counters


def _machine_gauges() -> dict[str, float]:
    with contextlib.suppress(OSError, ValueError):
        for line in (PROC / "net/sockstat").read_text().splitlines():
            words = line.split()
            if words[0] == "TCP:":
                return {"tcp sockets": float(words[words.index("inuse") + 1])}
    return {}


def _process_counters(name: str, process_id: int) -> dict[str, float]:
    """Return processor seconds by thread, and bytes written to disk."""
    counters: dict[str, float] = {}
    folder = PROC / str(process_id)
    try:
        threads = sorted((folder / "task").iterdir(), key=lambda path: int(path.name))
    except OSError:
        return counters
    for thread in threads:
        with contextlib.suppress(OSError, ValueError, IndexError):
            before, _, after = (thread / "stat").read_text().rpartition(")")
            words = after.split()
            seconds = (int(words[11]) + int(words[12])) / _TICKS
            key = f"cpu {name} {before.partition('(')[2]}"
            counters[key] = counters.get(key, 0.0) + seconds
            counters[f"cpu {name}"] = counters.get(f"cpu {name}", 0.0) + seconds
    with contextlib.suppress(OSError, ValueError):
        for line in (folder / "io").read_text().splitlines():
            if line.startswith("write_bytes:"):
                counters[f"disk bytes {name}"] = float(line.split()[1])
    return counters
