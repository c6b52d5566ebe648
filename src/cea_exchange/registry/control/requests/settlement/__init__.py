"""Requests about settled money and trades: bank, defaults, claims and statements."""
