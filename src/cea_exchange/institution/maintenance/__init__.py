"""Copies of an institution's database, and what proves that nothing of it was rewritten."""
