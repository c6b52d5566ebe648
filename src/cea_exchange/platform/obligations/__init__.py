"""What entities owe of a year.

Knows entity list and allocation.
"""
