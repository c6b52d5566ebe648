"""Plays cells: each executor takes cells and yields their results, in whatever order they end."""
