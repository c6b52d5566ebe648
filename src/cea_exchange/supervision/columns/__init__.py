"""Columns that the patterns are looked for in: trades, orders, the book at a moment, holdings."""
