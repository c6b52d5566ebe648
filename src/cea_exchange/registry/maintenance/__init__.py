"""Copies, restores and another venue's life, with the registry stopped.

Knows the ledger.
"""
