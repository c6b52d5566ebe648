"""Benchmarks of the matching core: `python -m bench`. See README.md."""
