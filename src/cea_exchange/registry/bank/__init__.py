"""The bank leg: what the registry and its settlement bank say to each other, and their files."""
