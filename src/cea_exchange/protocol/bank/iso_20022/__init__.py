"""The bank's files, bytes to values and back.

Knows instructions and statements, nothing kept.
"""
