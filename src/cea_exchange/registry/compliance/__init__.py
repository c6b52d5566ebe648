"""What is owed for a year, and what covers it.

Knows what is held back, and nothing of trades.
"""
