"""VVBs, projects and batches: what must be before a CCER is issued.

Knows books and accounts.
"""
