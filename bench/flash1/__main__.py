"""Builds the adapter for a clone of the public benchmark, of which nothing is kept here."""

import argparse
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from bench.measuring.native import FLAGS, compiler

HERE = Path(__file__).resolve().parent
CYTHON = ("-m", "cython", "-3", "-X", "boundscheck=False", "-X", "wraparound=False")
HEADER = Path("api") / "matching_engine_api.h"


def build(clone: Path, *, own_queue: bool = True) -> Path:
    """Compile the adapter against the installed package; return the library.

    Parameters
    ----------
    clone : Path
        A clone of the benchmark: its header says what to build for, and the library goes there.
    own_queue : bool
        Whether reports go through a queue of ours instead of the benchmark's.

    Raises
    ------
    SystemExit
        There is no header, or something does not compile.
    """
    import cea_exchange

    if not (clone / HEADER).exists():
        sys.exit(f"{clone}: expected a clone of the benchmark, with {HEADER}")
    package_root = Path(cea_exchange.__file__).parent.parent
    place = clone / "cea_exchange_adapter.so"
    sources = [HERE / "start.c", *([HERE / "reports.c"] if own_queue else [])]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(shutil.copy(HERE / "adapter.pyx", folder))
        done(sys.executable, *CYTHON, "-I", str(package_root), str(source))
        done(
            compiler(), *FLAGS, f'-DPYTHON="{sys.executable}"', f'-DLIBPYTHON="{libpython()}"',
            "-I", str(clone / HEADER.parent), "-I", folder, "-I", sysconfig.get_path("include"),
            "-o", str(place), str(source.with_suffix(".c")), *map(str, sources),
            str(libpython()), f"-Wl,-rpath,{libpython().parent}",
        )  # fmt: skip
    return place


def libpython() -> Path:
    """Return the interpreter as a library; one built without has none."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    path = Path(sysconfig.get_config_var("LIBDIR") or "") / name
    if not (sysconfig.get_config_var("Py_ENABLE_SHARED") and path.exists()):
        sys.exit("expected a Python with a shared library, as --enable-shared builds it")
    return path


def done(*command: str) -> None:
    """Run a command to its end, or exit with what it said."""
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)}:\n{result.stdout}{result.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.flash1", description=__doc__)
    parser.add_argument("clone", type=Path, help="folder of a clone of the benchmark")
    parser.add_argument("--its-queue", action="store_true", help="reports by the benchmark's queue")
    options = parser.parse_args()
    place = build(options.clone, own_queue=not options.its_queue)
    print(f"built {place}; from that folder: ./harness --engine {place} --scenario normal")


if __name__ == "__main__":
    main()
