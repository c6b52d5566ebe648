"""What operators see and do.

Knows every room that runs.
"""
