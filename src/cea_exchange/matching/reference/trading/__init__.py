"""The three trading methods of a reference market, each in a module."""
