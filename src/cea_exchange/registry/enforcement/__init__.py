"""What courts and the authority take or hold.

Knows the ledger and whose accounts there are.
"""
