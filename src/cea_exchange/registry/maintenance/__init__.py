"""Backup, which may run beside the registry; restoring, and adoption of another venue's log.

Knows the ledger.
"""
