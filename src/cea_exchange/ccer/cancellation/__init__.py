"""How CCERs end, and the proofs of it.

Knows books and lots.
"""
