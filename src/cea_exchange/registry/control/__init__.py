"""Who asks for what, whether they may, and what was said.

Knows every room that acts.
"""
