"""The `cea-exchange` command."""
