"""Is the ledger what it should be?

Reads all that the rooms keep, and changes nothing.
"""
