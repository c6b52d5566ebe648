"""Requests about obligations: surrender, offsets, carryover, and what is due when."""
