"""What a customer tells its settlement bank, what the bank answers and states, and their files.

Knows identifiers and units; neither side's books.
"""
