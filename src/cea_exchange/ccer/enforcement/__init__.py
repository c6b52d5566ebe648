"""Courts, the supervisor, and CCERs that were issued on false papers.

Knows accounts, programme, lots, market and cancellations.
"""
