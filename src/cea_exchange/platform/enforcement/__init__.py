"""Enforcement: correction orders, fines, payment, stops, cuts, appeals, and the public record.

Knows verification and obligations.
"""
