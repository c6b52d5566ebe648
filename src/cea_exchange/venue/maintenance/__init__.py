"""Backup, which may run beside the venue; restoring, verification and adoption of its data.

Knows the market and what is on disk.
"""
