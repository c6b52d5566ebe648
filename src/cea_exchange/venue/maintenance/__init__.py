"""Backup, verification and adoption of a venue's data, with the venue stopped.

Knows the market and what is on disk.
"""
