"""Builds the compiled rooms. Every Cython directive is here and nowhere else.

`CEA_EXCHANGE_CHECKED=1` turns on Cython's bounds and initialization checks, and makes the process
stop at a signed overflow, a bad shift or an index outside an array; the tests pass both ways.
`CEA_EXCHANGE_SANITIZED=1` builds for AddressSanitizer and UndefinedBehaviorSanitizer.
Going back to a plain build takes `build_ext --inplace --force`, for the sources have not changed.
"""

import multiprocessing
import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

CHECKED = os.environ.get("CEA_EXCHANGE_CHECKED", "0") == "1"
SANITIZED = os.environ.get("CEA_EXCHANGE_SANITIZED", "0") == "1"
SOURCES = sorted(Path("src").rglob("*.pyx"))

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "initializedcheck": CHECKED,
    "wraparound": False,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
}

# Not -march=native: a wheel must run on other machines of the same kind. And no debug symbols,
# which most Pythons' own flags ask for: they were the larger part of a wheel.
COMPILE_ARGS = ["-O3", "-g0", "-Wno-unused-function", "-Wno-sign-compare"]
if CHECKED:
    # Python's own flags say -fwrapv, which would hide an overflow. Records come at any address.
    COMPILE_ARGS += [
        "-fno-wrapv",
        "-fsanitize=undefined",
        "-fno-sanitize=alignment",
        "-fsanitize-undefined-trap-on-error",
    ]

LINK_ARGS = []
if SANITIZED:
    LINK_ARGS = ["-fsanitize=address,undefined"]
    COMPILE_ARGS += [
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        "-fno-wrapv",
        "-fsanitize=address,undefined",
        "-fno-sanitize=alignment",
        "-fno-sanitize-recover=all",
    ]

# In the order book's loop no call is left: a twentieth to a tenth less time a command. For the
# market, whose checks are longer, the compiler judges better what to copy. Nor does the book copy
# neighbouring fields as one: such a copy waits until each, just written, is in the cache.
ALL_INLINE = [("CYTHON_INLINE", "inline __attribute__((always_inline))")]
FIELD_BY_FIELD = ["-fno-tree-slp-vectorize"]

extensions = [
    Extension(
        ".".join(source.relative_to("src").with_suffix("").parts),
        [source.as_posix()],
        # cythonize() puts the C file in its place; named here too, it is in a source archive.
        depends=[source.as_posix()],
        extra_compile_args=COMPILE_ARGS + (FIELD_BY_FIELD if source.stem == "_book" else []),
        extra_link_args=LINK_ARGS,
        define_macros=ALL_INLINE if source.stem == "_book" else [],
    )
    for source in SOURCES
]

# What every module that takes a memoryview would else have a copy of, 70 kB of each in a wheel.
SHARED = "cea_exchange._shared"
extensions.append(
    Extension(
        SHARED,
        [f"src/{SHARED.replace('.', '/')}.c"],
        extra_compile_args=COMPILE_ARGS,
        extra_link_args=LINK_ARGS,
    )
)


class BuildStripped(build_ext):
    """Leaves symbols to those who build in place, for perf and callgrind: a wheel has none."""

    def build_extension(self, ext: Extension) -> None:
        """Build as ever, without symbols where the linker of the machine drops them."""
        if sys.platform == "linux" and not (self.inplace or self.editable_mode or SANITIZED):
            ext.extra_link_args = [*ext.extra_link_args, "-Wl,--strip-all"]
        super().build_extension(ext)


PAGES = (Path("protocol", "rules.md"), Path("protocol", "glossary.md"))


class BuildWithPages(build_py):
    """Packs the rules and the glossary, which board and `explain` show, with the package."""

    def run(self) -> None:
        """Build as ever, and copy the pages."""
        super().run()
        for page in PAGES:
            if page.exists() and not self.editable_mode:
                target = Path(self.build_lib, "cea_exchange", "screens", page.name)
                self.mkpath(str(target.parent))
                self.copy_file(str(page), str(target))


setup(
    cmdclass={"build_ext": BuildStripped, "build_py": BuildWithPages},
    ext_modules=cythonize(
        extensions,
        compiler_directives=DIRECTIVES,
        include_path=["src"],
        shared_utility_qualified_name=SHARED,
        # Any other start method would run this file again in each process.
        nthreads=os.cpu_count() if multiprocessing.get_start_method() == "fork" else 0,
        # The switch changes the C code, not the sources that are compared by time.
        force=CHECKED or SANITIZED or "--force" in sys.argv,
    ),
    # As many compilers at a time as there are processors: the modules don't need each other.
    options={"build_ext": {"parallel": os.cpu_count()}},
)
