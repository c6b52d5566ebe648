"""Order entry: sessions, commands in, answers and reports out.

Knows the sequencer.
"""
