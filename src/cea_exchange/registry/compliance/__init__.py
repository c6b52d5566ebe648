"""Obligations: what is owed for a year, and how it is surrendered, offset and carried over.

Knows what is held back, and nothing of trades.
"""
