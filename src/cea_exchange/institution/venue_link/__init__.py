"""The link to the venue: its settlement stream in, the registry's feed out.

Knows the ledger only.
"""
