"""The link to the registry: its feed, its confirmations, and how far it is behind.

Knows sequencer and gateway.
"""
