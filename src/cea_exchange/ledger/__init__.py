"""Double entry upon SQLite or PostgreSQL.

Knows units, names and records; no participant, file or venue.
"""
