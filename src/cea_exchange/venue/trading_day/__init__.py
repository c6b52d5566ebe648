"""The trading day: clock, timetable, phases.

Knows the market, and whether the registry is there.
"""
