"""What is on disk before it is said, and back from there.

Knows the market, and no socket.
"""
