"""The numbered stream to the registry, and its verdicts.

Knows entity list, allocation and obligations.
"""
