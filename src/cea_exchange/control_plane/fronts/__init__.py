"""Fronts: the processes that others connect to, started again at once when they end."""
