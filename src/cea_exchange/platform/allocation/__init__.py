"""Allocation: provinces compute, approve and give allowances; the authority sets the totals.

Knows entity list, filings and what is verified.
"""
