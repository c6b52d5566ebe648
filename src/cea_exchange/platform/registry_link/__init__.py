"""The numbered stream to the registry, and its verdicts."""
