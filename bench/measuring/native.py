"""Compiles the C and Cython files of the benchmarks into build/bench, once for each text."""

import ctypes
import hashlib
import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

BENCH = Path(__file__).resolve().parents[1]
HEADERS = BENCH / "measuring"
BUILD = BENCH.parent / "build" / "bench"
# Compilers that don't know -march=native get the rest.
FLAGS = ("-O3", "-march=native", "-std=gnu11", "-shared", "-fPIC")


def compiler() -> str:
    """The C compiler: $CC, or what Python was built with has for a name, or cc."""
    return os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]


def library(source: str, *definitions: str) -> ctypes.CDLL:
    """Load a C file as a library, compiled first where that has not been done yet.

    Parameters
    ----------
    source : str
        Path of a file, from the folder `bench` on.
    definitions : str
        Macros to define.
    """
    flags = [*FLAGS, f"-I{HEADERS}", *(f"-D{name}" for name in definitions)]
    text = b"".join(path.read_bytes() for path in sorted(BENCH.glob("*/*.[ch]")))
    digest = hashlib.blake2b(text + repr((source, flags)).encode(), digest_size=8).hexdigest()
    path = BUILD / f"{Path(source).stem}-{digest}.so"
    if not path.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        done = None
        for given in (flags, [flag for flag in flags if flag != "-march=native"]):
            command = [compiler(), *given, "-o", str(draft), str(BENCH / source)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode == 0:
                break
        else:
            sys.exit(f"{source} does not compile:\n{done.stderr}")
        draft.replace(path)
    return ctypes.CDLL(str(path))


EXTENSION_SCRIPT = """
import sys
from Cython.Build import cythonize
from setuptools import Distribution, Extension
name, source, package_root, headers, place = sys.argv[1:]
extension = Extension(name, [source], include_dirs=[headers], extra_compile_args=["-O3"])
modules = cythonize(
    [extension], include_path=[package_root], build_dir=place,
    compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False},
)
command = Distribution({"name": name, "ext_modules": modules}).get_command_obj("build_ext")
command.build_lib, command.build_temp = place, place
command.ensure_finalized()
command.run()
"""


def extension(source: str) -> ModuleType:
    """Build and import a Cython file, under its own name, that cimports the installed package."""
    import cea_exchange

    name, package = Path(source).stem, Path(cea_exchange.__file__).parent
    texts = [BENCH / source, HEADERS / "clock.h", *sorted(package.glob("*.pxd"))]
    text = b"".join(path.read_bytes() for path in texts) + sys.version.encode()
    place = BUILD / f"{name}-{hashlib.blake2b(text, digest_size=8).hexdigest()}"
    if not list(place.glob(f"{name}.*.so")):
        arguments = [name, BENCH / source, package.parent, HEADERS, place]
        command = [sys.executable, "-c", EXTENSION_SCRIPT, *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{source} does not build:\n{done.stdout}\n{done.stderr}")
    path = next(place.glob(f"{name}.*.so"))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
