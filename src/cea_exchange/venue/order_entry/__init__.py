"""What participants send, and what they are answered.

Knows the sequencer.
"""
