"""Allocation: provinces compute, approve and give allowances; the authority sets the totals."""
