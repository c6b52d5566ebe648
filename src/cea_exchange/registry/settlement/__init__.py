"""The venue's records, each settled once or not at all.

Knows what is enforced; no bank.
"""
