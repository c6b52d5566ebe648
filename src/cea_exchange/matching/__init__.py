"""The deterministic market: commands in, events out. No clock, no file, no socket."""
