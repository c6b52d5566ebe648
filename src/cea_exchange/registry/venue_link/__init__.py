"""What venue and registry say to each other, as bytes and rows.

Knows the ledger only.
"""
