"""When the day's phases come.

Knows the market, and whether the registry is there.
"""
