"""The settlement bank: instructions to it, its answers and statements, and their files.

Knows accounts and what settlement has booked; no venue.
"""
