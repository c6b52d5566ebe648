"""Writes everything to disk before anybody is answered, and restores a venue from there.

Knows the market, and no socket.
"""
