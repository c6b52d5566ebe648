"""The processes that others come to: one front each, begun again at once, and what ends it."""
