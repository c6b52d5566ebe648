"""What the registry says, and how far behind it is.

Knows sequencer and gateway.
"""
