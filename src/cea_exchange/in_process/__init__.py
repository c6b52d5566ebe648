"""Market, registry and settlement in one process: for examples, trials and replays of days."""
