"""Copies, proofs and another life, with the venue stopped.

Knows the market and what is on disk.
"""
