"""Freezes, recalls and dispositions: what courts and the authority hold or take.

Knows the ledger and whose accounts there are.
"""
