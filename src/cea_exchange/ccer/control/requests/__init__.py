"""The requests: a struct each, that knows how to act."""
