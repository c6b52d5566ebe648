"""A venue that is one of several: it follows the log as a standby, and leads when its turn comes.

Knows the log (`cea_exchange.cluster`), the market and what its frames mean (`venue.durability`).
"""
