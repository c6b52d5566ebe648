"""Market data, bulletins and the settlement stream: published and kept.

Knows market and sequencer, and no participant.
"""
