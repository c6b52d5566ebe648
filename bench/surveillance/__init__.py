"""How much of planted abuse surveillance finds: `python -m bench.surveillance`."""
