"""What the rules make public, and nothing else.

Knows what is verified and enforced.
"""
