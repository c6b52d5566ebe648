"""Builds the example against the declarations of the installed cea-exchange."""

from Cython.Build import cythonize
from setuptools import Extension, setup

DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True}

setup(
    ext_modules=cythonize(
        Extension("market_maker", ["market_maker.pyx"], extra_compile_args=["-O3"]),
        compiler_directives=DIRECTIVES,
    )
)
