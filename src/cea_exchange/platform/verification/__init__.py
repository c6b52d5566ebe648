"""Who verifies whose report, what is found, what is held to be true, and objections to it.

Knows entity list and filings.
"""
