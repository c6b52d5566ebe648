"""How firms behave in a year, and what they know when they do."""
