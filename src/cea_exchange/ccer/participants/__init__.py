"""Whose accounts there are at the CCER registry.

Knows the books.
"""
