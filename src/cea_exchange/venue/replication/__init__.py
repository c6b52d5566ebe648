"""A venue that is one of several: it follows the log as a standby, and leads when its turn comes.

What the log is, `cea_exchange.cluster` knows; what its frames mean, `venue.durability`.
"""
