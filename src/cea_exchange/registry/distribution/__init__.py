"""Distribution of allowances: from the authority over provinces to entities, and back.

Knows what is owed for earlier years.
"""
