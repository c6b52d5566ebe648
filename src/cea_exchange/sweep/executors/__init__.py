"""Who plays cells: each takes cells and yields what they came to, in whatever order they end."""
