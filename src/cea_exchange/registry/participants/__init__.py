"""Whose accounts there are, and who acts for them.

Knows the ledger and what is checked first.
"""
