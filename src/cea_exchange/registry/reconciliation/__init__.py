"""Checks that the ledger is what it should be: by itself, its records, and the other systems.

Knows all that the others keep, and changes nothing.
"""
