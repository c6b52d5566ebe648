"""Serial numbers: where each is, and all moves that brought it there.

Knows the ledger only.
"""
