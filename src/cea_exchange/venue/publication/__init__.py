"""What everybody may see, sent and kept.

Knows market and sequencer, and no participant.
"""
