"""Builds the compiled rooms. Every Cython directive is here and nowhere else.

``CEA_EXCHANGE_CHECKED=1`` turns on bounds and initialization checks; the tests run both ways.
"""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

CHECKED = os.environ.get("CEA_EXCHANGE_CHECKED", "0") == "1"
MODULES = ("_book", "_accounts", "_market")

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "initializedcheck": CHECKED,
    "wraparound": False,
    "cdivision": True,
    "embedsignature": True,
    "freethreading_compatible": False,
}

extensions = [
    Extension(
        f"cea_exchange.{module}",
        [f"src/cea_exchange/{module}.pyx"],
        # Not -march=native: a wheel must run on other machines of the same kind.
        extra_compile_args=["-O3", "-Wno-unused-function"],
    )
    for module in MODULES
]

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives=DIRECTIVES,
        include_path=["src"],
        force=CHECKED,
    )
)
