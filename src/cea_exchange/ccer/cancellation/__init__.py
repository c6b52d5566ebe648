"""How CCERs end, and the proofs of it."""
