"""What the registry is told, as a numbered stream, and its verdicts."""
