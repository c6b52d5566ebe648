"""A nation's enterprises and what they file, drawn from a seed."""
