"""Is the ledger what it should be?

Reads all that the others keep, and changes nothing.
"""
