"""The exchange's market as the CCER registry sees it: what goes there, and what is traded.

Knows books and accounts, and no order.
"""
